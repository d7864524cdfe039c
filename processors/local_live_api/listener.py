"""What client messages do: to the memory of the session, and to whoever has the floor."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET
from msgspec.structs import replace

from processors.live_api.messages import (
    ClientContent,
    ClientMessage,
    ContextUpdate,
    FunctionResponse,
    RealtimeInput,
    ServerMessage,
    Setup,
    VoiceActivity,
    format_duration,
)
from processors.local_live_api.admission import model_of, text_of
from processors.local_live_api.floor import Floor
from processors.local_live_api.hearing import Activity
from processors.local_live_api.history import Answered, Heard, Said
from processors.local_live_api.memory import Session
from processors.local_live_api.refusal import INVALID_ARGUMENT, SETUP_FIRST, RefusedError
from processors.local_live_api.scenario import Prompt
from processors.local_live_api.service import Service, log


class Listener:
    """Takes in the messages of one connection.

    Nothing here waits, so that no snapshot of the memory holds half of a message.
    """

    def __init__(self, setup: Setup, session: Session, service: Service, floor: Floor) -> None:
        self._setup = setup
        self._session = session
        self._service = service
        self._floor = floor
        history = setup.history_config
        seeds = bool(history and history.initial_history_in_client_content)
        self._seeding = seeds and not session.memory.history
        """Content is history until a turn is complete."""
        self._signals: list[ServerMessage] = []

    def received(self, message: ClientMessage) -> list[ServerMessage]:
        """Take in a message; what the client is to be told at once. Raises RefusedError."""
        if message.setup is not UNSET:
            raise RefusedError(SETUP_FIRST)
        if message.realtime_input is not UNSET:
            self._stream(message.realtime_input)
        if message.client_content is not UNSET:
            self._content(message.client_content)
        if message.tool_response is not UNSET:
            for response in message.tool_response.function_responses:
                self._call_answered(response)
        if message.context_update is not UNSET:
            self._update_context(message.context_update)
        signals, self._signals = self._signals, []
        return signals

    def _stream(self, realtime: RealtimeInput) -> None:
        ear, memory = self._session.memory.ear, self._session.memory
        audio, video = realtime.audio, realtime.video
        if realtime.media_chunks:  # all but the first are ignored
            first = realtime.media_chunks[0]
            audio, video = (None, first) if first.mime_type.startswith("image/") else (first, None)
        if audio is not None:
            before = ear.seconds
            self._activities(ear.hear(audio))
            memory.unanswered_s += ear.seconds - before
        if video is not None:
            if not video.mime_type.startswith("image/"):
                raise RefusedError(INVALID_ARGUMENT)
            memory.images += 1
        if realtime.audio_stream_end:
            self._activities(ear.stream_ended())
        if realtime.activity_start is not None:
            self._activities(ear.told("start"))
        if realtime.activity_end is not None:
            self._activities(ear.told("end"))
        if realtime.text is not None:
            self._seeding = False
            self._user_acts()
            self._floor.ask(Prompt("text", realtime.text))

    def _content(self, content: ClientContent) -> None:
        memory = self._session.memory
        if not model_of(self._setup).content and not self._seeding:
            raise RefusedError(INVALID_ARGUMENT)
        self._floor.interrupt()
        for turn in content.turns:
            text = text_of(turn)
            images = sum(bool(part.inline_data) for part in turn.parts)
            memory.images += images
            if turn.role == "system":
                if self._session.backend == "gemini-api":
                    raise RefusedError(INVALID_ARGUMENT)
                memory.instruction = text
            elif turn.role == "model":
                self._take_typed()
                memory.remember(Said(text))
            elif text:
                memory.typed = (*memory.typed, text)
        if content.turn_complete:
            if self._seeding:
                self._take_typed()
                self._seeding = False
                return
            text, memory.typed = " ".join(memory.typed), ()
            self._floor.ask(Prompt("text", text))

    def _take_typed(self) -> None:
        """What was typed becomes history without an answer."""
        memory = self._session.memory
        if memory.typed:
            memory.remember(Heard(" ".join(memory.typed)))
            memory.typed = ()

    def _update_context(self, update: ContextUpdate) -> None:
        if update.system_instruction is not None:
            self._session.memory.instruction = text_of(update.system_instruction)
        if update.tools is not None:
            self._setup.tools = update.tools.tools

    def _activities(self, activities: Iterator[Activity]) -> None:
        for activity in activities:
            if self._setup.explicit_vad_signal:
                kind = "ACTIVITY_START" if activity == "start" else "ACTIVITY_END"
                offset = format_duration(round(self._session.memory.ear.seconds, 3))
                signal = VoiceActivity(type=kind, audio_offset=offset)
                self._signals.append(ServerMessage(voice_activity=signal))
            if activity == "start":
                self._user_acts()
            else:
                ear = self._session.memory.ear
                prompt = Prompt("speech" if ear.automatic else "activity")
                self._floor.ask(replace(prompt, seconds=ear.speech_seconds))

    def _user_acts(self) -> None:
        config = self._setup.realtime_input_config
        if config is None or config.activity_handling != "NO_INTERRUPTION":
            self._floor.interrupt()

    def _call_answered(self, response: FunctionResponse) -> None:
        memory = self._session.memory
        call = memory.answered(response.id, response.name)
        if call is None:
            log.warning("an answer to no pending call: %s %s", response.id, response.name)
            return
        if self._service.script is not None:
            number = max(0, memory.turns - 1)
            self._service.found(self._service.script.check_answer(number, call, response.response))
        if not response.will_continue:
            memory.settle(call)
        answered = Answered(call.id, call.name, response.response)
        if not call.blocking and response.scheduling != "SILENT":
            if response.scheduling == "INTERRUPT" and not memory.ear.speaking:
                self._floor.interrupt()
            self._floor.ask(Prompt("tool_answer", answer=response.response), answered)
            return
        memory.remember(answered)
        if call.blocking:
            self._floor.call_answered()
