"""Which hosts are this machine."""

import pytest

from processors.loopback import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.2", "::1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [None, "", "0.0.0.0", "::", "192.0.2.1", "127.0.0.1.example.org", "localhost.example.org", "x"],
)
def test_others_can_be_there(host: str | None) -> None:
    assert not is_loopback(host)
