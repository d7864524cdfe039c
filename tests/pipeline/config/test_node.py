"""Entries of `processors`."""

from pathlib import Path

import pytest

from pipeline import InboxSettings, OnError, Supervision
from pipeline.config.node import Built, build
from processors.audio.resampler import Resampler

HERE = Path()


def test_an_entry_becomes_a_processor() -> None:
    built = build({"use": "resampler", "rate": 8000, "inbox": {"ms": 5}}, HERE, set())
    assert isinstance(built.processor, Resampler)
    assert built.processor.rate == 8000
    assert built.inbox == InboxSettings(ms=5)
    assert built.problems == []
    assert built.public == {"quality"}


def test_what_is_done_on_errors_has_a_short_form_and_a_long_one() -> None:
    long = {"do": "restart", "times": 3, "then": "detach"}
    for said, policy in (("skip", OnError("skip")), (long, OnError("restart", 3, then="detach"))):
        values = {"use": "resampler", "rate": 8000, "on_error": said, "frame_timeout_s": 2}
        supervision = build(values, HERE, set()).supervision
        assert (supervision.policy, supervision.frame_timeout_s) == (policy, 2)
    assert build({"use": "resampler", "rate": 8000}, HERE, set()).supervision == Supervision()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"use": "reampler"}, [("use", "unknown-processor")]),
        ({"use": "resampler"}, [("", "missing-setting")]),
        ({"use": "resampler", "rate": 1, "rat": 2}, [
            ("rate", "wrong-setting"), ("rat", "unknown-setting"),
        ]),
        ({"use": "resampler", "rate": 8000, "inbox": None}, [("inbox", "wrong-setting")]),
        ({"use": "resampler", "rate": 8000, "inbox": {"m": 1, "frames": 0}}, [
            ("inbox.m", "unknown-setting"), ("inbox.frames", "wrong-setting"),
        ]),
        ({"use": "resampler", "rate": 8000, "on_error": "skp", "frame_timeout_s": 0}, [
            ("on_error", "wrong-setting"), ("frame_timeout_s", "wrong-setting"),
        ]),
        ({"use": "resampler", "rate": 8000, "on_error": {"do": "restrt", "time": 0}}, [
            ("on_error.do", "wrong-setting"), ("on_error.time", "unknown-setting"),
        ]),
        ({"use": "text_source"}, [("", "wrong-setting")]),
        ({"use": "vad_gate", "silence_ms": 900, "hangover_ms": 100}, [
            ("silence_ms", "wrong-setting"),
        ]),
    ],
)  # fmt: skip
def test_all_that_is_wrong_with_one(
    values: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    built = build(values, HERE, set())
    assert built.processor is None
    found = [(".".join(map(str, problem.path)), problem.code) for problem in built.problems]
    assert sorted(found) == sorted(expected)


def test_what_cannot_be_read_is_neither_wrong_nor_missing() -> None:
    built = build({"use": "resampler", "rate": "", "channels": 0}, HERE, {"rate"})
    assert built.processor is None
    assert [problem.path for problem in built.problems] == [("channels",)]
    assert build({"use": "", "rate": 1}, HERE, {"use"}) == Built(None, None, [])
