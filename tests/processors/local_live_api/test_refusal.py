"""Reasons fit into a close frame."""

from hypothesis import given
from hypothesis import strategies as st

from processors.local_live_api.refusal import INVALID, LONGEST_REASON, POLICY, RefusedError


def test_a_refusal_is_a_code_and_a_reason() -> None:
    error = RefusedError("no")
    assert (error.code, error.reason, str(error)) == (INVALID, "no", "no")
    assert RefusedError("no", POLICY).code == POLICY


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_reason_is_cut_at_a_whole_character(reason: str) -> None:
    cut = RefusedError(reason).reason
    size = len(cut.encode())
    assert reason.startswith(cut)
    assert size <= LONGEST_REASON
    assert cut == reason or size > LONGEST_REASON - 4
