import io

from batch_bench import job, outcome
from rich.console import Console

from processors.batch.display import Display
from processors.batch.outcome import Outcome


class Shown:
    """A display of so many files, at a time that stands still until it is set."""

    def __init__(self, total: int, *, terminal: bool = False) -> None:
        self.now = 0.0
        self.recorded: list[Outcome] = []
        self.screen = io.StringIO()
        console = Console(file=self.screen, force_terminal=terminal, width=100, highlight=False)
        self.display = Display(total, self.recorded.append, console, lambda: self.now)

    @property
    def text(self) -> str:
        return self.screen.getvalue()


def test_a_line_for_each_file_with_what_is_left() -> None:
    shown = Shown(4)
    with shown.display.shown():
        shown.now = 30
        shown.display.finished(job("a"), outcome("a", turns=1, seconds=3.2))
        shown.display.advanced(job("b"), 0.5)
        shown.now = 3600
        shown.display.finished(job("c"), outcome("c", "failed", error="no such file", attempts=3))
        shown.display.failed_once(job("b"), "busy", 1.5)
    assert shown.text.splitlines() == [
        "1/4 a.wav: 1 turn, 3.2 s; 1:30 left",
        "2/4 c.wav: failed after 3 attempts: no such file; 36:00 left",
        "b.wav: busy; again in 1.5 s",
    ]
    assert [each.name for each in shown.recorded] == ["a", "c"]


def test_the_summary_has_what_was_done_before() -> None:
    shown = Shown(2)
    bad = outcome("b", "failed", error="broken")
    shown.display.finished(job("a"), outcome("a", turns=2, tokens={"TEXT": 1500}))
    shown.display.finished(job("b"), bad)
    shown.now = 75
    old = outcome("old", turns=1, tokens={"TEXT": 1})
    shown.display.summarize([old, *shown.recorded])
    lines = [line.split() for line in shown.text.splitlines()[2:]]
    assert lines[:4] == [
        ["done", "2", "of", "3"],
        ["time", "1:15"],
        ["turns", "3"],
        ["tokens", "1,501"],
    ]
    assert shown.text.splitlines()[-1] == "failed: b.wav: broken"


def test_a_terminal_has_a_bar_and_failures_stay() -> None:
    shown = Shown(3, terminal=True)
    with shown.display.shown():
        shown.now = 10
        shown.display.finished(job("a"), outcome("a"))
        shown.display.advanced(job("b"), 0.25)
        shown.display.finished(job("c"), outcome("c", "failed", error="broken"))
    assert "3/3 a.wav" not in shown.text
    assert "2/3 c.wav: failed: broken" in shown.text
    assert "/3" in shown.text
    assert "b.wav" in shown.text
