import pytest

from benchmarks import slow_sink


@pytest.mark.parametrize("policy", slow_sink.POLICIES)
def test_counts_add_up(policy: str) -> None:
    figures = slow_sink.graph(0.1, policy)
    assert figures["sent"] == figures["taken"] + figures["dropped"]
    assert figures["taken"] > 10
    assert (figures["dropped"] == 0) is (policy == "block")


def test_growth_is_per_second() -> None:
    assert slow_sink.Growth(warm=20.0, end=34.0, seconds=7.0).per_second == 2.0
