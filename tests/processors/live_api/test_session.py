"""A conversation over any number of connections: no sockets, no clock, no event loop."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from msgspec import UNSET

from pipeline import (
    SECOND,
    AudioFrame,
    Frame,
    Gap,
    ImageFrame,
    SessionEvent,
    TextFrame,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    TurnEnded,
    TurnStarted,
    Usage,
)
from processors.live_api.endings import Decision
from processors.live_api.messages import (
    ActivityStart,
    Blob,
    ClientMessage,
    RealtimeInput,
    ServerMessage,
)
from processors.live_api.session import IN_FLIGHT, MARGIN, Resumption, Session
from processors.live_api.tokens import TokenCount

MS = SECOND // 1000
LENGTH = 20 * MS
OFF, ON, TRANSPARENT = Resumption(), Resumption(True), Resumption(True, True)
LOST = (1006, "")


class Wire:
    """A session whose connections the test opens and closes; time in milliseconds."""

    def __init__(self, resumption: Resumption = ON, **settings: Any) -> None:
        self.now = 0
        self.session = Session(itertools.count(1).__next__, resumption, **settings)

    def open(self, after: int = 0) -> SessionEvent:
        self.now += after
        self.session.opening(self.now * MS)
        (event,) = self.hear({"setupComplete": {"sessionId": "s"}})
        assert isinstance(event, SessionEvent)
        return event

    def hear(self, message: dict[str, Any], after: int = 0) -> list[Frame]:
        self.now += after
        decoded = msgspec.convert(message, ServerMessage)
        return self.session.received(decoded, self.now * MS)

    def content(self, after: int = 0, **content: Any) -> list[Frame]:
        return self.hear({"serverContent": content}, after)

    def speak(self, after: int = 0) -> list[Frame]:
        return self.content(after, modelTurn={"parts": [{"text": "Yes."}]})

    def call(self, *ids: str) -> list[Frame]:
        calls = [{"id": id, "name": "f"} for id in ids]
        return self.hear({"toolCall": {"functionCalls": calls}})

    def update(self, handle: str = "h", after: int = 0, **update: Any) -> None:
        update = {"newHandle": handle, "resumable": True, **update}
        assert self.hear({"sessionResumptionUpdate": update}, after) == []

    def say(self, text: str) -> None:
        self.session.dialogue.text_sent(TextFrame(text, pts=self.now * MS))
        self.session.send(words(text))

    def answer(self, id: str) -> None:
        message = self.session.dialogue.tool_answered(ToolResult(id, "f", {}))
        assert message is not None
        self.session.send(message)

    def send(self, after: int = 0) -> list[str]:
        """What goes out, up to the last message that waits."""
        self.now += after
        sent = []
        while (item := self.session.next(self.now * MS)) is not None:
            sent.append(f"gap {item.duration // MS}" if isinstance(item, Gap) else shown(item))
        return sent

    def close(self, code: int = 1006, reason: str = "", after: int = 0) -> Decision:
        return self.end(code, reason, after)[1]

    def end(self, code: int, reason: str, after: int = 0) -> tuple[list[Frame], Decision]:
        self.now += after
        return self.session.closed(code, reason, self.now * MS)


def words(text: str) -> ClientMessage:
    return ClientMessage(realtime_input=RealtimeInput(text=text))


def shown(message: ClientMessage) -> str:
    built = msgspec.to_builtins(message)
    if "toolResponse" in built:
        return f"answer {built['toolResponse']['functionResponses'][0]['id']}"
    realtime = built["realtimeInput"]
    return str(realtime.get("text") or next(iter(realtime)))


def audio(pts: int) -> tuple[AudioFrame, Blob]:
    frame = AudioFrame(np.zeros((320, 1), np.int16), 16_000, pts=pts)
    return frame, Blob(mime_type="audio/pcm;rate=16000", data=frame.samples.tobytes())


@pytest.fixture
def wire() -> Wire:
    wire = Wire()
    wire.open()
    return wire


# --- connections ---


def test_setup_makes_the_session_ready() -> None:
    wire = Wire()
    assert wire.session.opening(0) is not None
    assert not wire.session.ready
    (event,) = wire.hear({"setupComplete": {"sessionId": "a-b"}}, after=5)
    assert wire.session.ready
    assert isinstance(event, SessionEvent)
    assert (event.kind, event.detail, event.pts) == ("started", "a-b", 5 * MS)


@pytest.mark.parametrize(
    ("resumption", "first", "second"),
    [
        (OFF, None, None),
        (ON, (None, False), ("h", False)),
        (TRANSPARENT, (None, True), ("h", True)),
    ],
)
def test_the_setup_asks_for_resumption_if_it_is_wanted(
    resumption: Resumption, first: object, second: object
) -> None:
    session = Session(itertools.count(1).__next__, resumption)
    for expected in (first, second):
        config = session.opening(0)
        assert (config and (config.handle, config.transparent)) == expected
        session.handle = "h"


@pytest.mark.parametrize(
    ("resumption", "handle", "kind"),
    [(OFF, "h", "restarted"), (ON, "h", "resumed"), (ON, "", "restarted")],
)
def test_another_connection_says_what_it_goes_on_with(
    resumption: Resumption, handle: str, kind: str
) -> None:
    wire = Wire(resumption)
    assert wire.open().kind == "started"
    wire.update(handle)
    assert wire.close().again
    assert wire.open().kind == kind


def test_a_handle_of_an_earlier_run_resumes_at_once() -> None:
    wire = Wire(handle="h")
    assert wire.open().kind == "resumed"


def test_handles_that_do_not_count_are_ignored(wire: Wire) -> None:
    wire.update("good")
    wire.update("bad", resumable=False)
    wire.update("")
    assert wire.session.handle == "good"


def test_a_dead_handle_leads_to_a_fresh_session() -> None:
    wire = Wire(handle="h")
    wire.session.opening(0)
    decision = wire.close(1008, "BidiGenerateContent session not found")
    assert decision.again
    assert decision.pause
    assert wire.session.handle is None
    wire.session.opening(0)
    assert not wire.close(1008, "BidiGenerateContent session not found").again


def test_each_session_that_knows_nothing_is_told_what_was_said_before() -> None:
    wire = Wire(ON, history=words("before"))
    wire.open()
    wire.say("one")
    assert wire.send() == ["before", "one"]
    wire.close()
    wire.open()
    assert wire.send() == ["before", "one"]
    wire.speak(after=2000)
    wire.content(turnComplete=True)
    wire.update(after=2000)
    wire.close()
    wire.open()
    wire.say("two")
    assert wire.send() == ["two"]
    wire.close(1008, "BidiGenerateContent session expired")
    wire.open()
    assert wire.send() == ["before", "two"]


def test_what_was_lost_with_the_handle_is_told_to_the_graph(wire: Wire) -> None:
    wire.call("a", "b")
    wire.answer("a")
    frames, _ = wire.end(*LOST)
    assert [type(frame) for frame in frames] == [TurnEnded, ToolCallCancelled]
    wire.open()
    assert wire.send() == []
    assert wire.session.dialogue.tool_answered(ToolResult("b", "f", {})) is None


def test_calls_and_answers_outlive_a_connection_that_can_be_resumed(wire: Wire) -> None:
    wire.update()
    wire.call("a", "b")
    wire.answer("a")
    assert wire.send() == ["answer a"]
    frames, _ = wire.end(*LOST)
    assert [type(frame) for frame in frames] == [TurnEnded]
    wire.open()
    wire.answer("b")
    assert wire.send() == ["answer a", "answer b"]


def test_a_function_that_has_answered_is_not_run_again() -> None:
    wire = Wire(TRANSPARENT)
    wire.open()
    wire.update(lastConsumedClientMessageIndex=0)
    wire.say("What time is it?")
    wire.call("a")
    wire.answer("a")
    assert wire.send() == ["What time is it?", "answer a"]
    wire.close()
    wire.open()
    assert wire.send() == ["What time is it?", "answer a"]
    assert [type(frame) for frame in wire.call("a")] == [TurnStarted]
    assert wire.session.repeats
    assert wire.send() == ["answer a"]
    assert not wire.session.repeats
    wire.update(lastConsumedClientMessageIndex=3)
    wire.close()
    wire.open()
    assert wire.send() == []
    assert [type(frame) for frame in wire.call("a")] == [TurnStarted, ToolCall]


def test_an_answer_that_is_about_to_be_sent_is_not_sent_twice() -> None:
    wire = Wire(TRANSPARENT)
    wire.open()
    wire.call("a")
    wire.answer("a")
    wire.update(lastConsumedClientMessageIndex=0)
    wire.close()
    wire.open()
    wire.call("a")
    assert wire.send() == ["answer a"]


def test_what_is_worth_one_attempt_gets_one(wire: Wire) -> None:
    words = "Operation is not implemented, or supported, or enabled."
    assert wire.close(1008, words).again
    wire.open()
    assert not wire.close(1008, words).again
    wire = Wire()
    wire.open()
    assert wire.close(1008, words).again
    wire.open()
    wire.close(after=60_000)
    wire.open()
    assert wire.close(1008, words).again


@pytest.mark.parametrize(
    ("reason", "fresh"),
    [("Request contains an invalid argument.", True), ("API key not valid.", False)],
)
def test_a_handle_of_an_earlier_run_that_is_refused_without_a_word_is_given_up(
    reason: str, fresh: bool
) -> None:
    wire = Wire(handle="old")
    wire.session.opening(0)
    assert wire.close(1007, reason).again is fresh
    assert (wire.session.handle is None) is fresh


def test_an_answer_that_the_service_begins_for_ever_is_given_up() -> None:
    wire = Wire(TRANSPARENT)
    decisions = []
    for _ in range(6):
        wire.open()
        wire.update()
        wire.speak()
        wire.session.leave()
        decisions.append(wire.close(1000, after=2_000))
    assert [decision.again for decision in decisions] == [True] * 5 + [False]
    assert "no connection lasted long enough" in str(decisions[-1])


@pytest.mark.parametrize(
    ("code", "reason", "again", "pause"),
    [
        (1000, "The operation was cancelled.", True, False),
        (1006, "", True, False),
        (1011, "Internal error encountered.", True, True),
        (1007, "API key not valid. Please pass a valid API key.", False, False),
    ],
)
def test_the_ending_decides_what_is_next(
    wire: Wire, code: int, reason: str, again: bool, pause: bool
) -> None:
    decision = wire.close(code, reason, after=60_000)
    assert (decision.again, decision.pause) == (again, pause)
    assert not decision.planned
    assert (reason or "no close frame") in str(decision)


def test_connections_that_come_to_nothing_are_counted(wire: Wire) -> None:
    for failures in (1, 2, 3):
        decision = wire.close()
        assert wire.session.failures == failures
        assert decision.pause == (failures > 1)
        wire.open()
    wire.close(after=60_000)
    assert wire.session.failures == 0
    wire.session.opening(wire.now * MS)
    assert wire.close().pause
    assert wire.session.failures == 1


def test_leaving_on_purpose_is_no_failure(wire: Wire) -> None:
    wire.session.leave()
    decision = wire.close(1000, after=2_000)
    assert decision.planned
    assert decision.again
    assert not decision.pause
    assert wire.session.failures == 0


def test_connections_that_are_to_be_left_at_once_come_to_nothing(wire: Wire) -> None:
    for failures in range(1, 4):
        wire.session.leave()
        decision = wire.close(1000)
        assert decision.planned
        assert decision.pause is (failures > 1)
        assert wire.session.failures == failures
        wire.open()


def test_an_attempt_after_leaving_is_one_like_any_other(wire: Wire) -> None:
    wire.session.leave()
    wire.close(1000, after=2_000)
    decision = wire.close()  # no connection was opened: there were no credentials
    assert not decision.planned
    assert decision.pause
    assert wire.session.failures == 1


# --- the time that a connection has ---


def test_it_says_when_the_connection_will_end(wire: Wire) -> None:
    (event,) = wire.hear({"goAway": {"timeLeft": "50s"}}, after=1000)
    assert isinstance(event, SessionEvent)
    assert (event.kind, event.detail) == ("go-away", "50s")
    assert wire.session.next_deadline() == 51 * SECOND - MARGIN


@pytest.mark.parametrize(("left", "seconds"), [("3s", 1.5), ("0.5s", 0.25), ("0s", 0), ("", 0)])
def test_little_time_is_halved(wire: Wire, left: str, seconds: float) -> None:
    wire.hear({"goAway": {"timeLeft": left}})
    assert wire.session.next_deadline() == int(seconds * SECOND)


def test_it_leaves_at_a_turn_boundary_or_when_time_is_up(wire: Wire) -> None:
    session = wire.session
    assert not session.should_leave(0)
    wire.say("Hello?")
    wire.hear({"goAway": {"timeLeft": "50s"}})
    assert not session.should_leave(47 * SECOND)
    assert session.should_leave(48 * SECOND)
    wire.speak()
    assert not session.should_leave(wire.now)
    wire.content(turnComplete=True)
    session.dialogue.speech_started(0)
    assert session.should_leave(wire.now)
    session.leave()
    assert not session.should_leave(60 * SECOND)
    wire.close(1000)
    wire.open()
    assert session.next_deadline() is None


@pytest.mark.parametrize("handle_first", [True, False])
def test_what_comes_when_nothing_is_owed_waits_for_the_next_connection(
    wire: Wire, handle_first: bool
) -> None:
    wire.say("one")
    assert wire.send() == ["one"]
    wire.hear({"goAway": {"timeLeft": "50s"}})
    wire.speak(after=2000)
    if handle_first:
        wire.update()
        wire.content(turnComplete=True)
    else:
        wire.content(turnComplete=True)
        wire.update()
    wire.say("two")
    assert wire.send() == []
    assert wire.session.should_leave(wire.now * MS)
    wire.session.leave()
    wire.close(1000)
    wire.open()
    assert wire.send()[-1] == "two"


def test_sound_that_nobody_reacts_to_does_not_hold_a_move_up(wire: Wire) -> None:
    wire.session.send_audio(*audio(0))
    assert wire.send() == ["audio"]
    wire.hear({"goAway": {"timeLeft": "50s"}})
    wire.now += 4_000
    assert not wire.session.should_leave(wire.now * MS)
    wire.content(inputTranscription={"text": "Well"}, after=500)
    wire.now += 4_900
    assert not wire.session.should_leave(wire.now * MS)
    wire.now += 200
    assert wire.session.should_leave(wire.now * MS)


def test_the_earlier_of_two_deadlines_counts(wire: Wire) -> None:
    wire.session.move_by(60 * SECOND)
    wire.session.move_by(90 * SECOND)
    assert wire.session.next_deadline() == 60 * SECOND
    wire.session.move_by(30 * SECOND)
    assert wire.session.next_deadline() == 30 * SECOND


# --- silence of the model ---


def test_nothing_is_owed_to_who_has_asked_nothing(wire: Wire) -> None:
    wire.session.send_audio(*audio(0))
    wire.send()
    assert wire.session.stalled_since() is None


def test_silence_counts_from_the_question(wire: Wire) -> None:
    wire.now = 100_000
    wire.say("Hello?")
    wire.send()
    assert wire.session.stalled_since() == 100 * SECOND
    wire.session.send_audio(*audio(105 * SECOND))
    wire.send(after=5000)
    assert wire.session.stalled_since() == 100 * SECOND
    wire.speak(after=1000)
    assert wire.session.stalled_since() == 106 * SECOND
    wire.content(turnComplete=True)
    assert wire.session.stalled_since() is None


def test_silence_counts_from_the_end_of_speech_that_a_gate_heard(wire: Wire) -> None:
    session, dialogue = wire.session, wire.session.dialogue
    dialogue.speech_started(100 * SECOND)
    session.send_audio(*audio(100 * SECOND))
    wire.now = 100_020
    wire.send()
    dialogue.speech_ended(100_020 * MS)
    assert session.stalled_since() == 100_020 * MS


def test_a_model_that_is_heard_or_waits_for_a_result_is_not_silent(wire: Wire) -> None:
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AAAA" * 16_000}}
    wire.content(modelTurn={"parts": [part]})
    assert wire.session.stalled_since() == SECOND
    wire.call("a")
    assert wire.session.stalled_since() is None
    wire.answer("a")
    wire.send(after=5000)
    assert wire.session.stalled_since() == 5 * SECOND
    wire.session.stall_handled(6 * SECOND)
    assert wire.session.stalled_since() is None  # once for a question


# --- tokens ---


@pytest.mark.parametrize("side", ["response", "candidates"])
def test_usage_is_read_in_both_spellings(wire: Wire, side: str) -> None:
    wire.speak()
    report = {
        "promptTokenCount": 70,
        f"{side}TokenCount": 176,
        "totalTokenCount": 246,
        "promptTokensDetails": [
            {"modality": "AUDIO", "tokenCount": 50},
            {"modality": "TEXT", "tokenCount": 11},
            {"modality": "AUDIO", "tokenCount": 8},
        ],
        f"{side}TokensDetails": [{"modality": "AUDIO", "tokenCount": 176}],
    }
    message = {"serverContent": {"turnComplete": True}, "usageMetadata": report}
    (usage,) = (frame for frame in wire.hear(message) if isinstance(frame, Usage))
    assert usage.prompt == {"AUDIO": 58, "TEXT": 11, "OTHER": 1}
    assert usage.response == {"AUDIO": 176}
    assert (usage.total, usage.turn) == (246, 1)


def test_tokens_add_up_over_turns_and_connections(wire: Wire) -> None:
    for turn in (1, 2, 3):
        report: dict[str, Any] = {"promptTokenCount": 10 * turn, "responseTokenCount": 1}
        report |= {"responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 1}]}
        wire.speak()
        wire.content(turnComplete=True)
        (usage,) = wire.hear({"usageMetadata": report})
        assert isinstance(usage, Usage)
        assert usage.turn == turn
        assert usage.totals == {"OTHER": sum(range(10, 10 * turn + 1, 10)), "AUDIO": turn}
        wire.close()
        wire.open()


def test_it_warns_once_before_the_context_is_full() -> None:
    wire = Wire(OFF, tokens=TokenCount(1000))
    wire.open()
    warned = []
    for tokens in (700, 801, 900):
        frames = wire.hear({"usageMetadata": {"promptTokenCount": tokens}})
        warned += [f.detail for f in frames if isinstance(f, SessionEvent)]
    assert warned == ["801 of 1000 tokens"]
    wire.close()
    wire.open()
    frames = wire.hear({"usageMetadata": {"promptTokenCount": 900}})
    assert isinstance(frames[-1], SessionEvent), "a fresh session is warned of anew"


# --- what is sent again, without numbers ---


def test_a_question_is_asked_again_until_it_is_answered(wire: Wire) -> None:
    wire.update()
    wire.say("One?")
    assert wire.send() == ["One?"]
    wire.close()
    wire.open()
    assert wire.send() == ["One?"]
    wire.speak(after=2000)
    wire.content(turnComplete=True)
    wire.close()
    wire.open()
    assert wire.send() == []


def test_the_first_words_of_a_resumed_session_may_answer_what_it_knew(wire: Wire) -> None:
    wire.update()
    wire.say("One?")
    wire.send()
    wire.close()
    wire.open()
    assert wire.send() == ["One?"]
    wire.call("a")
    wire.close()
    wire.open()
    assert wire.send() == ["One?"]


def test_a_question_over_an_answer_is_not_answered_by_it(wire: Wire) -> None:
    wire.say("One?")
    wire.send()
    wire.speak(after=500)
    wire.say("Two?")
    wire.send(after=100)
    wire.content(interrupted=True, turnComplete=True)
    wire.close()
    wire.open()
    assert wire.send() == ["Two?"]


def test_a_handle_does_not_stand_for_what_is_still_on_its_way(wire: Wire) -> None:
    wire.session.send(words("a"))
    wire.send()
    wire.session.send(words("b"))
    wire.send(after=IN_FLIGHT // MS)
    wire.update()
    wire.close()
    wire.open()
    assert wire.send() == ["b"]


def test_a_handle_may_be_older_than_what_is_asked(wire: Wire) -> None:
    wire.say("One?")
    wire.send()
    wire.update(after=5000)
    wire.close()
    wire.open()
    assert wire.send() == ["One?"]


@pytest.mark.parametrize(("handle", "again"), [("h", []), ("", ["One?"])])
def test_a_call_is_made_again_by_a_session_that_knows_nothing(
    wire: Wire, handle: str, again: list[str]
) -> None:
    wire.update(handle)
    wire.say("One?")
    wire.send()
    wire.call("a")
    wire.close()
    wire.open()
    assert wire.send() == again


def test_an_answer_is_not_given_twice_after_the_model_has_gone_on(wire: Wire) -> None:
    wire.update()
    wire.call("a")
    wire.answer("a")
    wire.send()
    wire.speak()
    wire.close()
    wire.open()
    assert wire.send() == []


def test_an_answer_that_may_not_have_arrived_is_given_again(wire: Wire) -> None:
    wire.update()
    wire.call("a")
    wire.answer("a")
    wire.send(after=20)
    wire.content(turnComplete=True)  # some models end their turn at the call
    wire.close()
    wire.open()
    assert wire.send() == ["answer a"]


@pytest.mark.parametrize("resumption", [OFF, ON, TRANSPARENT])
def test_speech_in_an_activity_goes_on_in_one(resumption: Resumption) -> None:
    wire = Wire(resumption)
    wire.open()
    start = ClientMessage(realtime_input=RealtimeInput(activity_start=ActivityStart()))
    wire.session.send(start)
    assert wire.session.next(0) is start
    wire.update(lastConsumedClientMessageIndex=1, after=2_000)
    wire.speak()  # of its own accord
    wire.content(turnComplete=True)
    wire.close()
    wire.open()
    again = wire.session.next(0)
    assert again == (None if resumption.transparent else start)
    assert wire.session.next(0) is None


def test_pictures_are_kept_like_sound(wire: Wire) -> None:
    wire.session.send_image(ImageFrame(b"...", "image/png"))
    assert wire.send() == ["video"]
    wire.close()
    wire.open()
    assert wire.send() == ["video"]


def test_what_waits_too_long_is_given_up_and_told() -> None:
    wire = Wire(keep=5 * LENGTH)
    for pts in range(8):
        wire.session.send_audio(*audio(pts * LENGTH))
        if pts == 4:
            wire.session.send(words("a"))
    assert wire.session.waiting_media == 5 * LENGTH
    wire.open()
    assert wire.session.busy
    assert wire.send() == ["gap 60", "audio", "audio", "a", "audio", "audio", "audio"]
    assert wire.session.waiting_media == 0


def test_nothing_is_kept_of_what_is_settled(wire: Wire) -> None:
    assert wire.session.keeps_nothing
    wire.say("One?")
    wire.send()
    assert not wire.session.keeps_nothing
    wire.speak()
    wire.content(turnComplete=True)
    assert wire.session.keeps_nothing


def test_the_end_makes_everything_final(wire: Wire) -> None:
    wire.say("One?")
    wire.send()
    wire.speak()
    frames = wire.session.finish(wire.now * MS)
    assert isinstance(frames[-1], TurnEnded)
    assert not wire.session.ready
    assert not wire.session.dialogue.busy


# --- whatever happens ---


@dataclass
class Service:
    """The other side: sessions as lists of what they were told, behind a wire that can break."""

    timeline: list[str] = field(default_factory=list)
    """What the session that is connected was told."""
    handles: dict[str, list[str]] = field(default_factory=dict)
    arrived: list[str] = field(default_factory=list)
    """Everything that was ever consumed, in order, whatever became of it."""
    incoming: list[str] = field(default_factory=list)
    outgoing: list[dict[str, Any]] = field(default_factory=list)
    consumed: int = 0
    """Messages of this connection."""

    def connect(self, handle: str | None) -> None:
        self.timeline = list(self.handles[handle]) if handle is not None else []
        self.incoming.clear()
        self.consumed = 0
        self.outgoing = [{"setupComplete": {}}]

    def consume(self, most: int) -> None:
        messages, self.incoming = self.incoming[:most], self.incoming[most:]
        self.consumed += len(messages)
        self.timeline += messages
        self.arrived += messages

    def update(self, *, usable: bool) -> None:
        update: dict[str, Any] = {"lastConsumedClientMessageIndex": str(self.consumed)}
        if usable:
            handle = f"h{len(self.handles)}"
            self.handles[handle] = list(self.timeline)
            update |= {"newHandle": handle, "resumable": True}
        self.outgoing.append({"sessionResumptionUpdate": update})

    def content(self, **content: Any) -> None:
        self.outgoing.append({"serverContent": content})


ALL = 1 << 30
ready = precondition(lambda self: self.session.ready)
connected = precondition(lambda self: self.session.state != "closed")


class Unreliable(RuleBasedStateMachine):
    """A session and the service, and between them a network that breaks at any time."""

    resumption = ON
    keep = 30 * SECOND

    def __init__(self) -> None:
        super().__init__()
        self.service = Service()
        self.session = Session(itertools.count(1).__next__, self.resumption, keep=self.keep)
        self.now = 0
        self.sent: list[str] = []
        """Names of all messages."""
        self.sound: set[str] = set()
        self.gaps = 0
        """Duration of all gaps."""
        self.settled: set[str] = set()
        """Answers that the model has used: not to be given again."""

    @rule(is_sound=st.booleans())
    def send(self, is_sound: bool) -> None:
        name = str(len(self.sent))
        self.sent.append(name)
        if is_sound:
            self.sound.add(name)
            frame, _ = audio(int(name) * LENGTH)
            self.session.send_audio(frame, Blob(mime_type=name))
        else:
            self.session.send(words(name))

    @rule(most=st.integers(1, 6))
    @ready
    def transmit(self, most: int) -> None:
        for _ in range(most):
            item = self.session.next(self.now)
            if item is None:
                return
            if isinstance(item, Gap):
                self.gaps += item.duration
            else:
                name = self.name(item)
                assert name not in self.settled
                self.service.incoming.append(name)

    @staticmethod
    def name(message: ClientMessage) -> str:
        realtime: Any = message.realtime_input
        if realtime is UNSET:
            return shown(message)
        return str(realtime.audio.mime_type if realtime.audio else realtime.text)

    @rule(most=st.integers(1, 3))
    @connected
    def deliver(self, most: int) -> None:
        messages = self.service.outgoing[:most]
        self.service.outgoing = self.service.outgoing[most:]
        for message in messages:
            self.session.received(msgspec.convert(message, ServerMessage, strict=False), self.now)

    @rule(fails=st.sampled_from([False, False, True]))
    @precondition(lambda self: self.session.state == "closed")
    def connect(self, fails: bool) -> None:
        config = self.session.opening(self.now)
        assert config is not None
        if fails:
            self.drop(LOST)
        else:
            self.service.connect(config.handle)

    @rule(ending=st.sampled_from([LOST, (1000, ""), (1011, "Internal error encountered.")]))
    @connected
    def drop(self, ending: tuple[int, str]) -> None:
        _, decision = self.session.closed(*ending, self.now)
        assert decision.again

    @rule()
    @ready
    def leave(self) -> None:
        self.session.leave()
        _, decision = self.session.closed(1000, "", self.now)
        assert decision.planned

    @rule(usable=st.sampled_from([True, True, False]))
    @ready
    def update(self, usable: bool) -> None:
        self.service.update(usable=usable)

    def come_to_rest(self) -> None:
        """Everything that waits goes out and is consumed."""
        if self.session.state == "closed":
            self.connect(fails=False)
        self.deliver(ALL)
        self.transmit(ALL)
        self.service.consume(ALL)


class Transparent(Unreliable):
    """The service says by number what it has: then it gets everything once."""

    resumption = TRANSPARENT

    @rule(most=st.integers(1, 6))
    @ready
    def consume(self, most: int) -> None:
        self.service.consume(most)

    def teardown(self) -> None:
        self.come_to_rest()
        lost = set(self.sent) - set(self.service.timeline)
        assert self.service.timeline == [name for name in self.sent if name not in lost]
        assert lost <= self.sound
        assert self.gaps == len(lost) * LENGTH
        if len(self.sound) * LENGTH <= self.keep:
            assert not lost
        self.update(usable=True)
        self.deliver(ALL)
        assert self.session.keeps_nothing


class TransparentAndShort(Transparent):
    """With so little room that sound has to be given up."""

    keep = 4 * LENGTH


class AtLeastOnce(Unreliable):
    """Without numbers, from a service that consumes within the time that is allowed for it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    @rule()
    @connected
    def wait(self) -> None:
        self.service.consume(ALL)
        self.deliver(ALL)
        self.now += IN_FLIGHT + 1

    @rule()
    @ready
    def reply(self) -> None:
        self.service.consume(ALL)
        self.service.content(modelTurn={"parts": [{"text": "Yes."}]})
        self.deliver(ALL)
        here = self.service.arrived[len(self.service.arrived) - self.service.consumed :]
        self.settled |= {name for name in here if name.startswith("answer")}

    @rule()
    @ready
    def complete(self) -> None:
        self.service.content(turnComplete=True)

    @rule()
    @precondition(lambda self: self.session.ready and self.session.handle)
    def call(self) -> None:
        self.service.consume(ALL)
        self.calls += 1
        calls = [{"id": str(self.calls), "name": "f"}]
        self.service.outgoing.append({"toolCall": {"functionCalls": calls}})
        self.deliver(ALL)

    @rule()
    @precondition(lambda self: self.session.dialogue.pending)
    def answer(self) -> None:
        dialogue = self.session.dialogue
        message = dialogue.tool_answered(ToolResult(next(iter(dialogue.pending)), "f", {}))
        assert message is not None
        self.sent.append(shown(message))
        self.session.send(message)

    def teardown(self) -> None:
        self.come_to_rest()
        assert list(dict.fromkeys(self.service.arrived)) == self.sent
        assert not self.gaps
        self.now += IN_FLIGHT
        for _ in range(2):  # the first may have begun before the last question
            self.complete()
            self.reply()
        self.complete()
        self.deliver(ALL)
        assert self.session.keeps_nothing


TestTransparent = Transparent.TestCase
TestTransparentAndShort = TransparentAndShort.TestCase
TestAtLeastOnce = AtLeastOnce.TestCase
TestTransparent.settings = settings(max_examples=100, stateful_step_count=40)
TestTransparentAndShort.settings = TestTransparent.settings
TestAtLeastOnce.settings = TestTransparent.settings


def test_pictures_without_an_answer_count_towards_the_context_window(wire: Wire) -> None:
    wire.session.tokens.window = 32_768
    picture = ImageFrame(b"x")
    for _ in range(101):
        wire.session.send_image(picture)
        assert wire.session.tokens.warning(0) is None
    wire.session.send_image(picture)
    warning = wire.session.tokens.warning(0)
    assert warning is not None
    assert (warning.kind, warning.detail) == ("context-low", "26316 of 32768 tokens")
    assert wire.session.tokens.warning(0) is None


# --- what is asked again, and what no more ---


def resumed(wire: Wire, question: str) -> None:
    """A question that was lost with its connection, and is sent again on the next."""
    wire.open()
    wire.update()
    wire.say(question)
    wire.send(after=2000)
    wire.close()
    wire.open(after=100)
    assert wire.send() == [question]


def test_an_answer_right_after_a_resume_settles_its_question_when_nothing_follows(
    wire: Wire,
) -> None:
    resumed(wire, "q")
    wire.speak(after=600)
    wire.content(turnComplete=True)
    wire.close(after=6000)
    wire.open(after=100)
    assert wire.send() == []


def test_until_then_the_question_is_kept(wire: Wire) -> None:
    resumed(wire, "q")
    wire.speak(after=600)
    wire.content(turnComplete=True)
    wire.close(after=1000)
    wire.open(after=100)
    assert wire.send() == ["q"]


def test_a_question_that_cut_its_own_answer_short_is_still_owed_one(wire: Wire) -> None:
    resumed(wire, "q")
    wire.speak(after=100)
    wire.content(interrupted=True)
    wire.content(turnComplete=True)
    assert wire.session.busy
    wire.speak(after=2000)
    wire.content(turnComplete=True)
    assert not wire.session.busy


def test_an_answer_that_no_connection_is_long_enough_for_is_given_up(wire: Wire) -> None:
    wire.open()
    wire.update()
    wire.say("q")
    sent = [wire.send()]
    for _ in range(3):
        wire.speak(after=2000)
        wire.session.leave()
        wire.close(1000)
        wire.open(after=100)
        sent.append(wire.send())
    assert sent == [["q"], ["q"], ["q"], []]
    assert not wire.session.busy


def test_an_answer_that_has_come_in_full_is_not_asked_for_again(wire: Wire) -> None:
    wire.open()
    wire.update()
    wire.say("q")
    wire.send()
    wire.speak(after=2000)
    wire.content(generationComplete=True)
    frames, _ = wire.end(*LOST)
    assert [f.interrupted for f in frames if isinstance(f, TurnEnded)] == [False]
    wire.open(after=100)
    assert wire.send() == []


def test_a_handle_that_is_refused_again_and_again_is_given_up(wire: Wire) -> None:
    wire.open()
    wire.update()
    wire.close(after=20_000)
    for _ in range(8):
        assert wire.session.handle == "h"
        wire.session.opening(wire.now)
        wire.close(1011, "Internal error encountered.", after=1000)
    assert wire.session.handle is None
