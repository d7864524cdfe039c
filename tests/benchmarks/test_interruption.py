import pytest

from benchmarks import interruption


@pytest.mark.parametrize("case", [*interruption.CASES.values(), {"frames": 9, "waiting": 20}])
def test_no_stale_sound_comes_after_an_interruption(case: dict) -> None:
    case = case | ({"late": 0.02} if "late" in case else {})
    figures = interruption.graph(times=3, **case)
    assert figures["stale"] == 0
    assert 0 < figures["p50"] <= figures["p99"]


def test_stale_sound_would_be_counted() -> None:
    assert interruption.figures([1.0, 1.0], stale_frames=4, times=2)["stale"] == 40
