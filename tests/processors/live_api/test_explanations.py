"""Close codes, at length."""

import pytest

from processors.live_api.endings import ENDINGS
from processors.live_api.explanations import EXPLANATIONS, MEANINGS, REMEDIES


def test_every_code_that_has_an_ending_is_explained() -> None:
    assert set(EXPLANATIONS) == {str(ending.code) for ending in ENDINGS}
    assert set(MEANINGS) == {ending.code for ending in ENDINGS}
    assert set(REMEDIES) == {ending.remedy for ending in ENDINGS}


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_reason_is_in_its_explanation(ending: tuple[int, str, str, str]) -> None:
    code, words, _, explanation = ending
    quoted = f'"{words}"' if words else "any other reason"
    assert f"  {quoted}\n    {explanation}\n    live_api " in EXPLANATIONS[str(code)]


def test_one_in_full() -> None:
    assert EXPLANATIONS["1006"] == (
        "The connection broke off without a close frame: the network, a proxy, or a\n"
        "message over the size limit of one side.\n"
        "\n"
        "Example:\n"
        "\n"
        "    the connection was lost (no close frame)\n"
        "\n"
        "Remedy, by the words in the reason:\n"
        "\n"
        "  any other reason\n"
        "    the connection was lost\n"
        "    live_api connects again at once\n"
    )
