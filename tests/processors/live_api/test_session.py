"""The state of a conversation: no sockets, no clock, no event loop."""

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import (
    SECOND,
    AudioFrame,
    Frame,
    Interruption,
    SessionEvent,
    Speaker,
    TextFrame,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
)
from processors.live_api.messages import Blob, ServerMessage
from processors.live_api.session import OUTPUT_RATE, Session

MS = SECOND // 1000


class Talk:
    """A session, its clock in milliseconds, and every frame that it has given."""

    def __init__(self) -> None:
        self.now = 0
        self.frames: list[Frame] = []
        self.session = Session(itertools.count(1).__next__)
        self.hear({"setupComplete": {}})
        self.frames.clear()

    def hear(self, message: dict[str, Any], after: int = 0) -> list[Frame]:
        self.now += after
        decoded = msgspec.convert(message, ServerMessage)
        return self.keep(self.session.received(decoded, self.now * MS))

    def content(self, after: int = 0, **content: Any) -> list[Frame]:
        return self.hear({"serverContent": content}, after)

    def audio(self, length: int, after: int = 0) -> list[Frame]:
        return self.content(after, modelTurn={"parts": [sound(length)]})

    def keep(self, frames: list[Frame]) -> list[Frame]:
        self.frames += frames
        return frames

    def say(self, start: int, end: int) -> None:
        """The user speaks, behind a gate."""
        self.session.speech_started(start * MS)
        self.session.speech_ended(end * MS)
        self.now = max(self.now, end)

    def close(self) -> list[Frame]:
        return self.keep(self.session.closed(self.now * MS))

    def lines(self) -> list[tuple[str, str]]:
        return [(f.speaker.value, f.text) for f in of(Transcript, self.frames) if f.final]


def sound(length: int, rate: int = OUTPUT_RATE) -> dict[str, Any]:
    data = np.ones(rate * length // 1000, "<i2").tobytes()
    return {"inlineData": Blob(mime_type=f"audio/pcm;rate={rate}", data=data)}


def of(kind: type[Any], frames: list[Frame]) -> list[Any]:
    return [frame for frame in frames if isinstance(frame, kind)]


def kinds(frames: list[Frame]) -> list[str]:
    return [type(frame).__name__ for frame in frames]


@pytest.fixture
def talk() -> Talk:
    return Talk()


# --- turns ---


def test_setup_makes_the_session_ready() -> None:
    session = Session(itertools.count(1).__next__)
    assert not session.ready
    message = msgspec.convert({"setupComplete": {"sessionId": "a-b"}}, ServerMessage)
    (event,) = session.received(message, 5)
    assert session.ready
    assert isinstance(event, SessionEvent)
    assert (event.kind, event.detail, event.pts) == ("started", "a-b", 5)


@pytest.mark.parametrize(
    "message", [{}, {"serverContent": {}}, {"serverContent": {"generationComplete": True}}]
)
def test_messages_that_mean_nothing_give_nothing(talk: Talk, message: dict[str, Any]) -> None:
    assert talk.hear(message) == []
    assert not talk.session.busy


def test_turns_are_numbered_and_their_frames_tagged(talk: Talk) -> None:
    for turn in (1, 2):
        started, audio = talk.audio(100)
        (ended,) = talk.content(turnComplete=True)
        assert isinstance(started, TurnStarted)
        assert isinstance(audio, AudioFrame)
        assert isinstance(ended, TurnEnded)
        assert [started.turn, audio.turn, ended.turn] == [turn] * 3
        assert not ended.interrupted


def test_a_turn_knows_when_it_was_asked_for(talk: Talk) -> None:
    talk.say(100, 900)
    assert of(TurnStarted, talk.audio(100, after=400))[0].asked == 900 * MS
    talk.content(turnComplete=True)
    assert of(TurnStarted, talk.audio(100))[0].asked is None


def test_a_typed_question_is_no_speech_to_measure_from(talk: Talk) -> None:
    talk.say(100, 900)
    talk.session.text_sent(TextFrame("Never mind.", pts=1000 * MS))
    assert of(TurnStarted, talk.audio(100))[0].asked is None


def test_speech_over_an_answer_is_what_the_next_turn_answers(talk: Talk) -> None:
    talk.say(0, 500)
    talk.audio(200)
    talk.say(600, 1200)
    talk.audio(200)
    talk.content(turnComplete=True)
    assert of(TurnStarted, talk.audio(100))[0].asked == 1200 * MS


def test_the_turn_that_only_calls_a_tool_leaves_the_question_open(talk: Talk) -> None:
    talk.say(0, 500)
    talk.hear({"toolCall": {"functionCalls": [{"id": "a", "name": "f"}]}})
    talk.content(turnComplete=True)
    assert of(TurnStarted, talk.content(modelTurn={"parts": [{"text": "4"}]}))[0].asked == 500 * MS
    talk.content(turnComplete=True)
    assert of(TurnStarted, talk.audio(100))[0].asked is None


def test_a_turn_complete_without_a_turn_is_ignored(talk: Talk) -> None:
    assert talk.content(turnComplete=True) == []


def test_it_says_when_the_connection_will_end(talk: Talk) -> None:
    (event,) = talk.hear({"goAway": {"timeLeft": "50s"}})
    assert isinstance(event, SessionEvent)
    assert (event.kind, event.detail) == ("go-away", "50s")


# --- whether something is owed ---


def test_it_is_busy_until_every_typed_question_has_its_turn(talk: Talk) -> None:
    for text in ("One?", "Two?"):
        talk.session.text_sent(TextFrame(text))
    talk.audio(100)
    talk.content(turnComplete=True)
    assert talk.session.busy
    talk.audio(100)
    assert talk.session.busy
    talk.content(turnComplete=True)
    assert not talk.session.busy


def test_an_answer_can_be_silence(talk: Talk) -> None:
    talk.session.text_sent(TextFrame("Do not answer."))
    assert talk.session.busy
    talk.content(turnComplete=True)
    assert not talk.session.busy


def test_silence_that_was_interrupted_is_no_answer(talk: Talk) -> None:
    talk.say(0, 500)
    talk.content(interrupted=True)
    talk.content(turnComplete=True)
    assert talk.session.busy
    talk.content(turnComplete=True)
    assert not talk.session.busy


def test_a_question_that_overtakes_another_is_answered_for_both(talk: Talk) -> None:
    for text in ("One?", "Two?"):
        talk.session.text_sent(TextFrame(text))
    talk.content(interrupted=True, turnComplete=True)
    talk.audio(100)
    talk.content(turnComplete=True)
    assert not talk.session.busy


def test_what_passes_the_gate_after_an_answer_is_no_question(talk: Talk) -> None:
    talk.say(0, 500)
    talk.audio(100)
    talk.content(turnComplete=True)
    talk.session.audio_sent(AudioFrame(np.zeros((320, 1), np.int16), 16_000, pts=700 * MS))
    assert not talk.session.busy


def test_speech_with_pauses_in_it_gets_one_answer(talk: Talk) -> None:
    talk.say(0, 500)
    talk.say(900, 1400)
    assert talk.session.busy
    talk.audio(100)
    talk.content(turnComplete=True)
    assert not talk.session.busy


def test_a_call_keeps_it_busy_until_its_result_is_used(talk: Talk) -> None:
    talk.hear({"toolCall": {"functionCalls": [{"id": "a", "name": "f"}]}})
    talk.content(turnComplete=True)
    assert talk.session.busy
    talk.session.tool_answered(ToolResult("a", "f", {}))
    assert talk.session.busy
    talk.audio(100)
    talk.content(turnComplete=True)
    assert not talk.session.busy


# --- audio ---


def test_audio_that_comes_in_a_burst_follows_without_gaps(talk: Talk) -> None:
    talk.now = 1000
    frames = of(AudioFrame, talk.audio(200) + talk.audio(300, after=40) + talk.audio(100, after=40))
    assert [frame.pts // MS for frame in frames] == [1000, 1200, 1500]
    assert talk.session.playhead == 1600 * MS


def test_audio_after_a_stall_begins_when_it_comes(talk: Talk) -> None:
    frames = of(AudioFrame, talk.audio(200) + talk.audio(200, after=500))
    assert [frame.pts // MS for frame in frames] == [0, 500]


def test_the_next_turn_waits_until_the_last_has_been_played(talk: Talk) -> None:
    talk.audio(5000)
    talk.content(turnComplete=True)
    assert of(AudioFrame, talk.audio(100, after=10))[0].pts == 5000 * MS


@pytest.mark.parametrize(
    ("mime_type", "rate"),
    [("audio/pcm;rate=16000", 16_000), ("audio/pcm; rate=48000", 48_000), ("audio/pcm", 24_000)],
)
def test_audio_has_the_rate_that_it_says(talk: Talk, mime_type: str, rate: int) -> None:
    blob = Blob(mime_type=mime_type, data=b"\x01\x00\xff\xff")
    frame = of(AudioFrame, talk.content(modelTurn={"parts": [{"inlineData": blob}]}))[0]
    assert frame.rate == rate
    assert frame.samples.tolist() == [[1], [-1]]
    assert frame.speaker is Speaker.MODEL


def test_other_parts_are_left_out(talk: Talk) -> None:
    parts = [
        {"text": "Let me think.", "thought": True},
        {"executableCode": {"language": "PYTHON", "code": "1 + 1"}},
        {"inlineData": Blob(mime_type="video/mp4", data=b"....")},
        sound(20),
    ]
    assert kinds(talk.content(modelTurn={"parts": parts})) == ["TurnStarted", "AudioFrame"]


# --- transcripts ---


def test_transcripts_grow_and_end_in_one_final_line(talk: Talk) -> None:
    talk.say(100, 900)
    talk.content(inputTranscription={"text": " What"})
    talk.content(inputTranscription={"text": " time?"})
    talk.audio(1000, after=300)
    talk.content(outputTranscription={"text": "Ten"})
    talk.content(outputTranscription={"text": " past two."})
    talk.content(turnComplete=True)
    texts = [(line.speaker.value, line.text, line.final) for line in of(Transcript, talk.frames)]
    assert texts == [
        ("user", "What", False),
        ("user", "What time?", False),
        ("model", "Ten", False),
        ("model", "Ten past two.", False),
        ("user", "What time?", True),
        ("model", "Ten past two.", True),
    ]
    user, model = of(Transcript, talk.frames)[-2:]
    assert (user.pts // MS, user.end // MS) == (100, 900)
    assert (model.pts // MS, model.end // MS) == (1200, 2200)
    assert not user.interrupted
    assert not model.interrupted


def test_the_users_line_comes_first_even_if_it_came_late(talk: Talk) -> None:
    talk.say(100, 900)
    talk.audio(500)
    talk.content(outputTranscription={"text": "Ten past two."})
    talk.content(inputTranscription={"text": "What time?"})
    talk.content(turnComplete=True)
    assert talk.lines() == [("user", "What time?"), ("model", "Ten past two.")]
    assert of(Transcript, talk.frames)[-2].pts == 100 * MS


def test_interleaved_transcripts_stay_apart(talk: Talk) -> None:
    talk.say(100, 900)
    for heard, said in (("What", "It is"), (" time", " ten"), (" is it?", " past two.")):
        talk.content(
            outputTranscription={"text": said},
            inputTranscription={"text": heard},
            modelTurn={"parts": [sound(100)]},
        )
    talk.content(turnComplete=True)
    assert talk.lines() == [("user", "What time is it?"), ("model", "It is ten past two.")]


def test_a_finished_transcript_is_final_at_once_and_once(talk: Talk) -> None:
    talk.say(100, 900)
    talk.content(inputTranscription={"text": "What time is it?", "finished": True})
    assert talk.lines() == [("user", "What time is it?")]
    talk.audio(100)
    talk.content(turnComplete=True)
    talk.close()
    assert talk.lines() == [("user", "What time is it?")]


def test_finished_alone_ends_what_came_before(talk: Talk) -> None:
    talk.say(100, 900)
    talk.content(inputTranscription={"text": "What time?"})
    talk.content(inputTranscription={"finished": True})
    assert talk.lines() == [("user", "What time?")]


def test_a_cut_answer_is_final_with_what_was_said_until_then(talk: Talk) -> None:
    talk.say(0, 500)
    talk.content(inputTranscription={"text": "Tell me a story."})
    talk.audio(4000)
    talk.content(outputTranscription={"text": "Once upon a time"})
    talk.session.speech_started(900 * MS)
    frames = talk.content(after=1000, interrupted=True)
    assert kinds(frames) == ["Interruption", "Transcript", "Transcript"]
    user, model = frames[1:]
    assert isinstance(model, Transcript)
    assert isinstance(user, Transcript)
    assert (user.text, user.interrupted) == ("Tell me a story.", False)
    assert (model.text, model.interrupted) == ("Once upon a time", True)
    assert model.end == 1500 * MS
    talk.content(inputTranscription={"text": "Stop!"})
    talk.content(turnComplete=True)
    talk.session.speech_ended(1300 * MS)
    talk.audio(100)
    talk.content(outputTranscription={"text": "All right."})
    talk.content(turnComplete=True)
    assert talk.lines()[2:] == [("user", "Stop!"), ("model", "All right.")]


def test_words_that_come_after_the_cut_are_not_said_any_more(talk: Talk) -> None:
    talk.audio(4000)
    talk.content(outputTranscription={"text": "Once upon"})
    talk.content(after=500, interrupted=True)
    assert talk.content(outputTranscription={"text": " a time"}) == []
    talk.content(turnComplete=True)
    assert talk.lines() == [("model", "Once upon")]


def test_what_was_cut_before_it_began_to_sound_has_no_length(talk: Talk) -> None:
    talk.audio(3000)
    talk.content(turnComplete=True)
    talk.audio(1000, after=100)
    talk.content(outputTranscription={"text": "More"})
    talk.content(after=100, interrupted=True)
    line = of(Transcript, talk.frames)[-1]
    assert (line.pts, line.end) == (3000 * MS, 3000 * MS)


def test_words_ahead_of_their_audio_begin_the_turn(talk: Talk) -> None:
    talk.audio(3000)
    talk.content(turnComplete=True)
    started, line = talk.content(after=100, outputTranscription={"text": "More"})
    assert isinstance(started, TurnStarted)
    assert isinstance(line, Transcript)
    assert (started.turn, line.turn) == (2, 2)
    assert line.pts == 3000 * MS
    assert kinds(talk.audio(500)) == ["AudioFrame"]
    talk.content(turnComplete=True)
    final = of(Transcript, talk.frames)[-1]
    assert (final.pts, final.end) == (3000 * MS, 3500 * MS)


def test_typed_text_is_a_final_line(talk: Talk) -> None:
    (line,) = talk.session.text_sent(TextFrame("Hello?", pts=70 * MS))
    assert isinstance(line, Transcript)
    assert (line.speaker, line.text, line.final, line.pts) == (
        Speaker.USER,
        "Hello?",
        True,
        70 * MS,
    )


def test_written_answers_are_text_and_transcript(talk: Talk) -> None:
    frames = talk.content(modelTurn={"parts": [{"text": "Hel"}]})
    assert kinds(frames) == ["TurnStarted", "TextFrame", "Transcript"]
    assert of(TextFrame, frames)[0].speaker is Speaker.MODEL
    talk.content(modelTurn={"parts": [{"text": "lo."}]})
    talk.content(turnComplete=True)
    assert [frame.text for frame in of(TextFrame, talk.frames)] == ["Hel", "lo."]
    assert talk.lines() == [("model", "Hello.")]


def test_without_a_gate_an_utterance_is_the_audio_between_two_answers(talk: Talk) -> None:
    def send(begin: int, end: int) -> None:
        for pts in range(begin, end, 20):
            frame = AudioFrame(np.zeros((320, 1), np.int16), 16_000, pts=pts * MS)
            talk.session.audio_sent(frame)

    send(0, 1000)
    assert talk.session.busy
    talk.content(inputTranscription={"text": "Hello?"})
    talk.audio(500)
    send(1000, 1500)
    talk.content(turnComplete=True)
    user = next(f for f in of(Transcript, talk.frames) if f.final)
    assert (user.text, user.pts // MS, user.end // MS) == ("Hello?", 0, 1000)
    send(1500, 1600)
    talk.content(inputTranscription={"text": "And then?"})
    last = of(Transcript, talk.close())[-1]
    assert (last.text, last.pts // MS, last.end // MS) == ("And then?", 1500, 1600)


def test_the_end_of_the_connection_makes_everything_final(talk: Talk) -> None:
    talk.say(0, 500)
    talk.content(inputTranscription={"text": "Hello?"})
    talk.audio(3000)
    talk.content(outputTranscription={"text": "Good"})
    frames = talk.close()
    assert kinds(frames) == ["Transcript", "Transcript", "TurnEnded"]
    assert [line.text for line in of(Transcript, frames)] == ["Hello?", "Good"]
    assert of(TurnEnded, frames)[0].interrupted
    assert not talk.session.busy
    assert talk.close() == []


# --- interruptions ---


def test_an_interruption_cuts_the_turn(talk: Talk) -> None:
    talk.audio(4000)
    (cut,) = talk.content(after=1000, interrupted=True)
    assert isinstance(cut, Interruption)
    assert (cut.turn, cut.pts) == (1, 1000 * MS)
    (ended,) = talk.content(turnComplete=True)
    assert isinstance(ended, TurnEnded)
    assert (ended.turn, ended.interrupted) == (1, True)


def test_an_interruption_and_the_end_can_come_together(talk: Talk) -> None:
    talk.audio(4000)
    assert kinds(talk.content(interrupted=True, turnComplete=True)) == ["Interruption", "TurnEnded"]


def test_an_interruption_of_nothing_is_ignored(talk: Talk) -> None:
    assert talk.content(interrupted=True) == []
    talk.audio(500)
    talk.content(turnComplete=True)
    assert talk.content(after=600, interrupted=True) == []


def test_an_interruption_while_the_last_turn_still_plays_stops_it(talk: Talk) -> None:
    talk.audio(4000)
    talk.content(turnComplete=True)
    (cut,) = talk.content(after=1000, interrupted=True)
    assert isinstance(cut, Interruption)
    assert cut.turn == 1
    assert talk.content(interrupted=True) == []
    audio = of(AudioFrame, talk.audio(100, after=10))[0]
    assert (audio.turn, audio.pts) == (2, 1010 * MS)


def test_the_same_interruption_twice_counts_once(talk: Talk) -> None:
    talk.audio(4000)
    talk.content(interrupted=True)
    assert talk.content(interrupted=True) == []


def test_late_audio_belongs_to_the_turn_that_was_cut(talk: Talk) -> None:
    talk.audio(4000)
    talk.content(after=1000, interrupted=True)
    (late,) = talk.audio(200, after=20)
    assert isinstance(late, AudioFrame)
    assert late.turn == 1
    talk.content(turnComplete=True)
    audio = of(AudioFrame, talk.audio(100, after=20))[0]
    assert (audio.turn, audio.pts) == (2, 1040 * MS)


# --- usage ---


@pytest.mark.parametrize("side", ["response", "candidates"])
def test_usage_is_read_in_both_spellings(talk: Talk, side: str) -> None:
    talk.audio(100)
    report = {
        "promptTokenCount": 69,
        f"{side}TokenCount": 176,
        "totalTokenCount": 245,
        "promptTokensDetails": [
            {"modality": "AUDIO", "tokenCount": 58},
            {"modality": "TEXT", "tokenCount": 11},
        ],
        f"{side}TokensDetails": [{"modality": "AUDIO", "tokenCount": 176}],
    }
    message = {"serverContent": {"turnComplete": True}, "usageMetadata": report}
    usage = of(Usage, talk.hear(message))[0]
    assert usage.prompt == {"AUDIO": 58, "TEXT": 11}
    assert usage.response == {"AUDIO": 176}
    assert (usage.total, usage.turn) == (245, 1)


def test_usage_after_the_turn_belongs_to_it(talk: Talk) -> None:
    talk.audio(100)
    talk.content(turnComplete=True)
    assert of(Usage, talk.hear({"usageMetadata": {"totalTokenCount": 3}}))[0].turn == 1


# --- tools ---


def call(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"toolCall": {"functionCalls": list(calls)}}


def test_a_call_is_answered_exactly_once(talk: Talk) -> None:
    frames = talk.hear(call({"id": "function-call-7", "name": "f", "args": {"a_b": 1}}))
    assert kinds(frames) == ["TurnStarted", "ToolCall"]
    asked = of(ToolCall, frames)[0]
    assert (asked.id, asked.name, asked.arguments) == ("function-call-7", "f", {"a_b": 1})
    result = ToolResult(asked.id, "f", {"output": 2})
    answer = talk.session.tool_answered(result)
    assert answer is not None
    (response,) = answer.tool_response.function_responses  # type: ignore[union-attr]
    assert (response.id, response.name, response.response) == (
        "function-call-7",
        "f",
        {"output": 2},
    )
    assert talk.session.tool_answered(result) is None


def test_calls_without_ids_get_their_own_and_are_answered_without(talk: Talk) -> None:
    first, second = of(ToolCall, talk.hear(call({"name": "f"}, {"name": "f"})))
    assert first.id
    assert first.id != second.id
    for asked in (second, first):
        answer = talk.session.tool_answered(ToolResult(asked.id, "f", {"output": 1}))
        assert answer is not None
        assert answer.tool_response.function_responses[0].id == ""  # type: ignore[union-attr]


def test_a_repeated_call_is_ignored_while_the_first_is_pending(talk: Talk) -> None:
    talk.hear(call({"id": "a", "name": "f"}))
    assert talk.hear(call({"id": "a", "name": "f"})) == []
    talk.session.tool_answered(ToolResult("a", "f", {}))
    assert kinds(talk.hear(call({"id": "a", "name": "f"}))) == ["ToolCall"]


def test_a_repeated_call_begins_no_turn(talk: Talk) -> None:
    talk.hear(call({"id": "a", "name": "f"}))
    talk.content(turnComplete=True)
    assert talk.hear(call({"id": "a", "name": "f"})) == []


def test_a_withdrawn_call_is_not_answered(talk: Talk) -> None:
    talk.hear(call({"id": "a", "name": "f"}, {"id": "b", "name": "f"}))
    talk.content(interrupted=True)
    (cancelled,) = talk.hear({"toolCallCancellation": {"ids": ["a", "unknown"]}})
    assert isinstance(cancelled, ToolCallCancelled)
    assert cancelled.ids == ("a",)
    assert talk.session.tool_answered(ToolResult("a", "f", {})) is None
    assert talk.session.tool_answered(ToolResult("b", "f", {})) is not None


def test_the_withdrawal_of_what_is_not_pending_gives_nothing(talk: Talk) -> None:
    talk.hear(call({"id": "a", "name": "f"}))
    talk.session.tool_answered(ToolResult("a", "f", {}))
    assert talk.hear({"toolCallCancellation": {"ids": ["a"]}}) == []


def test_a_result_that_nobody_asked_for_is_not_sent(talk: Talk) -> None:
    assert talk.session.tool_answered(ToolResult("a", "f", {})) is None


# --- whatever happens ---

words = st.sampled_from(["", " ", "Yes", " and", " no."])
transcription = st.fixed_dictionaries({"text": words}, optional={"finished": st.booleans()})
part = st.one_of(
    st.integers(0, 400).map(sound),
    st.fixed_dictionaries({"text": words}, optional={"thought": st.booleans()}),
)
content = st.fixed_dictionaries(
    {},
    optional={
        "modelTurn": st.fixed_dictionaries({}, optional={"parts": st.lists(part, max_size=3)}),
        "generationComplete": st.booleans(),
        "turnComplete": st.booleans(),
        "interrupted": st.booleans(),
        "inputTranscription": transcription,
        "outputTranscription": transcription,
    },
)
ids = st.sampled_from(["", "a", "b"])
message = st.fixed_dictionaries(
    {},
    optional={
        "serverContent": content,
        "toolCall": st.fixed_dictionaries(
            {
                "functionCalls": st.lists(
                    st.fixed_dictionaries({"id": ids, "name": st.just("f")}), max_size=3
                )
            }
        ),
        "toolCallCancellation": st.fixed_dictionaries({"ids": st.lists(ids, max_size=3)}),
        "usageMetadata": st.fixed_dictionaries({"totalTokenCount": st.integers(0, 9)}),
        "goAway": st.just({"timeLeft": "50s"}),
    },
)
event = st.one_of(
    message,
    message,
    st.sampled_from(["speech starts", "speech ends", "audio", "text"]),
    st.integers(0, 5).map(lambda index: ("answer", index)),
)


def drive(events: list[tuple[int, Any]]) -> Iterator[tuple[str, Any]]:
    """What goes out and comes in: every frame, and the id of every answer that is sent."""
    session = Session(itertools.count(1).__next__)
    now = 0
    asked: list[ToolCall] = []
    for pause, happens in events:
        now += pause * MS
        given: list[Frame] = []
        if happens == "speech starts":
            session.speech_started(now)
        elif happens == "speech ends":
            session.speech_ended(now)
        elif happens == "audio":
            session.audio_sent(AudioFrame(np.zeros((320, 1), np.int16), 16_000, pts=now))
        elif happens == "text":
            given = session.text_sent(TextFrame("typed", pts=now))
        elif isinstance(happens, tuple):
            if asked:
                known = asked[happens[1] % len(asked)]
                if session.tool_answered(ToolResult(known.id, known.name, {})) is not None:
                    yield "answer", known.id
        else:
            given = session.received(msgspec.convert(happens, ServerMessage), now)
        for frame in given:
            if isinstance(frame, ToolCall):
                asked.append(frame)
            yield "frame", (now, frame)
    for frame in session.closed(now):
        yield "frame", (now, frame)
    assert not session.busy


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), event), max_size=40))
def test_whatever_happens_the_frames_make_sense(events: list[tuple[int, Any]]) -> None:
    current = 0  # the turn under way
    latest = 0
    cut: set[int] = set()
    lines: dict[tuple[Speaker, int], str] = {}  # utterances under way
    open_calls: set[str] = set()
    played = 0  # until when the audio reaches
    for what, value in drive(events):
        if what == "answer":
            open_calls.remove(value)
            continue
        now, frame = value
        assert frame.turn <= latest + isinstance(frame, TurnStarted)
        if isinstance(frame, TurnStarted):
            assert not current
            assert frame.turn == latest + 1
            current = latest = frame.turn
        elif isinstance(frame, TurnEnded):
            assert frame.turn == current
            assert frame.interrupted or current not in cut
            current = 0
        elif isinstance(frame, Interruption):
            assert frame.turn == latest
            assert current or played > now
            cut.add(frame.turn)
            played = min(played, now)
        elif isinstance(frame, AudioFrame):
            assert frame.turn == current
            if frame.turn not in cut:
                assert frame.pts == max(played, now)
                played = frame.end
        elif isinstance(frame, ToolCall):
            assert frame.id
            assert frame.id not in open_calls
            assert frame.turn == current
            open_calls.add(frame.id)
        elif isinstance(frame, ToolCallCancelled):
            assert frame.ids
            open_calls.difference_update(frame.ids)
        elif isinstance(frame, Transcript) and frame.text != "typed":
            check_line(lines, frame)
    assert not current
    assert not any(lines.values())


def check_line(lines: dict[tuple[Speaker, int], str], line: Transcript) -> None:
    """Each utterance grows until its one final line, which says what was heard last."""
    utterance = (line.speaker, line.pts)
    before = lines.pop(utterance, "")
    if line.final:
        assert line.text == before != ""
        assert line.pts <= line.end
    else:
        assert line.text.startswith(before)
        lines[utterance] = line.text
