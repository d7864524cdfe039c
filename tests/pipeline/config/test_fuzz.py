"""Whatever is done to a configuration, it gives a graph or findings with their places."""

import random
import re
from pathlib import Path

import pytest

from pipeline.cli.findings import as_text
from pipeline.config import check
from pipeline.explanations import EXPLANATIONS

FEW, MANY = 300, 10_000
CONFIGS = Path(__file__).parents[3] / "configs"
FILES = sorted((*CONFIGS.glob("*.yaml"), *CONFIGS.glob("fragments/*.yaml")))
TEXTS = {path.name: path.read_text() for path in FILES}
VALUES = (
    "", "~", "0", "-1", "1e400", ".nan", "true", "[]", "{}", "[1, [2]]", "{a: {b: c}}", "&x [*x]",
    "*y", "!!binary x", "!!int x", "!!python/name:os.system", "2026-02-30", "1:99", "0x", "'", '"',
    '"\\x1b[31m\\0"', "|", ">-", "? a", "- a", "${", "${NO}", "${A:-1}", "$$", "a -> a", "<->",
    "./no.py:X", "os:path", ":", "..:", "../../..", "/dev/null", "\x00", "x" * 300, "名",
    "9" * 5000,
)  # fmt: skip
CHARACTERS = "{}[]:,&*!|>'\"%@`#-? \t\n\r\x85\u2028\x00\x1b$~<ab0名\ud800\ufeff"


def mutated(text: str, chance: random.Random) -> str:
    """A text after one to three things that can happen to it while it is edited."""
    for _ in range(chance.randint(1, 3)):
        lines = text.split("\n")
        here, there = (chance.randrange(len(lines)) for _ in range(2))
        match chance.randrange(12):
            case 0:
                del lines[here]
            case 1:
                lines.insert(there, lines[here])
            case 2:
                lines[here], lines[there] = lines[there], lines[here]
            case 3:
                lines[here] = " " * chance.randrange(6) + lines[here].lstrip()
            case 4:
                other = chance.choice(list(TEXTS.values())).split("\n")
                lines.insert(here, chance.choice(other))
            case 5 | 6 | 7:
                value = chance.choice(VALUES).replace("\\", "\\\\")
                lines[here] = re.sub(r"(?<=[:,[] )[^#,}\]]+", value, lines[here], count=1)
            case 8 | 9 | 10:
                words = re.findall(r"\w+", text)
                word, other = chance.choice(words), chance.choice(words)
                lines[here] = re.sub(rf"\b{word}\b", other, lines[here]).replace(
                    ": ", f": {word} ", 1
                )
            case _:
                at = chance.randrange(len(lines[here]) + 1)
                new = chance.choice(("", chance.choice(CHARACTERS)))
                lines[here] = lines[here][:at] + new + lines[here][at + chance.randrange(2) :]
        text = "\n".join(lines)
    return text


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "numbers" in metafunc.fixturenames:
        slow = metafunc.config.option.markexpr == "slow"
        parts = [range(first, first + 1000) for first in range(0, MANY, 1000)]
        many = [pytest.param(part, marks=pytest.mark.slow) for part in parts]
        metafunc.parametrize("numbers", many if slow else [range(FEW)])


def test_every_mutation_gives_a_graph_or_located_findings(numbers: range) -> None:
    refused = 0
    for number in numbers:
        chance = random.Random(number)
        name, text = chance.choice(list(TEXTS.items()))
        text = mutated(text, chance)
        try:
            findings = check(text, file=name, base=CONFIGS, variables={})
            as_text(findings)
        except Exception as error:
            error.add_note(f"mutation {number} of {name}:\n{text}")
            raise
        refused += bool(findings)
        for finding in findings:
            assert finding.code in {*EXPLANATIONS, "scenario"}
            assert finding.place is not None, (number, finding)
            assert finding.place.line >= 1
            assert finding.place.column >= 1
            assert "failed: " not in finding.message, (number, finding)
    assert refused > len(numbers) / 2, "they change too little to be a test"
