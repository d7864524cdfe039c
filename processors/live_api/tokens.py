"""Tokens: what the service has counted, and how full the context window is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipeline import SessionEvent, Usage
from processors.live_api.messages import ModalityTokenCount, UsageMetadata

AUDIO_TOKENS, IMAGE_TOKENS = 25, 258
"""A second of sound, and a picture, as documented."""
CONTEXT_LOW = 0.8
"""Of the context window: time for a warning."""


@dataclass
class TokenCount:
    """The tokens of one conversation.

    window: tokens of the context window, if the session ends when it is full.
    """

    window: int | None = None
    totals: Counter[str] = field(default_factory=Counter)
    """Everything so far by modality: each turn is charged for its whole context."""
    _context: int = 0
    """At the last count."""
    _seconds: float = 0.0
    _images: int = 0
    """Sound and pictures sent since then."""
    _warned: bool = False

    def used(self, usage: UsageMetadata, *, turn: int, now: int) -> Usage:
        """Take in the service's count of a turn."""
        prompt = by_modality(usage.prompt_tokens_details, usage.prompt_token_count)
        answered = usage.response_token_count or usage.candidates_token_count
        details = usage.response_tokens_details or usage.candidates_tokens_details
        response = by_modality(details, answered)
        self.totals.update(prompt)
        self.totals.update(response)
        self._context = sum(prompt.values()) + sum(response.values())
        self._seconds, self._images = 0.0, 0
        total = usage.total_token_count
        return Usage(prompt, response, total, dict(self.totals), pts=now, turn=turn)

    def sent(self, *, seconds: float = 0.0, images: int = 0) -> None:
        """Sound or pictures went out, which the service has not counted yet."""
        self._seconds += seconds
        self._images += images

    def begin_anew(self) -> None:
        """The next session has an empty context."""
        self._context, self._seconds, self._images, self._warned = 0, 0.0, 0, False

    def warning(self, now: int) -> SessionEvent | None:
        """Once, when the window is nearly full: by the last count, and by what was sent since."""
        if self.window is None or self._warned:
            return None
        used = self._context + int(self._seconds * AUDIO_TOKENS) + self._images * IMAGE_TOKENS
        if used <= self.window * CONTEXT_LOW:
            return None
        self._warned = True
        return SessionEvent("context-low", f"{used} of {self.window} tokens", pts=now)


def by_modality(counts: list[ModalityTokenCount], total: int) -> dict[str, int]:
    """Tokens by modality; what the details leave out is `OTHER`."""
    tokens: Counter[str] = Counter()
    for count in counts:
        tokens[count.modality] += count.token_count
    tokens["OTHER"] += max(0, total - tokens.total())
    return {modality: count for modality, count in tokens.items() if count}
