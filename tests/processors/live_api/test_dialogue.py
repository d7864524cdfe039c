"""Who says what, turn by turn: no sockets, no clock, no event loop."""

import itertools
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import (
    SECOND,
    AudioFrame,
    Code,
    CodeResult,
    Frame,
    Grounding,
    Interruption,
    Speaker,
    SpeechEnded,
    SpeechStarted,
    TextFrame,
    Thought,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    Transcript,
    TurnEnded,
    TurnStarted,
    VideoFrame,
    WebPage,
)
from processors.live_api.dialogue import Dialogue
from processors.live_api.messages import Blob, Scheduling, ServerMessage
from processors.live_api.parts import OUTPUT_RATE

MS = SECOND // 1000


class Talk:
    """A dialogue, its clock in milliseconds, and every frame that it has given."""

    def __init__(self) -> None:
        self.now = 0
        self.frames: list[Frame] = []
        self.dialogue = Dialogue(itertools.count(1).__next__, transcribed=True)

    def hear(self, message: dict[str, Any], after: int = 0) -> list[Frame]:
        self.now += after
        decoded = msgspec.convert(message, ServerMessage)
        return self.keep(self.dialogue.received(decoded, self.now * MS))

    def content(self, after: int = 0, **content: Any) -> list[Frame]:
        return self.hear({"serverContent": content}, after)

    def audio(self, length: int, after: int = 0) -> list[Frame]:
        return self.content(after, modelTurn={"parts": [sound(length)]})

    def keep(self, frames: Iterable[Frame]) -> list[Frame]:
        given = list(frames)
        self.frames += given
        return given

    def say(self, start: int, end: int) -> None:
        """The user speaks, behind a gate."""
        self.dialogue.speech_started(start * MS)
        self.dialogue.speech_ended(end * MS)
        self.now = max(self.now, end)

    def close(self) -> list[Frame]:
        return self.keep(self.dialogue.close(self.now * MS))

    def cut_off(self, after: int = 0) -> list[Frame]:
        self.now += after
        return self.keep(self.dialogue.cut_off(self.now * MS))

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


@pytest.mark.parametrize(
    "message", [{}, {"serverContent": {}}, {"serverContent": {"generationComplete": True}}]
)
def test_messages_that_mean_nothing_give_nothing(talk: Talk, message: dict[str, Any]) -> None:
    assert talk.hear(message) == []
    assert not talk.dialogue.busy


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
    talk.dialogue.text_sent(TextFrame("Never mind.", pts=1000 * MS))
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


# --- whether something is owed ---


def test_it_is_busy_until_every_typed_question_has_its_turn(talk: Talk) -> None:
    for text in ("One?", "Two?"):
        talk.dialogue.text_sent(TextFrame(text))
    talk.audio(100)
    talk.content(turnComplete=True)
    assert talk.dialogue.busy
    talk.audio(100)
    assert talk.dialogue.busy
    talk.content(turnComplete=True)
    assert not talk.dialogue.busy


def test_an_answer_can_be_silence(talk: Talk) -> None:
    talk.dialogue.text_sent(TextFrame("Do not answer."))
    assert talk.dialogue.busy
    talk.content(turnComplete=True)
    assert not talk.dialogue.busy


def test_silence_that_was_interrupted_is_no_answer(talk: Talk) -> None:
    talk.say(0, 500)
    talk.content(interrupted=True)
    talk.content(turnComplete=True)
    assert talk.dialogue.busy
    talk.content(turnComplete=True)
    assert not talk.dialogue.busy


def test_a_question_that_overtakes_another_is_answered_for_both(talk: Talk) -> None:
    for text in ("One?", "Two?"):
        talk.dialogue.text_sent(TextFrame(text))
    talk.content(interrupted=True, turnComplete=True)
    talk.audio(100)
    talk.content(turnComplete=True)
    assert not talk.dialogue.busy


def test_what_passes_the_gate_after_an_answer_is_no_question(talk: Talk) -> None:
    talk.say(0, 500)
    talk.audio(100)
    talk.content(turnComplete=True)
    talk.dialogue.audio_sent(AudioFrame(np.zeros((320, 1), np.int16), 16_000, pts=700 * MS))
    assert not talk.dialogue.busy


def test_speech_with_pauses_in_it_gets_one_answer(talk: Talk) -> None:
    talk.say(0, 500)
    talk.say(900, 1400)
    assert talk.dialogue.busy
    talk.audio(100)
    talk.content(turnComplete=True)
    assert not talk.dialogue.busy


def test_a_turn_that_goes_on_is_not_over(talk: Talk) -> None:
    talk.audio(100)
    talk.content(turnComplete=True, interactionStatus="IN_PROGRESS")
    assert talk.dialogue.busy
    talk.audio(100)
    talk.content(turnComplete=True, interactionStatus="IDLE")
    assert not talk.dialogue.busy


def test_a_result_is_due_an_answer_unless_it_is_for_silence(talk: Talk) -> None:
    cases: list[tuple[Scheduling | None, bool]]
    cases = [("SILENT", False), ("WHEN_IDLE", True), (None, True)]
    for id, (scheduling, due) in zip("abc", cases, strict=True):
        talk.hear({"toolCall": {"functionCalls": [{"id": id, "name": "f"}]}})
        talk.content(turnComplete=True)
        answer = talk.dialogue.tool_answered(ToolResult(id, "f", {}), scheduling)
        assert answer is not None
        assert answer.tool_response.function_responses[0].scheduling == scheduling  # type: ignore[union-attr]
        assert talk.dialogue.busy is talk.dialogue.asked is due
        talk.audio(100)
        talk.content(turnComplete=True)


def test_a_call_keeps_it_busy_until_its_result_is_used(talk: Talk) -> None:
    talk.hear({"toolCall": {"functionCalls": [{"id": "a", "name": "f"}]}})
    talk.content(turnComplete=True)
    assert talk.dialogue.busy
    talk.dialogue.tool_answered(ToolResult("a", "f", {}))
    assert talk.dialogue.busy
    talk.audio(100)
    talk.content(turnComplete=True)
    assert not talk.dialogue.busy


# --- audio ---


def test_audio_that_comes_in_a_burst_follows_without_gaps(talk: Talk) -> None:
    talk.now = 1000
    frames = of(AudioFrame, talk.audio(200) + talk.audio(300, after=40) + talk.audio(100, after=40))
    assert [frame.pts // MS for frame in frames] == [1000, 1200, 1500]
    assert talk.dialogue.playhead == 1600 * MS


def test_audio_after_a_stall_begins_when_it_comes(talk: Talk) -> None:
    frames = of(AudioFrame, talk.audio(200) + talk.audio(200, after=500))
    assert [frame.pts // MS for frame in frames] == [0, 500]


def test_the_next_turn_waits_until_the_last_has_been_played(talk: Talk) -> None:
    talk.audio(5000)
    talk.content(turnComplete=True)
    assert of(AudioFrame, talk.audio(100, after=10))[0].pts == 5000 * MS


@pytest.mark.parametrize(
    ("mime_type", "rate"),
    [
        ("audio/pcm;rate=16000", 16_000),
        ("audio/pcm; rate=48000", 48_000),
        ("audio/pcm", 24_000),
        ("audio/pcm;rate=1", 24_000),
        (f"audio/pcm;rate={'1' * 5000}", 24_000),
    ],
)
def test_audio_has_the_rate_that_it_says(talk: Talk, mime_type: str, rate: int) -> None:
    blob = Blob(mime_type=mime_type, data=b"\x01\x00\xff\xff")
    frame = of(AudioFrame, talk.content(modelTurn={"parts": [{"inlineData": blob}]}))[0]
    assert frame.rate == rate
    assert frame.samples.tolist() == [[1], [-1]]
    assert frame.speaker is Speaker.MODEL


def test_parts_of_other_kinds_have_frames_of_their_own(talk: Talk) -> None:
    parts = [
        {"text": "Let me think.", "thought": True},
        {"executableCode": {"language": "PYTHON", "code": "1 / 0"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "output": "no"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "yes"}},
        {"inlineData": Blob(mime_type="video/mp4", data=b"....")},
        sound(20),
    ]
    _, thought, code, failed, worked, video, audio = talk.content(modelTurn={"parts": parts})
    assert isinstance(thought, Thought)
    assert thought.text == "Let me think."
    assert isinstance(code, Code)
    assert (code.code, code.language) == ("1 / 0", "PYTHON")
    assert [(f.output, f.failed) for f in of(CodeResult, [failed, worked])] == [
        ("no", True),
        ("yes", False),
    ]
    assert isinstance(video, VideoFrame)
    assert (video.data, video.mime_type, video.turn) == (b"....", "video/mp4", 1)
    assert isinstance(audio, AudioFrame)
    assert talk.lines() == []


@pytest.mark.parametrize("field", ["type", "voiceActivityType"])
def test_what_the_service_hears_is_told_where_it_was_asked_to(talk: Talk, field: str) -> None:
    start = talk.hear({"voiceActivity": {field: "ACTIVITY_START", "audioOffset": "0.5s"}})
    end = talk.hear({"voiceActivity": {field: "ACTIVITY_END"}})
    assert [type(frame) for frame in (*start, *end)] == [SpeechStarted, SpeechEnded]
    assert talk.hear({"voiceActivity": {field: "ACTIVITY_OF_TOMORROW"}}) == []


def test_what_was_searched_and_found_is_told(talk: Talk) -> None:
    chunks = [{"web": {"uri": "https://a.example", "title": "A"}}, {}]
    metadata = {"webSearchQueries": ["weather"], "groundingChunks": chunks}
    (found,) = of(Grounding, talk.content(groundingMetadata=metadata))
    assert found.queries == ("weather",)
    assert found.pages == (WebPage("https://a.example", "A"),)


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


def test_sound_after_a_finished_question_begins_no_other(talk: Talk) -> None:
    """Without a gate, what the microphone brings until the answer is silence."""

    def send(pts: int) -> None:
        frame = AudioFrame(np.zeros((320, 1), np.int16), 16_000, pts=pts * MS)
        talk.dialogue.audio_sent(frame)

    for turn, (question, answer) in enumerate((("One?", "Two."), ("Three?", "Four."))):
        send(turn * 1000)
        talk.content(inputTranscription={"text": question, "finished": True})
        send(turn * 1000 + 100)
        talk.audio(100)
        talk.content(outputTranscription={"text": answer})
        talk.content(after=1000, turnComplete=True)
        assert talk.lines()[-2:] == [("user", question), ("model", answer)]
    assert not talk.dialogue.busy


def test_words_that_may_change_are_shown_and_replaced(talk: Talk) -> None:
    talk.say(100, 900)
    for text in ("Wot", "What tide"):
        (line,) = of(Transcript, talk.content(interimInputTranscription={"text": text}))
        assert (line.text, line.final) == (text, False)
    talk.content(inputTranscription={"text": "What time"})
    (line,) = of(Transcript, talk.content(interimInputTranscription={"text": " is"}))
    assert line.text == "What time is"
    talk.audio(100)
    talk.content(turnComplete=True)
    assert talk.lines() == [("user", "What time is")]


def test_a_question_of_which_only_unsure_words_came_has_these(talk: Talk) -> None:
    talk.say(100, 900)
    talk.content(inputTranscription={"text": " "})
    talk.content(interimInputTranscription={"text": "What"})
    talk.close()
    assert talk.lines() == [("user", "What")]


def test_words_heard_during_an_answer_were_said_before_it(talk: Talk) -> None:
    talk.audio(1000)
    talk.content(outputTranscription={"text": "Ten past two."})
    talk.content(after=300, inputTranscription={"text": "What time?"})
    talk.content(turnComplete=True)
    assert talk.lines() == [("user", "What time?"), ("model", "Ten past two.")]
    user, model = (line for line in of(Transcript, talk.frames) if line.final)
    assert user.pts <= model.pts


def test_an_answer_does_not_wait_for_words_that_nothing_promises(talk: Talk) -> None:
    talk.content(modelTurn={})
    talk.dialogue.speech_started(0)  # a cough
    talk.audio(500, after=100)
    talk.content(outputTranscription={"text": "Good day."}, turnComplete=True)
    assert talk.lines() == [("model", "Good day.")]
    talk.content(inputTranscription={"text": "Hello"})
    talk.close()
    model, user = (line for line in of(Transcript, talk.frames) if line.final)
    assert model.pts <= user.pts <= user.end


def test_what_is_said_over_an_answer_comes_after_it(talk: Talk) -> None:
    talk.audio(4000)
    talk.content(outputTranscription={"text": "Once upon"})
    talk.dialogue.speech_started(900 * MS)
    talk.content(after=1300, inputTranscription={"text": "Stop!", "finished": True})
    talk.content(interrupted=True, turnComplete=True)
    talk.audio(100)
    talk.content(turnComplete=True)
    assert talk.lines() == [("model", "Once upon"), ("user", "Stop!")]


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
    talk.dialogue.speech_started(900 * MS)
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
    talk.dialogue.speech_ended(1300 * MS)
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
    (line,) = talk.dialogue.text_sent(TextFrame("Hello?", pts=70 * MS))
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
            talk.dialogue.audio_sent(frame)

    send(0, 1000)
    assert talk.dialogue.busy
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


def test_the_end_of_the_conversation_makes_everything_final(talk: Talk) -> None:
    talk.say(0, 500)
    talk.content(inputTranscription={"text": "Hello?"})
    talk.audio(3000)
    talk.content(outputTranscription={"text": "Good"})
    frames = talk.close()
    assert kinds(frames) == ["Transcript", "Transcript", "TurnEnded"]
    assert [line.text for line in of(Transcript, frames)] == ["Hello?", "Good"]
    assert of(TurnEnded, frames)[0].interrupted
    assert not talk.dialogue.busy
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


# --- tools ---


def call(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"toolCall": {"functionCalls": list(calls)}}


def test_a_call_is_answered_exactly_once(talk: Talk) -> None:
    frames = talk.hear(call({"id": "function-call-7", "name": "f", "args": {"a_b": 1}}))
    assert kinds(frames) == ["TurnStarted", "ToolCall"]
    asked = of(ToolCall, frames)[0]
    assert (asked.id, asked.name, asked.arguments) == ("function-call-7", "f", {"a_b": 1})
    result = ToolResult(asked.id, "f", {"output": 2})
    answer = talk.dialogue.tool_answered(result)
    assert answer is not None
    (response,) = answer.tool_response.function_responses  # type: ignore[union-attr]
    assert (response.id, response.name, response.response) == (
        "function-call-7",
        "f",
        {"output": 2},
    )
    assert talk.dialogue.tool_answered(result) is None


def test_calls_without_ids_get_their_own_and_are_answered_without(talk: Talk) -> None:
    first, second = of(ToolCall, talk.hear(call({"name": "f"}, {"name": "f"})))
    assert first.id
    assert first.id != second.id
    for asked in (second, first):
        answer = talk.dialogue.tool_answered(ToolResult(asked.id, "f", {"output": 1}))
        assert answer is not None
        assert answer.tool_response.function_responses[0].id == ""  # type: ignore[union-attr]


def test_a_repeated_call_is_ignored_while_the_first_is_pending(talk: Talk) -> None:
    talk.hear(call({"id": "a", "name": "f"}))
    assert talk.hear(call({"id": "a", "name": "f"})) == []
    talk.dialogue.tool_answered(ToolResult("a", "f", {}))
    assert kinds(talk.hear(call({"id": "a", "name": "f", "args": {"n": 1}}))) == ["ToolCall"]


def test_a_call_that_was_answered_is_not_run_again(talk: Talk) -> None:
    talk.hear(call({"id": "a", "name": "f"}))
    answer = talk.dialogue.tool_answered(ToolResult("a", "f", {}))
    assert talk.hear(call({"id": "a", "name": "f"})) == []
    assert talk.dialogue.calls.take_repeated() == [answer]
    assert talk.dialogue.calls.take_repeated() == []


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
    assert talk.dialogue.tool_answered(ToolResult("a", "f", {})) is None
    assert talk.dialogue.tool_answered(ToolResult("b", "f", {})) is not None


def test_the_withdrawal_of_what_is_not_pending_gives_nothing(talk: Talk) -> None:
    talk.hear(call({"id": "a", "name": "f"}))
    talk.dialogue.tool_answered(ToolResult("a", "f", {}))
    assert talk.hear({"toolCallCancellation": {"ids": ["a"]}}) == []


def test_a_result_that_nobody_asked_for_is_not_sent(talk: Talk) -> None:
    assert talk.dialogue.tool_answered(ToolResult("a", "f", {})) is None


# --- another connection ---


def test_an_answer_that_is_cut_off_ends_and_is_still_due(talk: Talk) -> None:
    talk.say(0, 500)
    talk.content(inputTranscription={"text": "What time?"})
    talk.audio(4000)
    talk.content(outputTranscription={"text": "Ten"})
    frames = talk.cut_off(after=1000)
    assert kinds(frames) == ["Transcript", "Transcript", "TurnEnded"]
    user, model, ended = frames
    assert isinstance(user, Transcript)
    assert isinstance(model, Transcript)
    assert isinstance(ended, TurnEnded)
    assert (user.text, user.interrupted) == ("What time?", False)
    assert (model.text, model.interrupted) == ("Ten", True)
    assert ended.interrupted
    assert talk.dialogue.busy
    assert talk.dialogue.asked
    assert talk.cut_off() == []


def test_what_is_heard_again_is_no_second_line(talk: Talk) -> None:
    talk.say(0, 500)
    talk.content(inputTranscription={"text": "What time?"})
    talk.audio(4000)
    talk.content(outputTranscription={"text": "Ten"})
    talk.cut_off(after=1000)
    assert talk.content(inputTranscription={"text": "What time?"}) == []
    cut, started, audio = talk.audio(100)  # it answers from the beginning
    assert isinstance(cut, Interruption)
    assert isinstance(started, TurnStarted)
    assert isinstance(audio, AudioFrame)
    assert audio.pts == talk.now * MS
    talk.content(outputTranscription={"text": "Ten past two."}, turnComplete=True)
    assert talk.lines() == [("user", "What time?"), ("model", "Ten"), ("model", "Ten past two.")]


def test_sound_before_an_answer_that_comes_again_is_no_question(talk: Talk) -> None:
    def send() -> None:
        frame = AudioFrame(np.zeros((320, 1), np.int16), 16_000, pts=talk.now * MS)
        talk.dialogue.audio_sent(frame)

    send()
    talk.content(after=1000, inputTranscription={"text": "What time?"})
    talk.content(outputTranscription={"text": "Ten"})
    talk.cut_off(after=100)
    send()
    talk.content(after=500, outputTranscription={"text": "Ten past two."}, turnComplete=True)
    assert talk.lines() == [("user", "What time?"), ("model", "Ten"), ("model", "Ten past two.")]


def test_a_question_is_one_line_however_often_its_answer_is_cut_off(talk: Talk) -> None:
    talk.dialogue.audio_sent(AudioFrame(np.zeros((320, 1), np.int16), 16_000))
    for _ in range(4):
        talk.content(after=500, inputTranscription={"text": "What time?"})
        talk.audio(1000)
        talk.content(outputTranscription={"text": "Ten"})
        talk.dialogue.audio_sent(AudioFrame(np.zeros((320, 1), np.int16), 16_000))
        talk.cut_off(after=100)
    assert talk.lines() == [("user", "What time?"), *[("model", "Ten")] * 4]
    talk.content(outputTranscription={"text": "Ten past two."}, turnComplete=True)
    talk.content(after=500, inputTranscription={"text": "What time?"})
    talk.close()
    assert talk.lines()[5:] == [("model", "Ten past two."), ("user", "What time?")]


def test_what_was_asked_over_an_answer_that_is_cut_off_is_kept(talk: Talk) -> None:
    talk.say(0, 500)
    talk.content(inputTranscription={"text": "A story!"})
    talk.audio(4000)
    talk.dialogue.speech_started(900 * MS)
    talk.content(after=900, interrupted=True)
    talk.cut_off(after=100)
    talk.content(inputTranscription={"text": "Stop!"})
    talk.audio(100)
    talk.content(turnComplete=True)
    assert talk.lines() == [("user", "A story!"), ("user", "Stop!")]


def test_words_that_were_being_spoken_begin_anew(talk: Talk) -> None:
    talk.dialogue.speech_started(0)
    talk.content(inputTranscription={"text": "What"}, interimInputTranscription={"text": " tide"})
    talk.cut_off(after=300)
    talk.content(after=900, inputTranscription={"text": "What time?"})
    talk.audio(100)
    talk.content(turnComplete=True)
    assert talk.lines() == [("user", "What time?")]


def test_words_that_do_not_come_again_are_kept(talk: Talk) -> None:
    talk.say(0, 500)
    talk.content(inputTranscription={"text": "What time?"})
    talk.cut_off()
    talk.audio(100)
    talk.content(turnComplete=True)
    assert talk.lines() == [("user", "What time?")]


def test_the_line_of_an_answer_waits_for_the_question_over_a_reconnect(talk: Talk) -> None:
    talk.say(0, 500)
    talk.audio(1000)
    talk.content(outputTranscription={"text": "Ten"})
    assert talk.lines() == []
    talk.cut_off(after=200)
    talk.content(after=500, inputTranscription={"text": "What time?"})
    talk.audio(1000)
    talk.content(outputTranscription={"text": "Ten past two."}, turnComplete=True)
    assert talk.lines() == [("user", "What time?"), ("model", "Ten"), ("model", "Ten past two.")]


def test_a_call_outlives_its_connection_but_not_its_session(talk: Talk) -> None:
    talk.hear(call({"id": "a", "name": "f"}, {"id": "b", "name": "f"}))
    assert kinds(talk.cut_off()) == ["TurnEnded"]
    assert talk.dialogue.tool_answered(ToolResult("a", "f", {})) is not None
    (cancelled,) = talk.keep(talk.dialogue.forget_calls(0))
    assert isinstance(cancelled, ToolCallCancelled)
    assert cancelled.ids == ("b",)
    assert talk.dialogue.tool_answered(ToolResult("b", "f", {})) is None


# --- whatever happens ---

words = st.sampled_from(["", " ", "Yes", " and", " no."])
transcription = st.fixed_dictionaries({"text": words}, optional={"finished": st.booleans()})
part = st.one_of(
    st.integers(0, 400).map(sound),
    st.fixed_dictionaries({"text": words}, optional={"thought": st.booleans()}),
    st.just({"executableCode": {"language": "PYTHON", "code": "1 + 1"}}),
    st.just({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}),
)
content = st.fixed_dictionaries(
    {},
    optional={
        "modelTurn": st.fixed_dictionaries({}, optional={"parts": st.lists(part, max_size=3)}),
        "generationComplete": st.booleans(),
        "turnComplete": st.booleans(),
        "interrupted": st.booleans(),
        "inputTranscription": transcription,
        "interimInputTranscription": transcription,
        "outputTranscription": transcription,
        "groundingMetadata": st.just({"webSearchQueries": ["weather"]}),
        "interactionStatus": st.sampled_from(["IN_PROGRESS", "IDLE"]),
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
    },
)
event = st.one_of(
    message,
    message,
    content.map(lambda part: {"serverContent": part}),
    st.sampled_from(["speech starts", "speech ends", "audio", "text", "cut off", "forget"]),
    st.integers(0, 5).map(lambda index: ("answer", index)),
)


class Sense:
    """Checks frame by frame that a dialogue makes sense."""

    def __init__(self) -> None:
        self.turn = self.latest = 0
        self.cut: set[int] = set()
        self.played = 0
        """Until when the audio reaches."""
        self.open_calls: set[str] = set()
        self.growing: dict[tuple[Speaker, int], str] = {}
        self.last_start = 0

    def check(self, frame: Frame, now: int) -> None:
        assert frame.turn <= self.latest + isinstance(frame, TurnStarted)
        if isinstance(frame, TurnStarted):
            assert not self.turn
            assert frame.turn == self.latest + 1
            self.turn = self.latest = frame.turn
        elif isinstance(frame, TurnEnded):
            assert frame.turn == self.turn
            assert frame.interrupted or self.turn not in self.cut
            self.turn = 0
        elif isinstance(frame, Interruption):
            assert frame.turn == self.latest
            assert self.turn or self.played > now
            self.cut.add(frame.turn)
            self.played = min(self.played, now)
        elif isinstance(frame, AudioFrame):
            assert frame.turn == self.turn
            if frame.turn not in self.cut:
                assert frame.pts == max(self.played, now)
                self.played = frame.end
        elif isinstance(frame, ToolCall):
            assert frame.id
            assert frame.id not in self.open_calls
            assert frame.turn == self.turn
            self.open_calls.add(frame.id)
        elif isinstance(frame, ToolCallCancelled):
            assert frame.ids
            assert self.open_calls.issuperset(frame.ids)
            self.open_calls.difference_update(frame.ids)
        elif isinstance(frame, Transcript):
            self.check_line(frame, now)
        else:
            assert isinstance(frame, TextFrame | Thought | Code | CodeResult | Grounding)
            assert frame.turn == self.turn

    def check_line(self, line: Transcript, now: int) -> None:
        """Each utterance grows until its one final line; these come as they were said.

        What has not begun to sound yet may be overtaken.
        """
        utterance = (line.speaker, line.pts)
        if not line.final:
            self.growing[utterance] = line.text
            return
        assert line.text
        assert utterance in self.growing
        assert line.pts <= line.end
        assert line.pts >= self.last_start
        self.last_start = max(self.last_start, min(line.pts, now))
        del self.growing[utterance]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 300), event), max_size=40), st.booleans())
def test_whatever_happens_the_frames_make_sense(
    events: list[tuple[int, Any]], transcribed: bool
) -> None:
    dialogue = Dialogue(itertools.count(1).__next__, transcribed=transcribed)
    sense = Sense()
    now = 0
    asked: list[ToolCall] = []
    for pause, happens in events:
        now += pause * MS
        given: Iterable[Frame] = []
        if happens == "speech starts":
            dialogue.speech_started(now)
        elif happens == "speech ends":
            dialogue.speech_ended(now)
        elif happens == "audio":
            dialogue.audio_sent(AudioFrame(np.zeros((320, 1), np.int16), 16_000, pts=now))
        elif happens == "text":
            (typed,) = dialogue.text_sent(TextFrame("typed", pts=now))
            assert isinstance(typed, Transcript)
            assert typed.final
        elif happens == "cut off":
            given = dialogue.cut_off(now)
        elif happens == "forget":
            given = dialogue.forget_calls(now)
        elif isinstance(happens, tuple):
            if asked:
                known = asked[happens[1] % len(asked)]
                answer = dialogue.tool_answered(ToolResult(known.id, known.name, {}))
                assert (answer is not None) == (known.id in sense.open_calls)
                sense.open_calls.discard(known.id)
        else:
            given = dialogue.received(msgspec.convert(happens, ServerMessage), now)
        for frame in given:
            sense.check(frame, now)
            if isinstance(frame, ToolCall):
                asked.append(frame)
        assert dialogue.pending.keys() == sense.open_calls
        assert dialogue.turn == sense.turn
    for frame in dialogue.close(now):
        sense.check(frame, now)
    assert not sense.turn
    assert not dialogue.busy
    assert not any(sense.growing.values())
    assert list(dialogue.close(now)) == []


def test_a_turn_that_the_graph_has_stopped_by_itself_takes_no_more_time(talk: Talk) -> None:
    """The service goes on with it, since nobody told it; the next turn is heard when it comes."""
    talk.audio(4000)
    talk.now = 1000
    talk.dialogue.silenced(1, talk.now * MS)
    assert talk.dialogue.playhead == 1000 * MS
    talk.audio(4000, after=100)
    talk.content(generationComplete=True, turnComplete=True, after=200)
    (_, answer) = talk.audio(100, after=700)
    assert (answer.pts, answer.turn) == (2000 * MS, 2)


def test_stopping_an_older_turn_changes_nothing(talk: Talk) -> None:
    talk.audio(500)
    talk.content(turnComplete=True)
    talk.audio(500, after=600)
    talk.dialogue.silenced(1, talk.now * MS)
    assert talk.dialogue.playhead == 1100 * MS


def test_a_service_that_hears_pauses_where_the_gate_hears_none_owes_no_answer_afterwards(
    talk: Talk,
) -> None:
    """It answers within the utterance, is talked over, and answers the rest before its end is
    told."""
    talk.dialogue.speech_started(0)
    talk.content(outputTranscription={"text": "What"}, after=1000)
    talk.audio(100)
    talk.content(interrupted=True, turnComplete=True, after=400)
    talk.content(outputTranscription={"text": "Porto?"}, after=900)
    talk.audio(100)
    talk.dialogue.speech_ended(2000 * MS)
    assert not talk.dialogue.asked
    talk.content(turnComplete=True, after=200)
    assert not talk.dialogue.busy


def test_what_is_said_on_after_an_answer_that_it_cut_is_to_be_answered(talk: Talk) -> None:
    talk.dialogue.speech_started(0)
    talk.audio(100, after=1000)
    talk.content(interrupted=True, turnComplete=True, after=400)
    talk.dialogue.speech_ended(2000 * MS)
    assert talk.dialogue.asked
    assert talk.dialogue.busy
