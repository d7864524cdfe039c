"""One connection to the local Live API."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from msgspec import UNSET
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from processors.live_api.messages import (
    Blob,
    ClientMessage,
    Content,
    FunctionCall,
    ModalityTokenCount,
    Part,
    ServerContent,
    ServerMessage,
    Setup,
    SetupComplete,
    ToolCallCancellation,
    ToolCallMessage,
    Transcription,
    UsageMetadata,
)
from processors.local_live_api.hearing import Activity, Ear
from processors.local_live_api.scenario import Call, Scenario, Step, Turn
from processors.local_live_api.voice import spoken_words, synthesize
from processors.local_live_api.wire import decode_client, encode_server

OUTPUT_RATE = 24_000
OUTPUT_TYPE = f"audio/pcm;rate={OUTPUT_RATE}"
CHUNK_SECONDS = 0.2
PACE = 5.0
"""How much faster than it is spoken an answer is sent."""
TOKENS_PER_SECOND = 25
VOICE = "Puck"
LONGEST_REASON = 123


class RefusedError(Exception):
    """The client broke the protocol: the connection is closed with this code and reason."""

    def __init__(self, reason: str, code: int = 1007) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


class UserTurn(msgspec.Struct, frozen=True):
    """The user has finished: what was typed, or None for speech."""

    text: str | None = None


class Conversation:
    """Listens and answers until the client leaves."""

    def __init__(self, socket: ServerConnection, scenario: Scenario | None) -> None:
        self._socket = socket
        self._turns = iter(scenario.turns if scenario else ())
        self._setup = Setup(model="")
        self._ear = Ear(self._setup)
        self._generation: anyio.CancelScope | None = None
        self._typed: list[str] = []
        self._calls = 0
        self._outputs: dict[str, Any] = {}
        self._waiting: dict[str, anyio.Event] = {}
        self._spoken_seconds = 0.0

    async def run(self) -> None:
        try:
            await self._open()
            turns, to_answer = anyio.create_memory_object_stream[UserTurn](64)
            async with turns, to_answer, anyio.create_task_group() as group:
                group.start_soon(self._answer_all, to_answer)
                await self._listen(turns)
                group.cancel_scope.cancel()
        except* RefusedError as refusals:
            refusal = cast(RefusedError, refusals.exceptions[0])
            reason = refusal.reason.encode()[:LONGEST_REASON].decode(errors="ignore")
            await self._socket.close(refusal.code, reason)
        except* ConnectionClosed:
            pass

    # --- listening ---

    async def _open(self) -> None:
        message = _decode(await self._socket.recv())
        if message.setup is UNSET:
            raise RefusedError("setup must be the first message and only the first")
        self._setup = message.setup
        self._ear = Ear(self._setup)
        await self._send(ServerMessage(setup_complete=SetupComplete()))

    async def _listen(self, turns: MemoryObjectSendStream[UserTurn]) -> None:
        try:
            async for data in self._socket:
                await self._received(_decode(data), turns)
        except ConnectionClosed:
            pass

    async def _received(
        self, message: ClientMessage, turns: MemoryObjectSendStream[UserTurn]
    ) -> None:
        if message.setup is not UNSET:
            raise RefusedError("setup must be the first message and only the first")
        if message.realtime_input is not UNSET:
            realtime = message.realtime_input
            if realtime.audio is not None:
                await self._activities(self._ear.hear(realtime.audio.data), turns)
            if realtime.audio_stream_end:
                await self._activities(self._ear.stream_ended(), turns)
            if realtime.text is not None:
                self._interrupt()
                await turns.send(UserTurn(realtime.text))
        if message.client_content is not UNSET:
            content = message.client_content
            self._interrupt()
            self._typed += [part.text or "" for turn in content.turns for part in turn.parts]
            if content.turn_complete:
                text, self._typed = " ".join(self._typed), []
                await turns.send(UserTurn(text))
        if message.tool_response is not UNSET:
            for response in message.tool_response.function_responses:
                if response.id in self._waiting:
                    answer = response.response
                    self._outputs[response.name] = answer.get("output", answer.get("error", answer))
                    self._waiting.pop(response.id).set()

    async def _activities(
        self, activities: Iterator[Activity], turns: MemoryObjectSendStream[UserTurn]
    ) -> None:
        for activity in activities:
            if activity == "start":
                config = self._setup.realtime_input_config
                if config is None or config.activity_handling != "NO_INTERRUPTION":
                    self._interrupt()
            else:
                await turns.send(UserTurn())

    def _interrupt(self) -> None:
        if self._generation is not None:
            self._generation.cancel()

    # --- answering ---

    async def _answer_all(self, turns: MemoryObjectReceiveStream[UserTurn]) -> None:
        try:
            async for turn in turns:
                with anyio.CancelScope() as generation:
                    self._generation = generation
                    await self._answer(turn)
                self._generation = None
                if generation.cancelled_caught:
                    await self._send(ServerMessage(server_content=ServerContent(interrupted=True)))
                    await self._cancel_calls()
                await self._send(
                    ServerMessage(
                        server_content=ServerContent(turn_complete=True),
                        usage_metadata=self._usage(),
                    )
                )
        except ConnectionClosed:
            pass

    async def _answer(self, user: UserTurn) -> None:
        for step in self._steps(user):
            if step.transcript is not None:
                await self._transcribe(step.transcript)
            elif step.call is not None:
                await self._call(step.call)
            elif step.wait_ms is not None:
                await anyio.sleep(step.wait_ms / 1000)
            elif step.say is not None:
                await self._say(_filled(step.say, self._outputs))

    def _steps(self, user: UserTurn) -> list[Step]:
        turn = next(self._turns, None) or _without_script(user)
        expected = "speech" if user.text is None else "text"
        if turn.expect != expected:
            raise RefusedError(
                f"simulation: the scenario expects {turn.expect}, got {expected}", 1008
            )
        return turn.then

    async def _transcribe(self, text: str) -> None:
        if self._setup.input_audio_transcription is not None:
            for word in _increments(text):
                transcription = Transcription(text=word)
                await self._send_content(ServerContent(input_transcription=transcription))

    async def _call(self, call: Call) -> None:
        self._calls += 1
        id = f"function-call-{self._calls}"
        answered = self._waiting[id] = anyio.Event()
        function = FunctionCall(id=id, name=call.name, args=call.args)
        await self._send(ServerMessage(tool_call=ToolCallMessage(function_calls=[function])))
        await answered.wait()

    async def _cancel_calls(self) -> None:
        ids, self._waiting = list(self._waiting), {}
        if ids:
            cancellation = ToolCallCancellation(ids=ids)
            await self._send(ServerMessage(tool_call_cancellation=cancellation))

    async def _say(self, text: str) -> None:
        config = self._setup.generation_config
        if config is not None and config.response_modalities == ["TEXT"]:
            for word in _increments(text):
                await self._send_content(ServerContent(model_turn=Content(parts=[Part(text=word)])))
            await self._send_content(ServerContent(generation_complete=True))
            return
        await self._speak(text, _voice(self._setup))

    async def _speak(self, text: str, voice: str) -> None:
        """Send speech faster than it is spoken, words just ahead of it; then wait it out."""
        samples = synthesize(text, voice=voice, rate=OUTPUT_RATE)
        words = spoken_words(text, voice=voice)
        size = int(OUTPUT_RATE * CHUNK_SECONDS)
        began = anyio.current_time()
        for index, offset in enumerate(range(0, len(samples), size)):
            sent = index * CHUNK_SECONDS
            await anyio.sleep(max(0.0, began + sent / PACE - anyio.current_time()))
            while words and words[0][1] < sent + CHUNK_SECONDS:
                await self._transcribe_output(words.pop(0)[0] + (" " if words else ""))
            blob = Blob(mime_type=OUTPUT_TYPE, data=samples[offset : offset + size].tobytes())
            await self._send_content(
                ServerContent(model_turn=Content(parts=[Part(inline_data=blob)]))
            )
        await self._send_content(ServerContent(generation_complete=True))
        length = len(samples) / OUTPUT_RATE
        self._spoken_seconds += length
        await anyio.sleep(max(0.0, began + length - anyio.current_time()))

    async def _transcribe_output(self, text: str) -> None:
        if self._setup.output_audio_transcription is not None:
            await self._send_content(ServerContent(output_transcription=Transcription(text=text)))

    def _usage(self) -> UsageMetadata:
        heard = math.ceil(self._ear.seconds * TOKENS_PER_SECOND)
        spoken = math.ceil(self._spoken_seconds * TOKENS_PER_SECOND)
        self._spoken_seconds = 0.0
        return UsageMetadata(
            prompt_token_count=heard,
            response_token_count=spoken,
            total_token_count=heard + spoken,
            prompt_tokens_details=[ModalityTokenCount(modality="AUDIO", token_count=heard)],
            response_tokens_details=[ModalityTokenCount(modality="AUDIO", token_count=spoken)],
        )

    async def _send_content(self, content: ServerContent) -> None:
        await self._send(ServerMessage(server_content=content))

    async def _send(self, message: ServerMessage) -> None:
        await self._socket.send(encode_server(message))


def _decode(data: bytes | str) -> ClientMessage:
    try:
        return decode_client(data)
    except msgspec.DecodeError as error:
        raise RefusedError(f"Invalid JSON payload received. {error}") from None


def _without_script(user: UserTurn) -> Turn:
    """What it answers when no scenario says so."""
    if user.text is None:
        text = "This is a simulation of the Live API. I heard you speak, but I do not know words."
        return Turn([Step(say=text)])
    return Turn([Step(say=f"This is a simulation of the Live API. You wrote: {user.text}")], "text")


def _filled(text: str, outputs: dict[str, Any]) -> str:
    try:
        return text.format_map(outputs)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        return text


def _increments(text: str) -> list[str]:
    """Words as the service sends them: to be joined as they are."""
    return [word if index == 0 else f" {word}" for index, word in enumerate(text.split())]


def _voice(setup: Setup) -> str:
    config = setup.generation_config
    speech = config.speech_config if config else None
    chosen = speech.voice_config if speech else None
    return chosen.prebuilt_voice_config.voice_name if chosen else VOICE
