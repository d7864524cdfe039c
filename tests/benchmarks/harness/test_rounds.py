import pytest

from benchmarks.harness.child import call
from benchmarks.harness.report import table
from benchmarks.harness.results import Row, Section, Spread
from benchmarks.harness.rounds import Rounds, Subject, SubjectError, bound, compare

HERE = "tests.benchmarks.harness.toys"


@pytest.fixture
def section() -> Section:
    return Section("toy", "Toy", "Notes.", {"cost": "s"})


def test_every_subject_runs_once_a_round_in_a_process_of_its_own(section: Section) -> None:
    toy = Subject(f"{HERE}:pid")
    Rounds(rounds=2).alternate({"one": toy, "two": toy}, section)
    figures = [row.figures["cost"].rounds for row in section.rows]
    assert [len(rounds) for rounds in figures] == [2, 2]
    assert len({pid for rounds in figures for pid in rounds}) == 4


def test_ratios_are_taken_round_by_round(section: Section) -> None:
    section.rows = [
        Row("ours", {"cost": Spread.of([1.0, 4.0, 2.0])}),
        Row("theirs", {"cost": Spread.of([2.0, 16.0, 2.0])}),
    ]
    compare(section, "cost", "ours", "theirs", at_most=0.4)
    (goal,) = section.goals
    assert goal.value is not None
    assert goal.value.rounds == [0.5, 0.25, 1.0]
    assert goal.value.median == 0.5
    assert goal.met is False


def test_what_needs_a_missing_library_is_skipped_and_says_so(section: Section) -> None:
    absent = Subject(f"{HERE}:pid", needs="no_such_library", ours=False)
    Rounds(rounds=1).alternate({"ours": Subject(f"{HERE}:pid"), "theirs": absent}, section)
    compare(section, "cost", "ours", "theirs", at_most=1)
    bound(section, "cost", "ours", at_least=1)
    assert "no_such_library is not installed" in section.row("theirs").skipped
    assert [goal.met for goal in section.goals] == [None, True]
    shown = table(section)
    assert "skipped: theirs: no_such_library" in shown
    assert "not measured" in shown


def test_work_that_differs_is_no_comparison(section: Section) -> None:
    subjects = {str(n): Subject(f"{HERE}:work", {"frames": n}) for n in (3, 4)}
    with pytest.raises(SubjectError, match="4 did 4 frames, not 3"):
        Rounds(rounds=1).alternate(subjects, section)


def test_a_subject_that_fails_says_why() -> None:
    with pytest.raises(SubjectError, match="only 3 arrived"):
        Rounds(rounds=1).once(Subject(f"{HERE}:fails"))


def test_a_subject_that_hangs_is_ended() -> None:
    with pytest.raises(SubjectError, match=r"not done after 0\.3 s"):
        Rounds(rounds=1, timeout=0.3).once(Subject(f"{HERE}:hangs"))


def test_a_round_that_others_disturbed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([0.5, 0.2, 0.3, 0.0])
    rounds = Rounds(rounds=1, patience=2)

    def run(_: Subject):
        outcome = call(f"{HERE}:work", {"frames": 1})
        outcome.kept_waiting = next(shares)
        return outcome

    monkeypatch.setattr(rounds, "_run", run)
    assert rounds.once(Subject("")).kept_waiting == 0.2


def test_what_a_library_prints_is_not_taken_for_the_outcome() -> None:
    outcome = Rounds(rounds=1).once(Subject(f"{HERE}:chatty"))
    assert outcome.figures == {"cost": 1.0}
