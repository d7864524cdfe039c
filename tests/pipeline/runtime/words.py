"""Frames of text, there and back."""

from collections.abc import Iterable

from pipeline import Frame, TextFrame


def texts(*words: str) -> list[Frame]:
    return [TextFrame(word) for word in words]


def words(frames: Iterable[Frame]) -> list[str]:
    return [frame.text for frame in frames if isinstance(frame, TextFrame)]
