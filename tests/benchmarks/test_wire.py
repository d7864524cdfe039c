import base64
import importlib.util
import json

import pytest

from benchmarks import wire


def test_ours_and_the_floor_do_the_same() -> None:
    (ours, our_work), (floor, floor_work) = wire.ours(2, 1), wire.floor(2, 1)
    assert our_work == floor_work
    assert our_work["received messages"] == 2 * len(wire.server_turn())
    assert our_work["sent messages"] == 50
    assert all([*ours.values(), *floor.values()])


def test_both_spellings_of_what_was_sent_are_read() -> None:
    sound = bytes(range(240, 256)) * 20
    camel = {"realtimeInput": {"audio": {"data": base64.b64encode(sound).decode()}}}
    snake = {"realtime_input": {"audio": {"data": base64.urlsafe_b64encode(sound).decode()}}}
    assert wire.sent([json.dumps(camel)]) == wire.sent([json.dumps(snake).encode()])
    assert wire.sent([json.dumps(camel)])["sent sound"] == wire.digest([sound])


@pytest.mark.skipif(importlib.util.find_spec("pipecat") is None, reason="needs the extra [bench]")
@pytest.mark.slow
def test_the_sdk_does_the_same() -> None:
    sdk = pytest.importorskip("benchmarks.peers.sdk")
    assert sdk.wire(2, 1)[1] == wire.ours(2, 1)[1]
