"""Every code is explained, and the examples are such errors."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli.explain import all_explanations
from pipeline.config import check
from pipeline.explanations import EXPLANATIONS

ROOT = Path(__file__).parents[2]
POSITION = {"Finding": 0, "Problem": 1, "_error": 2, "_failed": 2}
"""Where calls that make findings have their code."""
NO_CONFIGURATIONS = {
    "unreadable", "nothing-to-check", "constructor", "annotations", "same-object", "env-file",
    "override",
}  # fmt: skip


def codes(package: str) -> Iterator[str]:
    """The codes that are written in the source of a package."""
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)
                place = POSITION.get(name, len(node.args))
                if place < len(node.args) and isinstance(
                    argument := node.args[place], ast.Constant
                ):
                    yield argument.value


def test_every_code_that_is_used_is_explained_and_no_other() -> None:
    used = set(codes("pipeline"))
    assert len(used) > 30
    assert set(EXPLANATIONS) == used
    added = {"scenario", "replay", "binding", "token", "inputs", "batch", "results", "ray"}
    assert set(codes("processors")) - used == added <= set(all_explanations())


@pytest.mark.parametrize("code", sorted(set(EXPLANATIONS) - NO_CONFIGURATIONS))
def test_the_example_is_just_such_an_error(code: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "configs/speech/question.wav", tmp_path)
    shutil.copy(ROOT / "configs/quickstart/weather.py", tmp_path)
    text = EXPLANATIONS[code].example.lstrip()
    assert {finding.code for finding in check(text, base=tmp_path, variables={})} == {code}


@pytest.mark.parametrize("code", sorted(EXPLANATIONS))
def test_each_has_a_cause_an_example_and_a_remedy(code: str) -> None:
    explanation = EXPLANATIONS[code]
    assert all(part.strip() for part in explanation)
    assert ("processors:" in explanation.example) is (code not in NO_CONFIGURATIONS)
    assert max(map(len, str(explanation).splitlines())) <= 100
