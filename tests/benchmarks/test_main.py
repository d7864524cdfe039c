import importlib
import inspect
import json
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.harness.child import Outcome
from benchmarks.harness.report import table
from benchmarks.harness.results import Row as TableRow
from benchmarks.harness.results import Section, Spread, read
from benchmarks.harness.rounds import Rounds, Subject, SubjectError


@pytest.fixture(autouse=True)
def _no_pinning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.harness.machine.pin", lambda to: None)


@pytest.mark.parametrize("name", command.NAMES)
def test_every_benchmark_says_what_it_measures_and_what_not(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    words = " ".join(module.__doc__.split())
    assert "Measured" in words
    assert "Not measured" in words
    assert callable(module.measure)


def test_one_table_and_one_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(rounds: Rounds, section: Section) -> None:
        section.units = {"cpu": "µs"}
        section.rows.append(TableRow("ours", {"cpu": Spread.of([1.5] * rounds.rounds)}))

    monkeypatch.setattr("benchmarks.chain.measure", measure)
    file = tmp_path / "results.json"
    assert command.main(["chain", "--rounds", "3", "--json", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "cpu (µs)" in shown
    assert "1.50" in shown
    (section,) = json.loads(file.read_bytes())["sections"]
    assert section["rows"][0]["figures"]["cpu"]["rounds"] == [1.5, 1.5, 1.5]
    assert json.loads(file.read_bytes())["versions"]["anyio"]


def test_some_are_written_beside_what_there_is_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("chain", "wire"):
        monkeypatch.setattr(f"benchmarks.{name}.measure", lambda rounds, section: None)
    file = str(tmp_path / "results.json")

    def measured(*arguments: str) -> list[tuple[str, int]]:
        command.main([*arguments, "--json", file])
        return [(s.name, s.rounds) for s in read(Path(file).read_bytes()).sections]

    assert measured("wire", "--rounds", "1") == [("wire", 1)]
    assert measured("chain", "--rounds", "2") == [("chain", 2), ("wire", 1)]
    assert measured("wire", "--rounds", "3") == [("chain", 2), ("wire", 3)]


def test_what_cannot_be_measured_ends_in_an_error_and_the_rest_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(rounds: Rounds, section: Section) -> None:
        raise SubjectError("ours did 3 frames, not 4")

    monkeypatch.setattr("benchmarks.chain.measure", fail)
    monkeypatch.setattr("benchmarks.latency.measure", lambda rounds, section: None)
    assert command.main(["chain", "latency"]) == 1
    out, err = capsys.readouterr()
    assert "chain: ours did 3 frames, not 4" in err
    assert "Latency of ten" in out


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["chian"])
    assert "no benchmark chian: there are chain" in capsys.readouterr().err


class Pretended(Rounds):
    """Every subject gives the same figures at once: these, and those that are added."""

    columns = ("wall", "cpu", "hop", "p50", "p99", "shed", "cpu a frame", "core", "load", "check")

    def once(self, subject: Subject) -> Outcome:
        assert subject.call.partition(":")[2].isidentifier()
        return Outcome(dict.fromkeys(self.columns, 2.0))


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", command.NAMES)
def test_every_benchmark_fills_its_columns_and_judges_its_goals(
    name: str, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.harness.rounds.importlib.util.find_spec", lambda _: True)
    rounds = Pretended(rounds=2, quick=quick)
    monkeypatch.setattr(
        Pretended, "columns", {*rounds.columns, *command.measure(name, rounds).units}
    )
    section = command.measure(name, rounds)
    columns = {column for row in section.rows for column in row.figures}
    assert set(section.units) <= columns
    assert section.rows or section.charts
    assert all(goal.value is not None for goal in section.goals)
    assert table(section)


def test_every_subject_is_a_function_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours at least: the peers' modules need the peers."""
    calls = set()

    class Noted(Pretended):
        def once(self, subject: Subject) -> Outcome:
            calls.add((subject.call, tuple(subject.settings)))
            return super().once(subject)

    for name in command.NAMES:
        command.measure(name, Noted(rounds=1))
    ours = {(call, names) for call, names in calls if ".peers." not in call}
    for call, names in ours:
        module, _, function = call.partition(":")
        inspect.signature(getattr(importlib.import_module(module), function)).bind(
            **dict.fromkeys(names)
        )
    assert len(ours) > 20
