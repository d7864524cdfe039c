"""From frames to messages."""

import itertools
from typing import Any

import msgspec
import numpy as np
import pytest

from pipeline import (
    SECOND,
    AudioFrame,
    Frame,
    Gap,
    ImageFrame,
    Instruction,
    Speaker,
    SpeechEnded,
    SpeechStarted,
    TextFrame,
    ToolResult,
    Transcript,
)
from processors.live_api.input import InputSide, WrongAudioError, system_turn
from processors.live_api.messages import ServerMessage
from processors.live_api.session import Session


class Side:
    """An input side with a session that is connected."""

    def __init__(self, *, automatic: bool = True, realtime_text: bool = False) -> None:
        self.session = Session(itertools.count(1).__next__)
        self.session.opening(0)
        self.hear({"setupComplete": {}})
        self.instructions: list[str] = []
        self.input = InputSide(
            self.session,
            automatic=automatic,
            realtime_text=realtime_text,
            image_every=SECOND,
            instruct=self.instructions.append,
        )

    def hear(self, message: dict[str, Any]) -> None:
        self.session.received(msgspec.convert(message, ServerMessage), 0)

    def take(self, *frames: Frame, now: int = 0) -> list[dict[str, Any]]:
        """What goes over the wire for these frames."""
        for frame in frames:
            self.input.take(frame, now)
        return self.sent()

    def sent(self) -> list[dict[str, Any]]:
        sent = []
        while (item := self.session.next(0)) is not None:
            assert not isinstance(item, Gap)
            sent.append(msgspec.to_builtins(item, builtin_types=[bytes]))
        return sent


def audio(rate: int = 16_000, channels: int = 1, pts: int = 0) -> AudioFrame:
    return AudioFrame(np.full((4, channels), 258, np.int16), rate, pts=pts)


def picture(name: bytes) -> ImageFrame:
    return ImageFrame(name, "image/png")


def test_sound_is_little_endian_16_bit_at_16_khz() -> None:
    (message,) = Side().take(audio())
    assert message == {
        "realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": b"\x02\x01" * 4}}
    }


@pytest.mark.parametrize(("rate", "channels"), [(24_000, 1), (16_000, 2)])
def test_other_sound_is_refused_with_advice(rate: int, channels: int) -> None:
    with pytest.raises(WrongAudioError, match=r"resampler .*rate: 16000, channels: 1"):
        Side().take(audio(rate, channels))


@pytest.mark.parametrize(
    ("realtime", "message"),
    [
        (True, {"realtimeInput": {"text": "Hello?"}}),
        (
            False,
            {
                "clientContent": {
                    "turns": [{"role": "user", "parts": [{"text": "Hello?"}]}],
                    "turnComplete": True,
                }
            },
        ),
    ],
)
def test_typed_text_in_either_way(realtime: bool, message: dict[str, Any]) -> None:
    side = Side(realtime_text=realtime)
    learned = side.input.take(TextFrame("Hello?", pts=5), 9)
    assert side.sent() == [message]
    assert isinstance(learned[0], Transcript)
    assert learned[0].pts == 5


def test_the_models_own_words_are_not_sent_back() -> None:
    assert Side().take(TextFrame("Hello.", Speaker.MODEL)) == []


def test_a_pause_is_told_where_the_service_listens_for_itself() -> None:
    side = Side()
    assert not side.input.streaming
    side.take(audio())
    assert side.input.streaming
    side.input.pause()
    assert not side.input.streaming
    assert side.sent() == [{"realtimeInput": {"audioStreamEnd": True}}]


def test_a_gate_marks_the_users_turns_where_it_does_not() -> None:
    side = Side(automatic=False)
    assert side.take(audio(), SpeechEnded()) == [], "outside of speech nothing is listened to"
    assert not side.input.streaming
    sent = side.take(
        SpeechStarted(), audio(), SpeechStarted(), audio(), SpeechEnded(), audio(), SpeechEnded()
    )
    kinds = [next(iter(message["realtimeInput"])) for message in sent]
    assert kinds == ["activityStart", "audio", "audio", "activityEnd"]
    assert sent[0] == {"realtimeInput": {"activityStart": {}}}
    side.input.pause()
    assert side.sent() == []


def test_a_gate_in_front_of_the_services_own_sends_no_marks() -> None:
    side = Side()
    sent = side.take(SpeechStarted(pts=5), audio(), SpeechEnded(pts=9))
    assert [next(iter(message["realtimeInput"])) for message in sent] == ["audio"]
    assert side.session.dialogue.asked


def test_pictures_come_one_at_a_time_and_the_newest_wins() -> None:
    side = Side()
    (first,) = side.take(picture(b"1"), now=5)
    assert first == {"realtimeInput": {"video": {"mimeType": "image/png", "data": b"1"}}}
    assert side.input.image_due() is None
    assert side.take(picture(b"2"), picture(b"3"), now=SECOND) == []
    assert side.input.image_due() == SECOND + 5
    side.input.send_due_image(SECOND + 4)
    assert side.sent() == []
    side.input.send_due_image(SECOND + 5)
    (second,) = side.sent()
    assert second["realtimeInput"]["video"]["data"] == b"3"
    assert side.input.image_due() is None
    assert len(side.take(picture(b"4"), now=9 * SECOND)) == 1


@pytest.mark.parametrize(
    ("scheduling", "told"),
    [
        (None, {}),
        ("silent", {"scheduling": "SILENT"}),
        ("when_idle", {"scheduling": "WHEN_IDLE"}),
        ("interrupt", {"scheduling": "INTERRUPT"}),
    ],
)
def test_a_call_is_answered_once_and_as_it_was_scheduled(
    scheduling: Any, told: dict[str, str]
) -> None:
    side = Side()
    side.hear({"toolCall": {"functionCalls": [{"id": "a", "name": "f"}]}})
    result = ToolResult("a", "f", {"an_output": 1}, scheduling)
    response = {"id": "a", "name": "f", "response": {"an_output": 1}, **told}
    assert side.take(result) == [{"toolResponse": {"functionResponses": [response]}}]
    assert side.take(result) == []


def test_an_instruction_goes_to_whoever_can_change_it() -> None:
    side = Side()
    assert side.take(Instruction("Be brief.")) == []
    assert side.instructions == ["Be brief."]
    assert msgspec.to_builtins(system_turn("Be brief.")) == {
        "clientContent": {"turns": [{"role": "system", "parts": [{"text": "Be brief."}]}]}
    }


@pytest.mark.parametrize(
    ("realtime", "message"),
    [
        (True, {"realtimeInput": {"text": "Please go on."}}),
        (False, {"clientContent": {"turnComplete": True}}),
    ],
)
def test_a_nudge_in_either_way(realtime: bool, message: dict[str, Any]) -> None:
    side = Side(realtime_text=realtime)
    side.input.nudge()
    assert side.sent() == [message]
