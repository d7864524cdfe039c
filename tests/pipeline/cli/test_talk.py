import io

import pytest
from rich.console import Console

from pipeline import (
    SECOND,
    Code,
    CodeResult,
    Frame,
    Gap,
    Grounding,
    SessionEvent,
    Speaker,
    Thought,
    ToolCall,
    ToolResult,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
    WebPage,
)
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


def test_thoughts_stand_between_the_lines() -> None:
    assert show(Transcript("What", USER, final=False), Thought("First\nI look."), TurnEnded()) == [
        " user  What",
        "  thinks: First I look.",
    ]


def test_code_is_shown_with_what_came_of_it() -> None:
    assert show(
        Code("if a:\n    print(1)\n"),
        CodeResult("1\n"),
        CodeResult("no", failed=True),
        CodeResult("\n"),
    ) == [
        "  runs Python:",
        "    if a:",
        "        print(1)",
        "  prints: 1",
        "  failed: no",
        "  prints: nothing",
    ]


def test_searches_are_shown_with_their_pages() -> None:
    pages = (WebPage("https://example.com/a", "About A"), WebPage("https://example.com/b"))
    assert show(Grounding(("a", "b c"), pages), Grounding((), pages[1:])) == [
        "  searches: a; b c",
        "  source: About A https://example.com/a",
        "  source: https://example.com/b",
        "  source: https://example.com/b",
    ]


def test_what_becomes_of_the_session_is_shown() -> None:
    kinds = ("started", "go-away", "resumed", "restarted", "fresh", "stall", "context-low")
    assert show(*(SessionEvent(kind, "detail") for kind in kinds), SessionEvent("new")) == [
        "  session resumed",
        "  session restarted",
        "  session new",
    ]


def test_a_gap_is_shown_once() -> None:
    gap = Gap(1_500_000_000, pts=SECOND)
    assert show(gap, SessionEvent("gap", "1.500 s")) == ["  1.50 s of the user's sound are lost"]


def test_turns_and_tokens_are_counted() -> None:
    talk = Talk(Console(file=io.StringIO()))
    assert (talk.tally.turns, talk.tally.tokens) == (0, {})
    for node, frame in (
        ("a", Usage({"AUDIO": 5}, {"TEXT": 1}, 6, {"AUDIO": 5, "TEXT": 1})),
        ("a", Usage({"AUDIO": 7}, {"TEXT": 2}, 9, {"AUDIO": 12, "TEXT": 3})),
        ("b", Usage({"AUDIO": 1}, {}, 1, {"AUDIO": 1})),
        ("a", TurnStarted()),
    ):
        talk.taps[type(frame)](node, frame)
    assert talk.tally.turns == 1
    assert talk.tally.tokens == {"AUDIO": 13, "TEXT": 3}
