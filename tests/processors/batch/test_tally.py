from typing import Any

from batch_bench import job

from pipeline import SECOND, Gap, Report, Speaker, Transcript, TurnEnded, TurnStarted, Usage
from processors.batch.tally import Tally


def transcript(speaker: Speaker, text: str, at: float, **more: Any) -> Transcript:
    return Transcript(text, speaker, pts=round(at * SECOND), end=round((at + 1) * SECOND), **more)


def usage(**totals: int) -> Usage:
    return Usage(prompt=0, response=0, total=0, totals=totals)


def tallied(*frames: Any) -> Tally:
    tally = Tally()
    for frame in frames:
        tally.taps[type(frame)]("node", frame)
    return tally


def test_what_was_said_in_the_order_in_which_it_began() -> None:
    said = tallied(
        transcript(Speaker.MODEL, "Hi.", 2, final=True, interrupted=True),
        transcript(Speaker.USER, "Hel", 0, final=False),
        transcript(Speaker.USER, "Hello!", 0, final=True),
    )
    words = said.outcome(job(), "s", None).transcript
    assert [(w.speaker, w.text, w.start, w.end, w.interrupted) for w in words] == [
        ("user", "Hello!", 0, 1, False),
        ("model", "Hi.", 2, 3, True),
    ]


def test_counts() -> None:
    seen = tallied(
        TurnStarted(turn=1),
        TurnEnded(turn=1, interrupted=True),
        TurnStarted(turn=2),
        TurnEnded(turn=2, interrupted=False),
        usage(AUDIO=5),
        usage(AUDIO=9, TEXT=1),
        Gap(SECOND // 2),
    ).outcome(job(), "s", None)
    assert (seen.turns, seen.interruptions, seen.lost_s) == (2, 1, 0.5)
    assert seen.tokens == {"AUDIO": 9, "TEXT": 1}


def test_latencies_mean_something_in_real_time_only() -> None:
    report = Report(seconds=3.0)
    report.measurements["response"].append(700_000_000)
    report.drops["mic", "late"] += 2
    timed = Tally().outcome(job(is_timed=True), "s", report)
    assert timed.latencies == {"response": [700.0]}
    assert (timed.seconds, timed.dropped) == (3.0, {"mic: late": 2})
    assert Tally().outcome(job(), "s", report).latencies == {}
