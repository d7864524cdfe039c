from pipeline import Report
from pipeline.runtime.report import EdgeCount


def test_frames_of_an_edge() -> None:
    report = Report(edges=[EdgeCount("a", "b", 3), EdgeCount("b", "a", 4)])
    assert report.frames("a", "b") == 3
    assert report.frames("a", "c") == 0
