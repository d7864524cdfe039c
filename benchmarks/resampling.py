"""What resampling from 48 to 16 kHz does to sound, in frames of 20 ms.

Measured through the whole processor, beside soxr alone: how much sound is held back, on average
and at most; how far down the loudest alias of any tone from 8.4 to 24 kHz is (below that, tones
fall into the last 5 percent of the band, where the filters end), and up to which frequency tones
come out within 1 dB. What a recogniser notices: the RMS difference of the log-mel spectra (40 bands
to 8 kHz) to those by soxr's best quality, for speech with white noise up to 24 kHz 20 dB below it,
from which aliases would come; and how many of 40 such sentences pocketsphinx mistakes, where it is
installed. Not measured: the cost, see "audio"; other rates, which the tests hold to the same.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject, bound
from benchmarks.material import SENTENCES, VOICES
from pipeline import AudioFrame
from processors.audio.pcm import Samples
from processors.audio.resampler import Resampler

RATE, TO = 48_000, 16_000
FRAME = RATE // 50
LIVE, BEST = "live", "best"
SOXR = {"soxr VHQ": "VHQ", "soxr HQ": "HQ", "soxr LQ": "LQ", "soxr QQ": "QQ"}

Push = Callable[[AudioFrame], Samples]
NOTHING = np.zeros((0, 1), np.int16)


def stream(name: str) -> tuple[Push, Callable[[], Samples]]:
    """What takes a frame and gives samples, and what gives the rest at the end."""
    if name in SOXR:
        raw = soxr.ResampleStream(RATE, TO, 1, dtype="int16", quality=SOXR[name])
        return (
            lambda frame: raw.resample_chunk(frame.samples),
            lambda: raw.resample_chunk(NOTHING, last=True),
        )
    resampler = Resampler(TO, 1, quality="live" if name == LIVE else "best")

    def joined(frames: Iterator[AudioFrame]) -> Samples:
        return np.concatenate([NOTHING, *(frame.samples for frame in frames)])

    return lambda frame: joined(resampler.process(frame)), lambda: joined(resampler.flush())


def frames(samples: Samples) -> list[AudioFrame]:
    """Frames of 20 ms."""
    return [
        AudioFrame(samples[at : at + FRAME], RATE, pts=at * 1_000_000 // 48)
        for at in range(0, len(samples), FRAME)
    ]


def resampled(name: str, samples: Samples) -> Samples:
    """A whole signal, frame by frame."""
    push, finish = stream(name)
    return np.concatenate([*map(push, frames(samples)), finish()])


def held(name: str) -> dict[str, float]:
    """Milliseconds of sound that went in and have not come out, after each frame."""
    push, _ = stream(name)
    count, behind = 0, []
    for number, frame in enumerate(frames(np.zeros((4 * RATE, 1), np.int16)), 1):
        count += len(push(frame))
        behind.append(number * 20 - 1000 * count / TO)
    return {"held back, mean": float(np.mean(behind)), "held back, most": max(behind)}


def tone(name: str, frequency: float) -> float:
    """Level of what a tone becomes, in dB."""
    times = np.arange(RATE // 5) / RATE
    samples = np.rint(20_000 * np.sin(2 * np.pi * frequency * times)).astype(np.int16)[:, None]
    middle = resampled(name, samples)[TO // 20 : -TO // 20].astype(np.float64)
    return float(10 * np.log10(np.mean(middle**2) / (20_000**2 / 2) + 1e-12))


def response(name: str) -> dict[str, float]:
    """Aliases and the pass band."""
    aliases = max(tone(name, frequency) for frequency in np.arange(8400, 24_000, 300))
    passed = 0.0
    for frequency in np.arange(3000, 8000, 100):
        if abs(tone(name, frequency)) > 1:
            break
        passed = float(frequency)
    return {"aliases": aliases, "flat to": passed}


def noisy_sentence(number: int) -> tuple[str, Samples]:
    """What is said, and how it sounds at 48 kHz with noise."""
    from processors.local_live_api.speech import speak

    text = SENTENCES[number % len(SENTENCES)]
    voice = VOICES[(number // len(SENTENCES) + number) % len(VOICES)]
    spoken = speak(text, voice=voice, rate=RATE, engine="espeak-ng").samples.astype(np.float64)
    noise = np.random.default_rng(number).standard_normal(spoken.shape)
    return text, np.rint(0.5 * (spoken + 0.1 * spoken.std() * noise)).astype(np.int16)


def log_mel(samples: Samples) -> NDArray[np.float64]:
    """Spectra of 25 ms every 10 ms in 40 bands, in dB."""
    windows = np.lib.stride_tricks.sliding_window_view(samples[:, 0].astype(np.float64), 400)[::160]
    power = np.abs(np.fft.rfft(windows * np.hanning(400), 512)) ** 2
    highest = 2595 * np.log10(1 + 8000 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, 42) / 2595) - 1)
    bins = np.fft.rfftfreq(512, 1 / TO)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return 10 * np.log10(power @ np.maximum(np.minimum(rising, falling), 0).T + 1)


def noticed(name: str) -> dict[str, float]:
    """What speech recognition would notice."""
    found = {}
    differences = []
    if importlib.util.find_spec("espeakng_loader") is not None:
        for number in range(8):
            _, samples = noisy_sentence(number)
            best = log_mel(resampled("soxr VHQ", samples))
            differences.append(np.mean((log_mel(resampled(name, samples)) - best) ** 2))
        found["log-mel"] = float(np.sqrt(np.mean(differences)))
        if importlib.util.find_spec("pocketsphinx"):
            from processors.local_live_api.recognition import recogniser

            listener = recogniser(SENTENCES)
            assert listener is not None
            said = [noisy_sentence(number) for number in range(40)]
            heard = [listener.words(resampled(name, samples), TO) for _, samples in said]
            wrong = sum(text != words for (text, _), words in zip(said, heard, strict=True))
            found["mistaken"] = float(wrong)
    return found


def measured(name: str) -> Any:
    """Everything about one way of resampling."""
    samples = frames(np.zeros((RATE, 1), np.int16))
    push, finish = stream(name)
    count = sum(len(push(frame)) for frame in samples) + len(finish())
    found = held(name) | response(name) | noticed(name)
    return found, {"samples a second": count}


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    call = "benchmarks.resampling:measured"
    subjects = {
        name: Subject(call, {"name": name}, ours=name in (LIVE, BEST))
        for name in (LIVE, BEST, *SOXR)
    }
    section.units = {
        "held back, mean": "ms",
        "held back, most": "ms",
        "aliases": "dB",
        "flat to": "Hz",
        "log-mel": "dB",
        "mistaken": "of 40",
    }
    replace(rounds, rounds=1).alternate(subjects, section)  # nothing in it differs between rounds
    bound(section, "held back, most", LIVE, at_most=2)
    bound(section, "aliases", LIVE, at_most=-60)
    bound(section, "log-mel", LIVE, at_most=1)
