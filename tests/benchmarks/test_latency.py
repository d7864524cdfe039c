from benchmarks import latency


def test_it_is_taken_of_every_frame() -> None:
    figures, work = latency.graph([(20, 0.001), (10, 0.002)], channels=True)
    assert work == {"frames": 30}
    assert list(figures) == ["1 ms, p50", "1 ms, p99", "2 ms, p50", "2 ms, p99"]
    assert all(figures.values())


def test_figures_are_in_microseconds() -> None:
    figures = latency.figures([5_000] * 99 + [900_000], 0.02)
    assert figures["20 ms, p50"] == 5
    assert 800 < figures["20 ms, p99"] < 900
