"""All that is wrong with a value, in detail."""

from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from pipeline.config.problems import MOST, all_problems


class Band(Struct, forbid_unknown_fields=True):
    low: Annotated[int, Meta(ge=0)]
    high: int = 1
    kind: Literal["pass", "stop"] = "pass"


class Filter(Struct, forbid_unknown_fields=True):
    bands: list[Band] = []
    names: dict[str, Band] = {}
    band: Band | None = None


def problems(kind: Any, value: Any) -> list[tuple[str, str, str]]:
    return [
        (".".join(map(str, problem.path)), problem.message, problem.hint)
        for problem in all_problems(kind, value, "s")
    ]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Filter, {"bands": [{"low": 1}], "band": None}, []),
        (
            Filter,
            {"band": {"low": -1, "hihg": 2, "kind": "pas"}, "bnds": []},
            [
                ("s.band.low", "s.band.low: expected a whole number >= 0, got -1", ""),
                ("s.band.hihg", 's.band: no setting "hihg"', 'did you mean "high"?'),
                ("s.band.kind", "s.band.kind: 'pas' is none of its values", 'did you mean "pass"?'),
                ("s.bnds", 's: no setting "bnds"', 'did you mean "bands"?'),
            ],
        ),
        (Band, {"high": 2}, [("s", "s: object missing required field low", "")]),
        (
            Filter,
            {"bands": [{"low": 1}, {"low": "x"}, {"low": "y"}]},
            [("s.bands.1.low", "s.bands[1].low: expected a whole number, got 'x'", "")],
        ),
        (
            dict[str, float] | None,
            {"a": 1, "b": "x", "c": "y"},
            [
                ("s.b", "s.b: expected a number, got 'x'", ""),
                ("s.c", "s.c: expected a number, got 'y'", ""),
            ],
        ),
        (
            dict[str, Band],
            {"a": {"low": 1}, "b": {"low": 1, "hi": 2}},
            [("s.b.hi", 's.b: no setting "hi"', 'did you mean "high"?')],
        ),
        (Annotated[dict[str, int], Meta(min_length=1)], {}, [("s", "s: ", "")]),
        (int, "x", [("s", "s: expected a whole number, got 'x'", "")]),
        (Band, [1], [("s", "s: expected names with values, got a list", "")]),
    ],
)
def test_each_is_found_at_its_key(
    kind: Any, value: Any, expected: list[tuple[str, str, str]]
) -> None:
    found = problems(kind, value)
    assert [(path, hint) for path, _, hint in found] == [(path, hint) for path, _, hint in expected]
    for (_, message, _), (_, start, _) in zip(found, expected, strict=True):
        assert message.startswith(start)


def test_the_value_stays_as_it_was() -> None:
    value = {"band": {"low": -1, "x": 2}}
    assert len(problems(Filter, value)) == 2
    assert value == {"band": {"low": -1, "x": 2}}


def test_there_is_an_end_to_it() -> None:
    assert len(problems(Filter, {f"x{n}": 1 for n in range(100)})) == MOST
