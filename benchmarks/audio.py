"""Sound through the whole processor, beside the libraries underneath: resampler and VAD gate.

Measured: processor time per chunk of 20 ms, mono int16, 48 to 16 kHz, through `Resampler.process`
as a graph calls it; raw soxr gets the same chunks, as int16, and as float32 with the conversions
that it takes to get there, at the quality nearest to ours (`live`: LQ, which is flat to 6 kHz; ours
is flat to 7 kHz) or the very one (`best`: VHQ). What each gives is as long as it has to be. The VAD
gate is beside the detector that it uses and nothing else. Not measured: what a graph adds, see
"chain"; the quality of the sound, see "resampling" and "vad".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import process_time

import numpy as np

from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject, compare
from benchmarks.parts import Measured
from pipeline import AudioFrame

RATE, TO = 48_000, 16_000
CHUNK = RATE // 50
SOXR = {"live": "LQ", "best": "VHQ"}
GATE, DETECTOR = "VAD gate", "its detector alone (floor)"


def chunks(rate: int) -> list[np.ndarray]:
    """A second of noise and tone, as chunks of shape (n, 1)."""
    count = rate // 50
    noise = np.random.default_rng(1).normal(0, 300, rate)
    tone = 6000 * np.sin(np.arange(rate) * 2 * np.pi * 180 / rate)
    syllables = (0.55 + 0.45 * np.sin(np.arange(rate) * 2 * np.pi * 4 / rate)) ** 2
    sound = (noise + tone * syllables * (np.arange(rate) > rate // 2)).astype(np.int16)
    return [sound[start : start + count, None] for start in range(0, rate, count)]


def timed(give: Callable[[int, np.ndarray], int], rate: int, seconds: int) -> tuple[float, int]:
    """Microseconds per chunk, and what it gave; the first second is to warm up."""
    sound, given = chunks(rate), 0
    for number in range(50):
        given += give(number, sound[number])
    began = process_time()
    for number in range(50, 50 * seconds):
        given += give(number, sound[number % 50])
    return (process_time() - began) / (50 * (seconds - 1)) * 1e6, given


def frames(process: Callable[[AudioFrame], Iterable], rate: int) -> Callable:
    """A processor as a function from chunks to the number of samples that it gives."""

    def give(number: int, samples: np.ndarray) -> int:
        given = process(AudioFrame(samples, rate, pts=number * 20_000_000))
        return sum(len(frame.samples) for frame in given if isinstance(frame, AudioFrame))

    return give


def resampler(seconds: int, quality: str) -> dict[str, float]:
    """Ours."""
    from processors.audio.resampler import Resampler

    processor = Resampler(TO, quality=quality)
    cost, given = timed(frames(processor.process, RATE), RATE, seconds)
    given += sum(len(frame.samples) for frame in processor.flush())
    if given != seconds * TO:
        raise AssertionError(f"{given} samples instead of {seconds * TO}")
    return {"a chunk": cost}


def soxr(seconds: int, quality: str, dtype: str) -> dict[str, float]:
    """Raw."""
    import soxr

    stream = soxr.ResampleStream(RATE, TO, 1, dtype=dtype, quality=SOXR[quality])

    def whole(number: int, samples: np.ndarray) -> int:
        return len(stream.resample_chunk(samples))

    def converted(number: int, samples: np.ndarray) -> int:
        given = stream.resample_chunk(samples.astype(np.float32))
        return len(np.clip(np.rint(given), -32768, 32767).astype(np.int16))

    cost, given = timed(whole if dtype == "int16" else converted, RATE, seconds)
    given += len(stream.resample_chunk(np.zeros((0, 1), dtype), last=True))
    if abs(given - seconds * TO) > 1:
        raise AssertionError(f"{given} samples instead of {seconds * TO}")
    return {"a chunk": cost}


def vad(seconds: int, alone: bool) -> Measured:
    """The gate, or its detector."""
    from processors.audio.detection.detectors import open_detector
    from processors.audio.vad_gate import VadGate

    if alone:
        detector, windows = open_detector("auto", TO), 0

        def detect(number: int, samples: np.ndarray) -> int:
            nonlocal windows
            windows += len(detector.scores(samples))
            return 0

        cost, _ = timed(detect, TO, seconds)
        if windows != seconds * 1_000_000_000 // detector.window:
            raise AssertionError(f"{windows} windows in {seconds} s")
    else:
        cost, given = timed(frames(VadGate(mode="mark").process, TO), TO, seconds)
        if given != seconds * TO:
            raise AssertionError(f"the gate let {given} samples through")
    return {"a chunk": cost}, {}


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    here, seconds = "benchmarks.audio", {"seconds": rounds.size(60, 10)}
    subjects = {}
    for quality, raw in SOXR.items():
        settings = seconds | {"quality": quality}
        subjects[f"resampler, {quality}"] = Subject(f"{here}:resampler", settings)
        for dtype, how in (("int16", ""), ("float32", ", converted")):
            chosen = settings | {"dtype": dtype}
            subjects[f"raw soxr {raw}{how}"] = Subject(f"{here}:soxr", chosen, ours=False)
    subjects["pipecat's resampler"] = Subject(
        "benchmarks.peers.pipecat.audio:resampler", seconds, needs="pipecat", ours=False
    )
    subjects[GATE] = Subject(f"{here}:vad", seconds | {"alone": False})
    subjects[DETECTOR] = Subject(f"{here}:vad", seconds | {"alone": True}, ours=False)
    section.units = {"a chunk": "µs of cpu"}
    rounds.alternate(subjects, section)
    for quality, raw in SOXR.items():
        compare(section, "a chunk", f"resampler, {quality}", f"raw soxr {raw}", at_most=1 / 0.9)
    compare(section, "a chunk", "resampler, best", "pipecat's resampler")
    compare(section, "a chunk", GATE, DETECTOR)
