import io

import pytest
from rich.console import Console

from pipeline import Frame, Speaker, ToolCall, ToolResult, Transcript, TurnEnded
from pipeline.cli.talk import Talk

USER, MODEL = Speaker.USER, Speaker.MODEL


def show(*frames: Frame) -> list[str]:
    output = io.StringIO()
    talk = Talk(Console(file=output, width=80))
    for frame in frames:
        talk.taps[type(frame)]("gemini", frame)
    talk.end_line()
    return output.getvalue().splitlines()


def test_words_come_one_by_one_on_a_line() -> None:
    assert show(
        Transcript("What", USER, final=False),
        Transcript("What time", USER, final=False),
        Transcript("What time", USER),
        Transcript("It is", MODEL, final=False, pts=5),
        Transcript("It is noon", MODEL, pts=5),
    ) == [" user  What time", "model  It is noon"]


def test_words_that_come_late_go_on_in_a_line_of_their_own() -> None:
    assert show(
        Transcript("What", USER, final=False),
        Transcript("It is", MODEL, final=False, pts=5),
        Transcript("What time", USER, final=False),
        Transcript("It is noon", MODEL, pts=5),
    ) == [" user  What", "model  It is", " user  time", "model  noon"]


def test_every_final_utterance_ends_its_line() -> None:
    assert show(Transcript("Thanks", USER), Transcript("Bye", USER)) == [
        " user  Thanks",
        " user  Bye",
    ]


def test_calls_and_interruptions_stand_between_the_lines() -> None:
    assert show(
        Transcript("What", USER, final=False),
        ToolCall("1", "clock", {"city": "Lisbon"}),
        ToolResult("1", "clock", {"output": "noon"}),
        ToolResult("2", "clock", {"error": "no clock"}),
        TurnEnded(interrupted=True),
        TurnEnded(),
    ) == [
        " user  What",
        "  calls clock(city='Lisbon')",
        "  clock -> noon",
        "  clock -> {'error': 'no clock'}",
        "  interrupted",
    ]


@pytest.mark.parametrize("text", ["[bold]not markup[/bold]", "x" * 300])
def test_words_are_shown_as_they_are(text: str) -> None:
    assert show(Transcript(text, USER)) == [f" user  {text}"]


def test_long_results_are_shortened() -> None:
    [line] = show(ToolResult("1", "f", {"output": "x" * 1000}))
    assert len(line) < 200
    assert line.endswith("...")
