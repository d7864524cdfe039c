import pytest

from benchmarks.harness.results import Goal, Results, Row, Section, Spread, number, read, spread


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (12345.6, "12,346"),
        (123.4, "123"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.1234, "0.123"),
        (0.01234, "0.0123"),
        (0.0001234, "0.00012"),
    ],
)
def test_a_number_has_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_a_spread_is_the_median_and_the_range() -> None:
    assert spread(Spread.of([3.0, 1.0, 2.0])) == "2.00 (1.00 to 3.00)"
    assert spread(Spread.of([3.0])) == "3.00"


@pytest.mark.parametrize(
    ("value", "limits", "met"),
    [
        (1.0, {"at_most": 1.0}, True),
        (1.1, {"at_most": 1.0}, False),
        (0.9, {"at_least": 1.0}, False),
        (1.0, {"at_least": 1.0}, True),
        (None, {"at_least": 1.0}, None),
    ],
)
def test_a_goal_is_met_by_the_median(
    value: float | None, limits: dict[str, float], met: bool | None
) -> None:
    figure = None if value is None else Spread.of([value, value, 100.0])
    assert Goal("it", figure, **limits).met is met


def test_results_come_back_from_their_json() -> None:
    row = Row("a", {"cpu": Spread.of([1.0, 2.0])})
    section = Section("chain", "Chain", "Notes.", {"cpu": "µs"}, [row], work={"frames": 3})
    results = Results({"cores": "2"}, {"anyio": "4"}, [section])
    assert read(results.encode()) == results
