"""The processor that talks with the Live API over a websocket."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal, cast

import anyio
from anyio import EndOfStream, WouldBlock
from anyio.streams.memory import MemoryObjectReceiveStream
from msgspec import Meta
from websockets.exceptions import ConnectionClosed

from pipeline import (
    SECOND,
    AudioFormat,
    AudioFrame,
    Duplex,
    Frame,
    ImageFrame,
    Inbox,
    InputPath,
    Interruption,
    Outbox,
    SessionEvent,
    SettingError,
    Speaker,
    SpeechEnded,
    SpeechStarted,
    TextFrame,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    ToolsDeclared,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
)
from processors.live_api import backends
from processors.live_api.connection import (
    LiveApiError,
    decode,
    open_connection,
    refusal,
    require_asyncio,
)
from processors.live_api.messages import (
    Blob,
    ClientContent,
    ClientMessage,
    Content,
    Part,
    RealtimeInput,
    encode,
)
from processors.live_api.session import OUTPUT_RATE, Session
from processors.live_api.setup import ServiceVad, build_setup

INPUT_RATE = 16_000
AUDIO_TYPE = f"audio/pcm;rate={INPUT_RATE}"
SETUP_SECONDS = 20.0
TOOL_SECONDS = 3600.0
"""A tool has a time limit of its own; this is for one that never answers."""
UNREAD_FRAMES = 4096
PAUSE_SECONDS = 1.0
"""The service wants to be told when audio pauses for longer than this."""

Takes = (
    AudioFrame | ImageFrame | TextFrame | SpeechStarted | SpeechEnded | ToolResult | ToolsDeclared
)
Gives = (
    AudioFrame
    | TextFrame
    | Transcript
    | TurnStarted
    | TurnEnded
    | ToolCall
    | ToolCallCancelled
    | SessionEvent
    | Usage
    | Interruption
)


class LiveApi(Duplex):
    """A conversation with the Gemini Live API: audio and text in; audio, text, transcripts and
    tool calls out.

    Without a backend it talks to the local Live API, a simulation that it starts itself.

    backend: `gemini_api` (key in GEMINI_API_KEY), `vertex` (Google credentials) or `local`.
    model: a model's name; left out, a current one of the backend.
    modality: what the model answers with, `audio` or `text`.
    voice: the name of a voice, such as Puck or Kore.
    language: language of the model's speech, such as en-US.
    instruction: the system instruction.
    temperature: how freely the model chooses its words, 0 to 2.
    vad: how the service finds the user's turns: `silence_ms` ends one, `prefix_ms` of speech begins
      one, `start_sensitivity` and `end_sensitivity` are `high` or `low`, and `interrupts: false`
      lets the model finish.
    scenario: for the local Live API, the file that says what it hears and does.
    project, location: for Vertex AI.
    url: another address than the backend's own.
    patience_s: seconds to wait for the service's next sign of life after the input has ended.
    """

    def __init__(
        self,
        backend: Literal["gemini_api", "vertex", "local"] | None = None,
        model: str | None = None,
        modality: Literal["audio", "text"] = "audio",
        voice: str | None = None,
        language: str | None = None,
        instruction: str | None = None,
        temperature: Annotated[float, Meta(ge=0, le=2)] | None = None,
        vad: ServiceVad | None = None,
        scenario: InputPath | None = None,
        project: str | None = None,
        location: str = "us-central1",
        url: str | None = None,
        patience_s: Annotated[float, Meta(gt=0)] = 10.0,
    ) -> None:
        if scenario is not None and backend not in (None, "local"):
            raise SettingError("a scenario is for the local Live API", setting="scenario")
        self.backend = backend
        self.model = model
        self.modality = modality
        self.voice = voice
        self.language = language
        self.instruction = instruction
        self.temperature = temperature
        self.vad = vad
        self.scenario = scenario
        self.project = project
        self.location = location
        self.url = url
        self.patience_s = patience_s
        self._streaming = self._tools_ended = False
        self._sign_of_life = anyio.Event()

    def check(self) -> None:
        if self.scenario is not None:
            from processors.local_live_api.scenario import load_scenario

            load_scenario(self.scenario)
        if self.backend == "gemini_api":
            backends.gemini_api(self.model)

    def audio_in(self) -> AudioFormat:
        return AudioFormat(INPUT_RATE, 1)

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        return AudioFormat(OUTPUT_RATE, 1)

    async def lifespan(self) -> AsyncIterator[None]:
        require_asyncio()
        if self.backend in (None, "local") and self.url is None:
            from processors.local_live_api.server import serve

            async with serve(scenario=self.scenario) as server:
                why = "no backend is configured: " if self.backend is None else ""
                self.context.log.info(
                    "%stalking to the local Live API, a simulation, on port %d", why, server.port
                )
                self._backend = backends.local(server.url, self.model)
                yield
            return
        if self.backend == "gemini_api":
            self._backend = backends.gemini_api(self.model, self.url)
        elif self.backend == "vertex":
            self._backend = await backends.vertex(self.model, self.project, self.location, self.url)
        else:
            self._backend = backends.local(self.url or "", self.model)
        yield

    async def run(self, inbox: Inbox[Takes], outbox: Outbox[Gives]) -> None:
        declarations, early = await _declarations(inbox)
        self._session = Session(self.context.new_turn)
        async with open_connection(self._backend) as self._socket:
            self._queue, passing = anyio.create_memory_object_stream[Frame](UNREAD_FRAMES)
            async with passing, anyio.create_task_group() as group:
                group.start_soon(_pass_on, passing, outbox)
                async with self._queue:
                    await self._set_up(declarations)
                    async with anyio.create_task_group() as talking:
                        talking.start_soon(self._receive, outbox, talking.cancel_scope)
                        await self._talk(inbox, early)
                        talking.start_soon(self._send_late, inbox)
                        await self._wait_for_answers(inbox)
                        talking.cancel_scope.cancel()
                    await self._pass(self._session.closed(self.context.now()))

    # --- to the service ---

    async def _set_up(self, declarations: Sequence[dict[str, Any]]) -> None:
        setup = build_setup(
            self._backend.model,
            modality=self.modality,
            voice=self.voice,
            language=self.language,
            instruction=self.instruction,
            temperature=self.temperature,
            vad=self.vad,
            declarations=declarations,
        )
        try:
            with anyio.fail_after(SETUP_SECONDS):
                await self._send_message(ClientMessage(setup=setup))
                while not self._session.ready:
                    message = decode(await self._socket.recv())
                    await self._pass(self._session.received(message, self.context.now()))
        except ConnectionClosed as error:
            raise refusal(error, "refused the session") from None
        except TimeoutError:
            raise LiveApiError(f"no answer to the setup within {SETUP_SECONDS:g} s") from None

    async def _talk(self, inbox: Inbox[Takes], early: Sequence[Takes]) -> None:
        """Send the input, until it ends; tell the service when audio pauses or ends."""
        for earlier in early:
            await self._send(earlier)
        while True:
            frame: Takes | None = None
            try:
                with anyio.move_on_after(PAUSE_SECONDS if self._streaming else math.inf):
                    frame = await inbox.receive()
            except EndOfStream:
                break
            await (self._end_stream() if frame is None else self._send(frame))
        if self._streaming:
            await self._end_stream()

    async def _send_late(self, inbox: Inbox[Takes]) -> None:
        async for frame in inbox.late():
            await self._send(frame)
            self._sign_of_life.set()  # from here on it is for the service to react
        self._tools_ended = True
        self._sign_of_life.set()

    async def _send(self, frame: Takes) -> None:
        session = self._session
        if isinstance(frame, AudioFrame):
            if (frame.rate, frame.channels) != (INPUT_RATE, 1):
                got = AudioFormat(frame.rate, frame.channels)
                hint = f"put a resampler before it: {{rate: {INPUT_RATE}, channels: 1}}"
                raise LiveApiError(f"it takes audio of {self.audio_in()}, got {got}; {hint}")
            session.audio_sent(frame)
            self._streaming = True
            blob = Blob(mime_type=AUDIO_TYPE, data=frame.samples.tobytes())
            await self._send_message(ClientMessage(realtime_input=RealtimeInput(audio=blob)))
        elif isinstance(frame, SpeechStarted):
            session.speech_started(frame.pts)
        elif isinstance(frame, SpeechEnded):
            session.speech_ended(frame.pts)
        elif isinstance(frame, ToolResult):
            answer = session.tool_answered(frame)
            if answer is not None:
                await self._send_message(answer)
        elif isinstance(frame, ImageFrame):
            image = Blob(mime_type=frame.mime_type, data=frame.data)
            await self._send_message(ClientMessage(realtime_input=RealtimeInput(video=image)))
        elif isinstance(frame, TextFrame) and frame.speaker is Speaker.USER:
            await self._pass(session.text_sent(frame))
            await self._send_message(self._text_message(frame.text))

    def _text_message(self, text: str) -> ClientMessage:
        """Newer models of the Gemini API take typed input only as realtime text."""
        if self.backend == "gemini_api":
            return ClientMessage(realtime_input=RealtimeInput(text=text))
        turn = Content(role="user", parts=[Part(text=text)])
        return ClientMessage(client_content=ClientContent(turns=[turn], turn_complete=True))

    async def _end_stream(self) -> None:
        self._streaming = False
        message = ClientMessage(realtime_input=RealtimeInput(audio_stream_end=True))
        await self._send_message(message)

    async def _send_message(self, message: ClientMessage) -> None:
        try:
            await self._socket.send(encode(message), text=True)
        except ConnectionClosed:
            if self._session.ready:  # `_receive` learns why, and ends this
                await anyio.sleep_forever()
            raise

    # --- from the service ---

    async def _receive(self, outbox: Outbox[Gives], scope: anyio.CancelScope) -> None:
        """Read at all times, whatever waits downstream, so that no interruption waits."""
        try:
            async for data in self._socket:
                for frame in self._session.received(decode(data), self.context.now()):
                    if isinstance(frame, Interruption):
                        await outbox.send(frame)
                    else:
                        await self._pass([frame])
                self._sign_of_life.set()
        except ConnectionClosed as error:
            raise refusal(error, "ended the session") from None
        how = f"{self._socket.close_code} {self._socket.close_reason}".rstrip()
        self.context.log.warning("the service has closed the session: %s", how)
        scope.cancel()

    async def _pass(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            try:
                self._queue.send_nowait(frame)
            except WouldBlock:
                await self._queue.send(frame)

    async def _wait_for_answers(self, inbox: Inbox[Takes]) -> None:
        """After the input has ended: until the service owes nothing, or no longer reacts."""
        while self._session.busy:
            self._sign_of_life = anyio.Event()
            patience = (
                max(0, self._session.playhead - self.context.now()) / SECOND + self.patience_s
            )
            if self._session.pending and inbox.count_givers(ToolResult) and not self._tools_ended:
                patience = max(patience, TOOL_SECONDS)
            with anyio.move_on_after(patience) as scope:
                await self._sign_of_life.wait()
            if scope.cancelled_caught:
                self.context.log.warning(
                    "no sign of the service for %g s: leaving", self.patience_s
                )
                return


async def _declarations(inbox: Inbox[Takes]) -> tuple[list[dict[str, Any]], list[Takes]]:
    """The functions of every tool dispatcher in the graph, and the frames that came before them."""
    waiting = inbox.count_givers(ToolsDeclared)
    declarations: list[dict[str, Any]] = []
    early: list[Takes] = []
    async with aclosing(_with_late(inbox)) as frames:
        while waiting:
            frame = await anext(frames, None)
            if frame is None:
                break
            if isinstance(frame, ToolsDeclared):
                declarations += frame.declarations
                waiting -= 1
            else:
                early.append(frame)
    return declarations, early


async def _with_late(inbox: Inbox[Takes]) -> AsyncGenerator[Takes]:
    """Input that is over at once must not cost the model its tools."""
    async for frame in inbox:
        yield frame
    async for frame in inbox.late():
        yield frame


async def _pass_on(frames: MemoryObjectReceiveStream[Frame], outbox: Outbox[Gives]) -> None:
    """Waits for the graph where it must, so that the reader never does."""
    async for frame in frames:
        await outbox.send(cast(Gives, frame))
