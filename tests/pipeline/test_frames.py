import gc

import numpy as np
import pytest

import pipeline
from pipeline import SECOND, AudioFrame, Frame, Speaker, Transcript


def audio(samples: int = 320, rate: int = 16_000, **fields: int) -> AudioFrame:
    return AudioFrame(np.zeros((samples, 1), np.int16), rate, **fields)


def test_audio_knows_its_length_and_end() -> None:
    frame = audio(pts=SECOND)
    assert (frame.duration, frame.end, frame.channels) == (20_000_000, SECOND + 20_000_000, 1)


def test_frames_are_immutable() -> None:
    with pytest.raises(AttributeError):
        audio().rate = 8000  # type: ignore[misc]


def test_a_changed_frame_keeps_its_times_and_turn() -> None:
    frame = audio(pts=5, turn=3)
    changed = frame.replace(rate=8000)
    assert (changed.rate, changed.pts, changed.turn, changed.born) == (8000, 5, 3, frame.born)


def test_frames_are_born_in_order_and_compared_by_identity() -> None:
    first, second = audio(), audio()
    assert first.born <= second.born
    assert first != second
    assert len({first, second}) == 2


def test_audio_costs_the_garbage_collector_nothing() -> None:
    assert not gc.is_tracked(audio())


def test_a_frame_type_of_ones_own() -> None:
    class Mood(Frame, frozen=True):
        score: float

    assert Mood(0.5, pts=7).pts == 7
    assert not Mood.media


def test_only_sound_and_pictures_are_media() -> None:
    kinds = [kind for kind in vars(pipeline).values() if isinstance(kind, type)]
    media = {kind for kind in kinds if issubclass(kind, Frame) and kind.media}
    assert media == {pipeline.AudioFrame, pipeline.ImageFrame, pipeline.VideoFrame}
    assert not Transcript("hello", Speaker.USER).media


@pytest.mark.parametrize(
    ("samples", "what"),
    [
        (np.zeros((3, 1)), r"float64 of shape \(3, 1\)"),
        (np.zeros(3, np.int16), r"int16 of shape \(3,\)"),
    ],
)
def test_samples_of_another_kind_are_refused(samples: np.ndarray, what: str) -> None:
    with pytest.raises(TypeError, match=what):
        AudioFrame(samples, 16_000)
    with pytest.raises(TypeError, match=what):
        audio().replace(samples=samples)
