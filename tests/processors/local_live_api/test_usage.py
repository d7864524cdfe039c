"""Token counts as each backend names them, and what does not fit the window."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.live_api.messages import ContextWindowCompressionConfig, Setup, encode
from processors.local_live_api.context import Tokens, Weighed
from processors.local_live_api.hearing import Ear
from processors.local_live_api.history import Heard, Said
from processors.local_live_api.memory import Memory
from processors.local_live_api.refusal import INVALID_ARGUMENT, RefusedError
from processors.local_live_api.switches import BackendName, Switches
from processors.local_live_api.usage import fit_context, usage

COUNTS = st.builds(Tokens, st.integers(0, 9999), st.integers(0, 9999), st.integers(0, 9999))


def test_vertex_counts_candidates() -> None:
    counts = usage(Tokens(text=11, audio=58), Tokens(text=26, audio=150), 0, "vertex")
    assert json.loads(encode(counts)) == {
        "promptTokenCount": 69,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 11},
            {"modality": "AUDIO", "tokenCount": 58},
        ],
        "candidatesTokenCount": 176,
        "candidatesTokensDetails": [
            {"modality": "TEXT", "tokenCount": 26},
            {"modality": "AUDIO", "tokenCount": 150},
        ],
        "totalTokenCount": 245,
        "trafficType": "ON_DEMAND",
    }


def test_the_gemini_api_counts_the_response() -> None:
    counts = usage(Tokens(image=258), Tokens(text=4), 6, "gemini-api")
    assert json.loads(encode(counts)) == {
        "promptTokenCount": 258,
        "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 258}],
        "responseTokenCount": 4,
        "responseTokensDetails": [{"modality": "TEXT", "tokenCount": 4}],
        "serviceTier": "standard",
        "thoughtsTokenCount": 6,
        "totalTokenCount": 268,
    }


@given(COUNTS, COUNTS, st.integers(0, 999), st.sampled_from(["vertex", "gemini-api"]))
def test_the_parts_make_the_whole(
    prompt: Tokens, response: Tokens, thoughts: int, backend: BackendName
) -> None:
    counts = usage(prompt, response, thoughts, backend)
    answered = counts.candidates_token_count + counts.response_token_count
    assert counts.total_token_count == counts.prompt_token_count + answered + thoughts
    assert sum(d.token_count for d in counts.prompt_tokens_details) == counts.prompt_token_count
    details = counts.candidates_tokens_details + counts.response_tokens_details
    assert sum(detail.token_count for detail in details) == answered
    assert all(detail.token_count for detail in details)


# --- the window ---


def memory(*weights: int, instruction: str = "") -> Memory:
    history = tuple(
        Weighed(entry, Tokens(weight // 2))
        for weight in weights
        for entry in (Heard("q"), Said("a"))
    )
    return Memory(Ear(None, Switches()), history, instruction=instruction)


def fit(memory: Memory, setup: Setup, **switches: object) -> int:
    """Entries that are left."""
    left = fit_context(memory, setup, Switches(context_tokens=100, **switches))  # type: ignore[arg-type]
    return len(left)


PLAIN = Setup(model="m")
COMPRESSED = Setup(model="m", context_window_compression=ContextWindowCompressionConfig())


def test_what_fits_stays() -> None:
    assert fit(memory(60, 40), PLAIN) == 4


def test_without_compression_what_does_not_fit_ends_the_session() -> None:
    for too_much in (memory(60, 42), memory(60, 40, instruction="Hi")):
        with pytest.raises(RefusedError) as raised:
            fit(too_much, PLAIN)
        assert raised.value.reason == INVALID_ARGUMENT


def test_or_the_oldest_turns_are_dropped() -> None:
    assert fit(memory(60, 42, 58), PLAIN, overflow="truncate") == 4
    assert fit(memory(300), PLAIN, overflow="truncate") == 2, "the last turn stays"


def test_with_compression_it_is_cut_in_time() -> None:
    assert fit(memory(40, 40), COMPRESSED) == 4
    assert fit(memory(40, 40, 2), COMPRESSED) == 2
    assert fit(memory(40, 20, 20, 2), COMPRESSED) == 4


def test_a_turn_that_does_not_fit_cannot_be_compressed() -> None:
    with pytest.raises(RefusedError):
        fit(memory(10, 102), COMPRESSED)
    assert fit(memory(10, 102), COMPRESSED, overflow="truncate") == 2
