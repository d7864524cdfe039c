import pytest

from benchmarks.harness.child import Outcome
from benchmarks.harness.curves import fit, grow
from benchmarks.harness.results import Chart, Section
from benchmarks.harness.rounds import Rounds, Subject


@pytest.mark.parametrize("sizes", [[1, 2, 3], [0, 10, 20, 30], [10, 200, 400, 600, 800, 1000]])
def test_a_straight_line_is_one(sizes: list[float]) -> None:
    curve = fit("line", sizes, [3 + 0.5 * size for size in sizes])
    assert curve.intercept == pytest.approx(3)
    assert curve.slope == pytest.approx(0.5)
    assert curve.r2 == pytest.approx(1)
    assert curve.bend == pytest.approx(1)


def test_a_parabola_is_none() -> None:
    sizes = [0.0, 10, 20, 30, 40]
    assert fit("parabola", sizes, [size**2 for size in sizes]).bend == pytest.approx(3)


def test_curves_grow_side_by_side_and_have_to_be_straight() -> None:
    class Pretended(Rounds):
        def once(self, subject: Subject) -> Outcome:
            size = subject.settings["n"]
            return Outcome({"cpu": size**2 if subject.call == "square" else size})

    section, chart = Section("scaling", "", ""), Chart("Growth", "n", "µs", [])
    curves = {
        name: lambda n, name=name: Subject(name, {"n": n}, needs="no_such" if name == "no" else "")
        for name in ("square", "line", "no")
    }
    grow(Pretended(rounds=2), chart, section, curves, [0, 1, 2, 3, 4], "cpu", straight=list(curves))
    assert [curve.name for curve in chart.curves] == ["square", "line"]
    assert [goal.met for goal in section.goals] == [False, True]
    assert section.charts == [chart]
