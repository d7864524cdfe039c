from pathlib import Path

import pytest

from benchmarks import tables
from benchmarks.__main__ import NAMES
from benchmarks.harness.results import Goal, Results, Row, Section, Spread, read

PAGE = "# Page\n\n<!-- benchmark: chain -->\nold\n<!-- end -->\n\nkept\n"


def results() -> Results:
    row = Row("in-line", {"cpu": Spread.of([1.0, 2.0, 3.0])}, ours=True)
    peer = Row("peer", skipped="not installed")
    goals = [Goal("cpu: in-line / peer", at_most=0.5), Goal("cpu", Spread.of([2.0]), at_most=3)]
    section = Section("chain", "Chain", "What is measured.", {"cpu": "µs"}, [row, peer], goals)
    section.rounds, section.quick = 3, True
    return Results({"cores": "2"}, {"anyio": "4.9"}, [section])


def test_marked_parts_are_written_anew_and_the_rest_is_kept() -> None:
    page = tables.fill(PAGE, results())
    assert "old" not in page
    assert "kept" in page
    assert "What is measured. 3 rounds, in small sizes (`--quick`).\n" in page
    assert "| **in-line** | 2.00 (1.00 to 3.00) |" in page
    assert "| cpu: in-line / peer | - | at most 0.500 | not measured |" in page
    assert tables.fill(page, results()) == page


def test_machine_and_goals() -> None:
    marks = "<!-- benchmark: machine -->\n<!-- end -->\n<!-- benchmark: goals -->\n<!-- end -->\n"
    page = tables.fill(marks, results())
    assert "| anyio | 4.9 |" in page
    assert "| Chain | 1 | 0 | 1 |" in page


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError, match="chian"):
        tables.fill(PAGE.replace("chain", "chian"), results())


def test_every_benchmark_has_its_place_on_the_page() -> None:
    places = {name for _, name, _ in tables.MARKED.findall(tables.PAGE.read_text())}
    assert places == {*NAMES, "machine", "goals"}


def test_what_is_not_in_the_results_is_said_to_be_missing() -> None:
    assert "Not measured yet." in tables.fill(PAGE.replace("chain", "wire"), results())


def test_the_page_is_that_of_the_results_beside_it() -> None:
    page = tables.PAGE.read_text()
    assert tables.fill(page, read(tables.RESULTS.read_bytes())) == page


def test_its_pictures_are_there() -> None:
    folder = tables.PAGE.parent / "performance"
    names = {section.name for section in read(tables.RESULTS.read_bytes()).sections}
    assert {file.stem for file in Path(folder).glob("*.svg")} == names
