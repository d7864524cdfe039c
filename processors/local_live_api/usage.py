"""Token counts as each backend names them, and the context window that they fill."""

from __future__ import annotations

from processors.live_api.messages import ModalityTokenCount, Setup, UsageMetadata
from processors.local_live_api.context import (
    Tokens,
    Weighed,
    compress,
    text_tokens,
    total,
    truncate,
)
from processors.local_live_api.memory import Memory
from processors.local_live_api.refusal import INVALID_ARGUMENT, RefusedError
from processors.local_live_api.switches import BackendName, Switches


def usage(prompt: Tokens, response: Tokens, thoughts: int, backend: BackendName) -> UsageMetadata:
    """What a turn cost: the whole context that it was asked with, and what it answered."""
    counts = UsageMetadata(
        prompt_token_count=prompt.total,
        prompt_tokens_details=details(prompt),
        thoughts_token_count=thoughts,
        total_token_count=prompt.total + response.total + thoughts,
    )
    if backend == "vertex":
        counts.candidates_token_count = response.total
        counts.candidates_tokens_details = details(response)
        counts.traffic_type = "ON_DEMAND"
    else:
        counts.response_token_count = response.total
        counts.response_tokens_details = details(response)
        counts.service_tier = "standard"
    return counts


def details(tokens: Tokens) -> list[ModalityTokenCount]:
    """As the service lists them; what is not there is left out."""
    counts = {"TEXT": tokens.text, "AUDIO": tokens.audio, "IMAGE": tokens.image}
    return [ModalityTokenCount(modality=m, token_count=n) for m, n in counts.items() if n]


def fit_context(memory: Memory, setup: Setup, switches: Switches) -> tuple[Weighed, ...]:
    """The history as it goes into the next turn: compressed if that was asked for.

    Raises RefusedError where it does not fit the window and is not to be cut.
    """
    fixed = text_tokens(memory.instruction)
    window = switches.context_tokens
    config = setup.context_window_compression
    history = memory.history
    if config is not None:
        history = compress(history, fixed, config, window)
    if total(history).total + fixed > window:
        if switches.overflow == "close":
            raise RefusedError(INVALID_ARGUMENT)
        history = truncate(history, fixed, window)
    return history
