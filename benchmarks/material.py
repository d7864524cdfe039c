"""Labelled speech, and what it has to be told from; all made here, the same every time."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.local_live_api.speech import speak

Floats = NDArray[np.float64]

RATE = 16_000
STEP = RATE // 100
"""Samples that one label is about."""
DYNAMICS_DB = 35.0
"""Speech is what is at most so much quieter than the loudest 10 ms of its utterance."""
LONGEST_GAP = 15
"""Labels that may lie between two sounds of one word, as before a plosive."""
SHORTEST_PAUSE = 30
"""Labels between two pieces of speech that a detector has to hear as two."""

SENTENCES = (
    "What will the weather be like in Lisbon this weekend?",
    "Please book a table for two at eight.",
    "No, wait. I meant the other one.",
    "Could you turn the music down a little and tell me what time it is?",
    "Yes.",
    "The quick brown fox jumps over the lazy dog while the sun sets.",
    "How far is it from here to the station, and is there a bus?",
    "Thank you, that was all.",
)
VOICES = ("Puck", "Kore", "Charon", "Leda", "Zephyr", "Fenrir", "Aoede", "Orus")


class Speech(NamedTuple):
    """samples: shape (n,), of RMS 1 where there is speech. labels: True for 10 ms of speech."""

    samples: Floats
    labels: NDArray[np.bool_]

    def pieces(self) -> list[tuple[float, float]]:
        """Where each piece of speech begins and ends, in seconds."""
        found: list[tuple[int, int]] = []
        for begin, end in runs(self.labels):
            if found and begin - found[-1][1] < SHORTEST_PAUSE:
                found[-1] = found[-1][0], end
            else:
                found.append((begin, end))
        return [(begin / 100, end / 100) for begin, end in found]


def runs(labels: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where each run of True begins and ends."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], labels.astype(np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def utterance(number: int) -> Speech:
    """One sentence in one voice."""
    voice = VOICES[(number + number // len(SENTENCES)) % len(VOICES)]
    spoken = speak(SENTENCES[number % len(SENTENCES)], voice=voice, rate=RATE, engine="espeak-ng")
    samples = spoken.samples[:, 0].astype(np.float64)
    steps = samples[: len(samples) // STEP * STEP].reshape(-1, STEP)
    power = np.mean(steps**2, axis=1) + 1e-9
    labels = power > power.max() * 10 ** (-DYNAMICS_DB / 10)
    return Speech(samples / np.sqrt(power[labels].mean()), labels)


def conversation(seed: int, count: int) -> Speech:
    """Utterances of different voices and levels, with silence of 0.8 to 2.5 s between them."""
    rng = np.random.default_rng(seed)
    at, parts = 150, []
    for number in range(count):
        said = utterance(number + 3 * seed)
        parts.append((at, said, 10 ** (rng.uniform(-3, 3) / 20)))
        at += len(said.labels) + int(rng.integers(80, 250))
    samples, labels = np.zeros(at * STEP), np.zeros(at, np.bool_)
    for begin, said, gain in parts:
        samples[begin * STEP : begin * STEP + len(said.samples)] += gain * said.samples
        labels[begin : begin + len(said.labels)] |= said.labels
    for (_, end), (begin, _) in itertools.pairwise(runs(labels)):
        if begin - end <= LONGEST_GAP:
            labels[end:begin] = True
    return Speech(samples, labels)


def coloured(slope: float) -> Callable[[int, np.random.Generator], Floats]:
    """Noise whose power falls with the frequency to the power of `slope`, from 20 Hz on."""

    def noise(count: int, rng: np.random.Generator) -> Floats:
        spectrum = np.fft.rfft(rng.standard_normal(count))
        index = np.maximum(np.arange(len(spectrum)), count * 20 // RATE)
        return np.fft.irfft(spectrum * index ** (-slope / 2), count)

    return noise


def hum(count: int, rng: np.random.Generator) -> Floats:
    """Mains, with harmonics."""
    times = np.arange(count) / RATE
    phases = rng.uniform(0, 2 * np.pi, 10)
    waves = [np.sin(2 * np.pi * 50 * n * times + phases[n - 1]) / n for n in (1, 2, 3, 4, 6, 8, 10)]
    return np.sum(waves, axis=0)


def music(count: int, rng: np.random.Generator) -> Floats:
    """Chords, a melody with vibrato and drums, at a tempo and in keys of chance."""
    sound = np.zeros(count)
    beat = int(RATE * 60 / rng.uniform(80, 140))
    root = 110.0
    for number, begin in enumerate(range(0, count, beat)):
        times = np.arange(min(beat, count - begin)) / RATE
        if number % 4 == 0:
            root = 110 * 2 ** (rng.choice([0, 3, 5, 7, 9]) / 12)
        part = np.zeros(len(times))
        for interval in (0, 4, 7, 12):
            for harmonic in range(1, 6):
                tone = 2 * np.pi * root * 2 ** (interval / 12) * harmonic * times
                part += 0.5 / harmonic * np.sin(tone + rng.uniform(0, 6)) * np.exp(-2 * times)
        tone = 2 * np.pi * root * 4 * 2 ** (rng.choice([0, 2, 4, 5, 7, 9]) / 12) * times
        swelling = np.minimum(times / 0.05, 1) * np.exp(-times)
        for harmonic in range(1, 8):
            vibrato = 0.3 * np.sin(2 * np.pi * 5.5 * times)
            part += 0.6 / harmonic * np.sin(tone * harmonic + vibrato) * swelling
        if number % 2:
            part += 1.5 * rng.standard_normal(len(times)) * np.exp(-25 * times)
        else:
            drum = 2 * np.pi * (50 + 80 * np.exp(-30 * times)) * times
            part += 3 * np.sin(drum) * np.exp(-18 * times)
        part += 0.5 * rng.standard_normal(len(times)) * np.exp(-80 * times)
        sound[begin : begin + len(part)] += part
    return sound


def babble(count: int, rng: np.random.Generator) -> Floats:
    """Eight voices at once."""
    sound = np.zeros(count)
    for _ in range(8):
        at = -int(rng.integers(0, RATE))
        while at < count:
            said = utterance(int(rng.integers(0, 16))).samples
            begin, end = max(at, 0), min(at + len(said), count)
            if end > begin:
                sound[begin:end] += said[begin - at : end - at]
            at += len(said) + int(rng.integers(0, RATE // 2))
    return sound


BACKGROUNDS: dict[str, Callable[[int, np.random.Generator], Floats]] = {
    "white": coloured(0),
    "pink": coloured(1),
    "brown": coloured(2),
    "hum": hum,
    "music": music,
    "babble": babble,
}


def background(kind: str, count: int, seed: int) -> Floats:
    """So many samples of a kind, of RMS 1."""
    sound = BACKGROUNDS[kind](count, np.random.default_rng(seed))
    return sound / np.sqrt(np.mean(sound**2))


def pcm(signal: Floats, dbfs: float) -> NDArray[np.int16]:
    """int16, shape (n, 1): RMS 1 becomes this level."""
    samples = np.rint(32768 * 10 ** (dbfs / 20) * signal)
    return np.clip(samples, -32768, 32767).astype(np.int16)[:, None]
