import base64
import json

import pytest

from benchmarks import live_server, live_sessions

pytest.importorskip("trustme", reason="needs the extra [bench]")


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("due", [0, 987_654_321_012_345, 2**62 - 1])
def test_a_message_says_when_it_was_due(encode, due: int) -> None:
    data = encode(live_server.sound(due)).decode()
    for text in (json.dumps({"data": data}), f'{{"data":"{data}"}}'):
        assert live_server.due_of(text.encode()) == due
    assert live_server.samples(due).tobytes() == live_server.sound(due)
    assert live_server.due_of(b'{"realtimeInput": {"audioStreamEnd": true}}') is None


@pytest.mark.slow
@pytest.mark.parametrize("subject", [live_sessions.ours, live_sessions.bare])
def test_every_message_and_every_answer_arrives(subject) -> None:
    figures, _ = subject(2, 0.4)
    assert figures["p50"] <= figures["p99"]
    assert figures["cpu a frame"] > 0
