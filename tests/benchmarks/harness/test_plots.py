import re
from pathlib import Path

import pytest

from benchmarks.harness.results import Chart, Curve, Results, Row, Section, Spread

pytest.importorskip("matplotlib", reason="needs the extra [bench]")

from benchmarks.harness.plots import draw


def test_every_section_with_figures_becomes_a_picture(tmp_path: Path) -> None:
    rows = [
        Row("ours & theirs", {"cpu": Spread.of([1.0, 2.0])}, ours=True),
        Row("peer", {"cpu": Spread.of([100.0, 120.0])}),
        Row("absent", skipped="not installed"),
    ]
    curve = Curve("in-line", [1, 2, 3], [2.0, 4.0, 6.0], 0.0, 2.0)
    sections = [
        Section("bars", "Bars", "", {"cpu": "µs"}, rows),
        Section("lines", "Lines", "", charts=[Chart("Growth", "length", "µs", [curve])]),
        Section("nothing", "Nothing", "", {"cpu": "µs"}, [Row("peer", skipped="not installed")]),
    ]
    files = draw(Results({}, {}, sections), tmp_path / "plots")
    assert [file.name for file in files] == ["bars.svg", "lines.svg"]
    shown = files[0].read_text()
    assert "ours &amp; theirs" in shown
    assert "absent" not in shown
    assert "Growth" in files[1].read_text()


def test_the_same_results_give_the_same_file(tmp_path: Path) -> None:
    row = Row("ours", {"cpu": Spread.of([1.0, 2.0])})
    results = Results({}, {}, [Section("bars", "Bars", "", {"cpu": "µs"}, [row])])
    first, second = (draw(results, tmp_path / name)[0].read_bytes() for name in "ab")
    assert first == second


def test_a_picture_is_as_wide_as_a_page_however_much_it_shows(tmp_path: Path) -> None:
    row = Row("ours", {str(n): Spread.of([1.0, 2.0]) for n in range(13)})
    title = "Whatever was measured, " * 5 + "by `one command`"
    one = Section("one", title, "", {"0": "µs"}, [row])
    many = Section("many", title, "", dict.fromkeys(row.figures, "µs"), [row])
    for file in draw(Results({}, {}, [one, many]), tmp_path):
        shown = file.read_text()
        width = re.search(r'<svg [^>]*width="([\d.]+)pt"', shown)
        assert width is not None
        assert float(width[1]) < 1_010
        titles = re.findall(r">([^<]*(?:Whatever|measured|command)[^<]*)<", shown)
        assert " ".join(titles) == title.replace("`", "")
        assert max(map(len, titles)) * 6 < float(width[1])
