"""How the simulation hears: real signals, no clock."""

from typing import Any

import numpy as np
import pytest

from processors.live_api.messages import (
    AutomaticActivityDetection,
    RealtimeInputConfig,
    Setup,
)
from processors.local_live_api.hearing import Ear
from processors.local_live_api.voice import synthesize

RATE = 16_000
SPEECH = synthesize("What will the weather be like in Lisbon?", rate=RATE)


def ear(**detection: Any) -> Ear:
    config = RealtimeInputConfig(
        automatic_activity_detection=AutomaticActivityDetection(**detection)
    )
    return Ear(Setup(model="", realtime_input_config=config if detection else None))


def silence(ms: int) -> np.ndarray:
    return np.zeros((RATE * ms // 1000, 1), np.int16)


def listen(listener: Ear, *sounds: np.ndarray, chunk_ms: int = 20) -> list[tuple[str, int]]:
    """Everything found, with the milliseconds of audio that it took."""
    samples = np.concatenate(sounds)
    size = RATE * chunk_ms // 1000
    before = listener.seconds
    return [
        (activity, round((listener.seconds - before) * 1000))
        for offset in range(0, len(samples), size)
        for activity in listener.hear(samples[offset : offset + size].tobytes())
    ]


def test_speech_begins_and_ends_with_silence() -> None:
    (start, began), (end, ended) = listen(ear(), silence(500), SPEECH, silence(2000))
    assert (start, end) == ("start", "end")
    assert 500 < began < 700
    spoken_until = 500 + len(SPEECH) * 1000 // RATE
    assert 700 < ended - spoken_until < 1000


def test_silence_is_nothing() -> None:
    assert listen(ear(), silence(5000)) == []


def test_noise_that_does_not_change_is_nothing() -> None:
    hiss = np.random.default_rng(1).normal(0, 60, (RATE * 5, 1)).astype(np.int16)
    assert listen(ear(), hiss) == []


def test_a_pause_shorter_than_the_silence_is_part_of_the_turn() -> None:
    found = listen(ear(silence_duration_ms=800), SPEECH, silence(400), SPEECH, silence(1500))
    assert [activity for activity, _ in found] == ["start", "end"]


def test_less_silence_makes_two_turns_of_it() -> None:
    found = listen(ear(silence_duration_ms=200), SPEECH, silence(600), SPEECH, silence(600))
    assert [activity for activity, _ in found] == ["start", "end", "start", "end"]


def test_speech_begins_after_its_prefix_and_ends_after_the_silence() -> None:
    tone = (8000 * np.sign(np.sin(np.arange(RATE // 2)[:, np.newaxis] / 10))).astype(np.int16)
    ends = []
    for prefix, quiet in ((60, 300), (200, 500)):
        listener = ear(prefix_padding_ms=prefix, silence_duration_ms=quiet)
        (_, began), (_, ended) = listen(listener, silence(500), tone, silence(1000))
        assert began == 500 + prefix
        ends.append(ended - quiet)
    assert ends[0] == ends[1]
    assert 1000 <= ends[0] < 1100


def test_a_click_is_no_speech() -> None:
    click = np.full((RATE * 20 // 1000, 1), 12_000, np.int16)
    assert listen(ear(prefix_padding_ms=200), silence(1000), click, silence(1500)) == []


@pytest.mark.parametrize("chunk_ms", [10, 30, 100, 5000])
def test_the_size_of_the_chunks_does_not_matter(chunk_ms: int) -> None:
    sounds = (silence(500), SPEECH, silence(1500))
    found = listen(ear(), *sounds, chunk_ms=chunk_ms)
    assert [activity for activity, _ in found] == ["start", "end"]
    for (_, at), (_, expected) in zip(found, listen(ear(), *sounds), strict=True):
        assert expected <= at + 20
        assert at <= expected + chunk_ms


def test_the_end_of_the_stream_ends_speech_at_once() -> None:
    listener = ear()
    assert [activity for activity, _ in listen(listener, SPEECH)] == ["start"]
    assert list(listener.stream_ended()) == ["end"]
    assert list(listener.stream_ended()) == []


def test_the_end_of_the_stream_without_speech_is_nothing() -> None:
    listener = ear()
    listen(listener, silence(500))
    assert list(listener.stream_ended()) == []


def test_the_next_stream_begins_afresh() -> None:
    listener = ear()
    listen(listener, SPEECH)
    list(listener.stream_ended())
    found = listen(listener, SPEECH, silence(1500))
    assert [activity for activity, _ in found] == ["start", "end"]


def test_it_counts_what_it_hears() -> None:
    listener = ear()
    listen(listener, silence(1230))
    assert listener.seconds == pytest.approx(1.23)
    assert list(listener.hear(b"")) == []
    assert list(listener.hear(b"\x00")) == []
    assert listener.seconds == pytest.approx(1.23)
