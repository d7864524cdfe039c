"""From frames to messages: what the graph has for the service."""

from __future__ import annotations

from collections.abc import Callable

from pipeline import (
    AudioFormat,
    AudioFrame,
    Frame,
    ImageFrame,
    Instruction,
    PipelineError,
    Speaker,
    SpeechEnded,
    SpeechStarted,
    TextFrame,
    ToolResult,
)
from processors.live_api.messages import (
    ActivityEnd,
    ActivityStart,
    Blob,
    ClientContent,
    ClientMessage,
    Content,
    Part,
    RealtimeInput,
    Scheduling,
)
from processors.live_api.session import Session

INPUT_RATE = 16_000
AUDIO_TYPE = f"audio/pcm;rate={INPUT_RATE}"
FORMAT = AudioFormat(INPUT_RATE, 1)
GO_ON = "Please go on."
SCHEDULING: dict[str, Scheduling] = {
    "interrupt": "INTERRUPT",
    "when_idle": "WHEN_IDLE",
    "silent": "SILENT",
}


class WrongAudioError(PipelineError):
    """Sound in a format that the service does not take."""


class InputSide:
    """Turns frames into messages of a session, in the way that the backend and the model want.

    automatic: the service finds the user's turns itself; otherwise the speech events of a gate
    mark them. realtime_text: typed text is streamed, not content, as the models of 2026 want it.
    image_every: nanoseconds between two pictures; of those that come faster the newest wins.
    instruct: changes the system instruction.
    """

    def __init__(
        self,
        session: Session,
        *,
        automatic: bool,
        realtime_text: bool,
        image_every: int,
        instruct: Callable[[str], None],
    ) -> None:
        self._session = session
        self._automatic = automatic
        self._realtime_text = realtime_text
        self._image_every = image_every
        self._instruct = instruct
        self._in_activity = False
        self._image: ImageFrame | None = None
        self._next_image = 0
        self.streaming = False
        """Whether audio is under way whose end the service should be told."""

    def take(self, frame: Frame, now: int) -> list[Frame]:
        """Pass a frame on; returns what the rest of the graph learns from that.

        Raises WrongAudioError.
        """
        session, dialogue = self._session, self._session.dialogue
        if isinstance(frame, AudioFrame):
            self._audio(frame)
        elif isinstance(frame, ImageFrame):
            self._image = frame
            self.send_due_image(now)
        elif isinstance(frame, SpeechStarted):
            dialogue.speech_started(frame.pts)
            self._mark(start=True)
        elif isinstance(frame, SpeechEnded):
            dialogue.speech_ended(frame.pts)
            self._mark(start=False)
        elif isinstance(frame, ToolResult):
            answer = dialogue.tool_answered(frame, SCHEDULING.get(frame.scheduling or ""))
            if answer is not None:
                session.send(answer, frame.pts)
        elif isinstance(frame, Instruction):
            self._instruct(frame.text)
        elif isinstance(frame, TextFrame) and frame.speaker is Speaker.USER:
            learned = dialogue.text_sent(frame)
            session.send(self._typed(frame.text), frame.pts)
            return learned
        return []

    def pause(self) -> None:
        """Audio has paused, or ended: the service wants to be told."""
        self.streaming = False
        if self._automatic:
            message = ClientMessage(realtime_input=RealtimeInput(audio_stream_end=True))
            self._session.send(message)

    def nudge(self) -> None:
        """Ask the model to go on."""
        if self._realtime_text:
            message = ClientMessage(realtime_input=RealtimeInput(text=GO_ON))
        else:
            message = ClientMessage(client_content=ClientContent(turn_complete=True))
        self._session.send(message)

    def image_due(self) -> int | None:
        """When the picture that waits is to be sent; None if none waits."""
        return self._next_image if self._image is not None else None

    def send_due_image(self, now: int) -> None:
        """Send the newest picture, unless the last one was just sent."""
        if self._image is not None and now >= self._next_image:
            self._session.send_image(self._image)
            self._image = None
            self._next_image = now + self._image_every

    def _audio(self, frame: AudioFrame) -> None:
        if (frame.rate, frame.channels) != (INPUT_RATE, 1):
            got = AudioFormat(frame.rate, frame.channels)
            hint = f"put a resampler before it: {{rate: {INPUT_RATE}, channels: 1}}"
            raise WrongAudioError(f"it takes audio of {FORMAT}, got {got}; {hint}")
        if not self._automatic and not self._in_activity:
            return  # the service would not listen
        self.streaming = True
        self._session.send_audio(frame, Blob(mime_type=AUDIO_TYPE, data=frame.samples.tobytes()))

    def _mark(self, *, start: bool) -> None:
        if self._automatic or start is self._in_activity:
            return
        self._in_activity = start
        realtime = (
            RealtimeInput(activity_start=ActivityStart())
            if start
            else RealtimeInput(activity_end=ActivityEnd())
        )
        self._session.send(ClientMessage(realtime_input=realtime))

    def _typed(self, text: str) -> ClientMessage:
        if self._realtime_text:
            return ClientMessage(realtime_input=RealtimeInput(text=text))
        turn = Content(role="user", parts=[Part(text=text)])
        return ClientMessage(client_content=ClientContent(turns=[turn], turn_complete=True))


def history_turns(turns: list[Content]) -> ClientMessage:
    """What was said before the conversation; the service answers nothing to it."""
    return ClientMessage(client_content=ClientContent(turns=turns, turn_complete=True))


def system_turn(text: str) -> ClientMessage:
    """A change of the system instruction in mid-session, as Vertex documents it."""
    turn = Content(role="system", parts=[Part(text=text)])
    return ClientMessage(client_content=ClientContent(turns=[turn], turn_complete=False))
