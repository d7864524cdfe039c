"""The codes of findings about clients."""

from textwrap import dedent

import msgspec
import pytest

from processors.local_live_api.explanations import EXPLANATIONS
from processors.local_live_api.scenario import Scenario


@pytest.mark.parametrize("code", ["scenario", "replay"])
def test_each_has_a_cause_an_example_and_a_remedy(code: str) -> None:
    cause, example, remedy = EXPLANATIONS[code].partition("\n\nExample:\n\n")
    assert cause
    assert example
    assert "\n\nRemedy: " in remedy


def test_the_example_is_a_scenario() -> None:
    text = EXPLANATIONS["scenario"].partition("Example:\n\n")[2].partition("\n\n")[0]
    assert len(msgspec.yaml.decode(dedent(text), type=Scenario).turns) == 1
