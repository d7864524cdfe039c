"""What a conversation weighs in tokens, and how it is cut to fit the context window.

Rates are those of the service's documentation: audio 25 tokens a second, pictures 258 each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from processors.live_api.messages import ContextWindowCompressionConfig
from processors.local_live_api.history import Answered, Called, Entry, Heard, Said

AUDIO_PER_SECOND = 25
PER_IMAGE = 258
CHARACTERS_PER_TOKEN = 4
TRIGGER_SHARE = 0.8
"""Of the window; the target is half of the trigger unless given."""


class Tokens(Struct, frozen=True):
    """Tokens by modality."""

    text: int = 0
    audio: int = 0
    image: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.text + other.text, self.audio + other.audio, self.image + other.image)

    @property
    def total(self) -> int:
        return self.text + self.audio + self.image


def text_tokens(text: str) -> int:
    """About four characters make a token."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def audio_tokens(seconds: float) -> int:
    """25 for each second, rounded up."""
    return math.ceil(round(seconds * AUDIO_PER_SECOND, 6))  # 0.28 s are 7, not 7.000000000000001


class Weighed(Struct, frozen=True):
    """An entry of the history and what it weighs."""

    entry: Entry
    tokens: Tokens


def total(history: Sequence[Weighed]) -> Tokens:
    """What the history weighs altogether."""
    return sum((item.tokens for item in history), Tokens())


def compress(
    history: tuple[Weighed, ...],
    fixed: int,
    config: ContextWindowCompressionConfig,
    window: int,
) -> tuple[Weighed, ...]:
    """The history without its oldest turns, if it has grown over the trigger.

    fixed: tokens of the system instruction, which stays. The cut is at the start of a user's turn.
    """
    trigger = config.trigger_tokens
    if trigger is None:
        trigger = int(window * TRIGGER_SHARE)
    target = config.sliding_window.target_tokens if config.sliding_window else None
    if target is None:
        target = trigger // 2
    if total(history).total + fixed <= trigger:
        return history
    return _newest(history, target - fixed)


def truncate(history: tuple[Weighed, ...], fixed: int, window: int) -> tuple[Weighed, ...]:
    """The newest turns that fit the window."""
    if total(history).total + fixed <= window:
        return history
    return _newest(history, window - fixed)


def _newest(history: tuple[Weighed, ...], room: int) -> tuple[Weighed, ...]:
    """As many whole turns as there is room for, but at least the last one."""
    weight, cut = 0, None
    for index in reversed(range(len(history))):
        weight += history[index].tokens.total
        if cut is not None and weight > room:
            break
        if _begins_turn(history, index):
            cut = index
    return history if cut is None else history[cut:]


def _begins_turn(history: Sequence[Weighed], index: int) -> bool:
    return isinstance(history[index].entry, Heard) and (
        index == 0 or not isinstance(history[index - 1].entry, Heard)
    )


def weigh(entry: Entry, *, spoken_s: float = 0.0) -> Weighed:
    """What an entry weighs; `spoken_s` is audio, heard or said, which weighs instead of words."""
    images = entry.images if isinstance(entry, Heard) else 0
    audio = audio_tokens(spoken_s)
    words = 0 if audio else text_tokens(_words(entry))
    return Weighed(entry, Tokens(words, audio, images * PER_IMAGE))


def _words(entry: Entry) -> str:
    match entry:
        case Heard(text):
            return text or ""
        case Said(text):
            return text
        case Called(_, name, args):
            return f"{name}{args}"
        case Answered(_, name, response):
            return f"{name}{response}"
