"""What a conversation consists of so far: immutable, so that a snapshot of it costs nothing."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct


class Heard(Struct, frozen=True):
    """What the user put in before the model answered.

    text: the words, as far as they are known: None for speech that nobody has transcribed.
    seconds: of speech. images: how many pictures came with it.
    """

    text: str | None
    how: Literal["typed", "spoken"] = "typed"
    seconds: float = 0.0
    images: int = 0


class Said(Struct, frozen=True):
    """What the model said, as far as the client got it."""

    text: str
    interrupted: bool = False


class Called(Struct, frozen=True):
    """The model called a function."""

    id: str
    name: str
    args: dict[str, Any]


class Answered(Struct, frozen=True):
    """The client answered a call."""

    id: str
    name: str
    response: dict[str, Any]

    @property
    def output(self) -> Any:
        """What the function returned, by convention, or the whole answer."""
        return self.response.get("output", self.response.get("error", self.response))


Entry = Heard | Said | Called | Answered
