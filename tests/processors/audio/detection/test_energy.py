"""Tests of the detector that goes by loudness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.audio.detection.energy import EnergyDetector
from processors.audio.pcm import nanoseconds_of, silence
from processors.local_live_api.voice import synthesize

RATE = 16_000
WINDOWS_PER_SECOND = 50
VOICE = synthesize("Open the window and tell me a story", rate=RATE)


def noise(seconds: float, dbfs: float = -62, *, rate: int = RATE) -> np.ndarray:
    """White noise of this RMS level, shape (n, 1)."""
    rng = np.random.default_rng(round(-dbfs))
    samples = 32768 * 10 ** (dbfs / 20) * rng.standard_normal((round(seconds * rate), 1))
    return np.rint(samples).astype(np.int16)


def louder(samples: np.ndarray, db: float) -> np.ndarray:
    return np.rint(samples * 10 ** (db / 20)).astype(np.int16)


SCENE = np.concatenate([noise(1), VOICE + noise(len(VOICE) / RATE), noise(1)])
SCENE_DECISIONS = EnergyDetector(RATE).detect(SCENE)
VOICE_END = 1 + len(VOICE) / RATE


@settings(deadline=None)
@given(st.lists(st.integers(0, 4000)), st.integers(0, len(SCENE)))
def test_decisions_do_not_depend_on_the_chunks(cuts: list[int], first: int) -> None:
    detector = EnergyDetector(RATE)
    decisions = []
    for chunk in np.split(SCENE, np.minimum(np.cumsum([first, *cuts]), len(SCENE))):
        decisions += detector.detect(chunk)
    assert decisions == SCENE_DECISIONS
    assert detector.pending == nanoseconds_of(len(SCENE) % 320, RATE)


def test_speech_is_told_from_what_surrounds_it() -> None:
    times = np.flatnonzero(SCENE_DECISIONS) / WINDOWS_PER_SECOND
    assert 1 - 0.02 <= times[0] < 1 + 0.06
    assert VOICE_END - 0.1 < times[-1] < VOICE_END + 0.1
    during = SCENE_DECISIONS[WINDOWS_PER_SECOND : int(VOICE_END * WINDOWS_PER_SECOND)]
    assert np.mean(during) > 0.95


@pytest.mark.parametrize("dbfs", [-90, -70, -62, -58, -55, -50, -46])
def test_steady_noise_is_never_speech_not_even_at_the_beginning(dbfs: float) -> None:
    assert not any(EnergyDetector(RATE).detect(noise(6, dbfs)))


@pytest.mark.parametrize("rate", [8000, 24_000, 48_000])
def test_other_rates(rate: int) -> None:
    voice = synthesize("Open the window", rate=rate)
    decisions = EnergyDetector(rate).detect(np.concatenate([noise(1, rate=rate), voice]))
    assert not any(decisions[: WINDOWS_PER_SECOND - 1])
    assert np.mean(decisions[WINDOWS_PER_SECOND:]) > 0.9


def test_digital_silence_is_not_speech() -> None:
    assert not any(EnergyDetector(RATE).detect(silence(2 * RATE)))


def test_speech_stands_out_of_digital_silence() -> None:
    decisions = EnergyDetector(RATE).detect(np.concatenate([silence(RATE), VOICE]))
    assert not any(decisions[:WINDOWS_PER_SECOND])
    assert np.mean(decisions[WINDOWS_PER_SECOND:]) > 0.85  # it has pauses of its own


def test_a_device_that_begins_with_digital_silence_tells_nothing_about_the_room() -> None:
    noise = np.random.default_rng(1).normal(0, 60, (3 * RATE, 1)).astype(np.int16)  # -55 dBFS
    decisions = EnergyDetector(RATE).detect(np.concatenate([silence(RATE // 10), noise]))
    assert not any(decisions)


def test_a_signal_that_begins_with_speech_is_speech_at_once() -> None:
    decisions = EnergyDetector(RATE).detect(VOICE[int(np.argmax(np.abs(VOICE) > 5000)) :])
    assert all(decisions[1:10])
    assert np.mean(decisions) > 0.9


def test_what_is_too_quiet_is_not_speech_whatever_the_floor() -> None:
    whisper = louder(VOICE, -45)
    assert not any(EnergyDetector(RATE).detect(np.concatenate([silence(RATE), whisper])))


def test_the_threshold_is_the_distance_from_the_noise() -> None:
    murmur = noise(1, -50)
    murmur[RATE // 2 :] = louder(murmur[RATE // 2 :], 10)
    assert any(EnergyDetector(RATE, threshold_db=8).detect(murmur))
    assert not any(EnergyDetector(RATE, threshold_db=12).detect(murmur))


def test_noise_that_has_risen_is_taken_for_silence_after_a_while() -> None:
    decisions = EnergyDetector(RATE).detect(np.concatenate([noise(2, -60), noise(8, -45)]))
    assert all(decisions[2 * WINDOWS_PER_SECOND + 3 :][:20])
    assert not any(decisions[7 * WINDOWS_PER_SECOND :])


def test_speech_is_found_again_in_noise_that_has_risen() -> None:
    rising = [noise(2, -60), noise(6, -45), louder(VOICE, 6)]
    decisions = EnergyDetector(RATE).detect(np.concatenate(rising))
    assert np.mean(decisions[8 * WINDOWS_PER_SECOND :]) > 0.9


def test_channels_count_by_their_average_and_may_change_at_any_sample() -> None:
    detector = EnergyDetector(RATE)
    both = np.repeat(SCENE, 2, axis=1)
    opposed = np.concatenate([SCENE, -SCENE], axis=1)
    assert not any(EnergyDetector(RATE).detect(opposed))
    decisions = [*detector.detect(SCENE[:16_100]), *detector.detect(both[16_100:])]
    assert decisions == SCENE_DECISIONS


def test_scores_say_by_how_much_it_stands_out() -> None:
    murmur = noise(2, -50)
    murmur[RATE:] = louder(murmur[RATE:], 5)
    scores = EnergyDetector(RATE).scores(murmur)
    assert all(0 <= score <= 1 for score in scores)
    assert np.median(scores[:50]) < 0.35
    assert np.median(scores[60:]) == pytest.approx(0.5, abs=0.1)
    decisions = EnergyDetector(RATE).detect(SCENE)
    agreed = [
        d == (s > 0.5) for d, s in zip(decisions, EnergyDetector(RATE).scores(SCENE), strict=True)
    ]
    assert np.mean(agreed) > 0.97  # they differ where speech goes on above the lower threshold


@pytest.mark.parametrize("dbfs", [-50, -30, -12])
def test_while_it_settles_nothing_is_speech_nor_is_steady_noise_afterwards(dbfs: float) -> None:
    scores = EnergyDetector(RATE, settles=True).scores(noise(2, dbfs))
    assert max(scores[:10]) == 0
    assert max(scores) < 0.5


def test_speech_that_it_settles_in_is_speech_directly_afterwards() -> None:
    voice = VOICE[int(np.argmax(np.abs(VOICE) > 5000)) :]
    assert min(EnergyDetector(RATE, settles=True).scores(voice)[10:14]) > 0.5


def test_after_a_reset_it_still_knows_the_room() -> None:
    detector = EnergyDetector(RATE, settles=True)
    detector.scores(noise(2, -50)[:-100])
    assert detector.pending > 0
    detector.reset()
    assert detector.pending == 0
    scores = detector.scores(louder(noise(1, -50), 10))
    assert min(scores[2:10]) > 0.5
