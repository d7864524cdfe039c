import io

from rich.console import Console

from pipeline import Report
from pipeline.cli.summary import print_summary
from pipeline.runtime.report import EdgeCount


def show(report: Report, turns: int = 2, tokens: dict[str, int] | None = None) -> str:
    output = io.StringIO()
    print_summary(report, turns, Console(file=output, width=80), tokens)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def test_everything_that_happened() -> None:
    report = Report(edges=[EdgeCount("a", "b", 12)], files=["x.wav"], seconds=3.21)
    report.completed = True
    report.drops["b", "inbox full"] = 7
    report.holds["a"] = [1_020_000_000, 300_000_000]
    report.holds["b"] = [250_000_000]
    report.measurements["response"] = [512_000_000, 480_400_000]
    report.measurements["tool"] = [n * 1_000_000 for n in range(1, 101)]
    assert (
        show(report)
        == """
edge    frames
a -> b      12

time                    3.2 s
turns                   2
end of speech to sound  p50 480 ms, p95 512 ms, 2 times
tool                    p50 50 ms, p95 95 ms, 100 times
dropped                 7 frames at b: inbox full
held all up             a, 2 times, for up to 1.02 s
held all up             b, for 0.25 s
wrote                   x.wav"""
    )


def test_the_parts_of_a_measurement_follow_it_in_the_order_in_which_they_come() -> None:
    report = Report()
    report.measurements["response.service"] = [300_000_000]
    report.measurements["response.first_sound"] = [100_000_000, 120_000_000, 500_000_000]
    report.measurements["response"] = [450_000_000]
    report.measurements["other.part"] = [1_000_000]
    assert """
other: part             1 ms
end of speech to sound  450 ms
  service               300 ms
  first sound           p50 120 ms, p95 500 ms, 3 times
dropped""" in show(report)


def test_a_run_that_was_cut_short_says_so() -> None:
    assert "0.0 s, cut short" in show(Report(completed=False))
    assert "dropped  nothing" in show(Report())


def test_tokens_by_modality() -> None:
    shown = show(Report(), tokens={"TEXT": 69, "AUDIO": 12_345})
    assert "turns    2\ntokens   12,345 audio, 69 text\ndropped" in shown
    assert "tokens" not in show(Report(), tokens={})
