"""The model's turns: step by step, at the pace of the service, until the last word is played."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
from anyio import to_thread

from processors.live_api.messages import (
    Blob,
    CodeExecutionResult,
    Content,
    ExecutableCode,
    FunctionCall,
    GroundingChunk,
    GroundingMetadata,
    Part,
    ServerContent,
    ServerMessage,
    Setup,
    ToolCallMessage,
    Transcription,
    WebSource,
)
from processors.local_live_api.admission import functions_of, voice_of
from processors.local_live_api.context import Tokens, audio_tokens, text_tokens
from processors.local_live_api.history import Answered, Called, Said
from processors.local_live_api.memory import Memory, PendingCall
from processors.local_live_api.speech import Utterance, speak
from processors.local_live_api.steps import Call, Close, Code, Ground, Step
from processors.local_live_api.switches import Switches

OUTPUT_RATE = 24_000
OUTPUT_TYPE = f"audio/pcm;rate={OUTPUT_RATE}"
DEFAULT_VOICE = "Puck"
TEXT_CHUNK_WORDS = 4
TEXT_CHUNK_S = 0.02

Send = Callable[[ServerMessage], Awaitable[None]]


class EndConnectionError(Exception):
    """The scenario closes the connection."""

    def __init__(self, close: Close) -> None:
        self.close = close
        super().__init__(close.reason)


class Generation:
    """One turn of the model. What is left of it stands in `memory.todo` at all times."""

    def __init__(
        self,
        setup: Setup,
        memory: Memory,
        switches: Switches,
        send: Send,
        go_away: Callable[[float], Awaitable[None]],
        *,
        scope: anyio.CancelScope,
        suspend: Callable[[], Awaitable[None]],
        fills: bool,
    ) -> None:
        """scope: what an interruption by the user cancels, maybe before the turn begins.
        suspend: completes the turn while calls stay unanswered.
        fills: whether `{name}` in what is said stands for what a function returned."""
        self._setup = setup
        self._memory = memory
        self._switches = switches
        self._send = send
        self._go_away = go_away
        self._fills = fills
        self._suspend = suspend
        self._answered = anyio.Event()
        self._samples = 0
        """Of speech, as far as it was sent."""
        self._playhead = anyio.current_time()
        """When all speech of this turn will have been played."""
        self._scope = scope
        self._written = Tokens()
        self._said = False
        self.silent = True
        """Nothing was sent yet."""
        self.suspended = False
        """The turn is complete for the client, but goes on when calls are answered."""
        self.thoughts = 0

    @property
    def tokens(self) -> Tokens:
        """Of what was sent, thoughts not counted."""
        return self._written + Tokens(audio=audio_tokens(self._samples / OUTPUT_RATE))

    def call_answered(self) -> None:
        """Look again whether calls hold the turn up."""
        self._answered.set()

    async def perform(self, more: Callable[[], list[Step]], latency_s: float = 0.0) -> bool:
        """Do what is to be done, and what `more` adds when answers have come.

        Returns whether the turn came to its end; False if it was interrupted.
        """
        with self._scope:
            await anyio.sleep(latency_s)
            while True:
                await self._wait_for_answers()
                while self._memory.todo:
                    step, *rest = self._memory.todo
                    self._memory.todo = tuple(rest)
                    cut = rest[0].interrupt if rest else None
                    await self._do(step, cut_after_ms=cut)
                    await self._wait_for_answers()
                if not (self._memory.history and self._has_results()):
                    break
                self._memory.todo = tuple(more())
                if not self._memory.todo:
                    break
            if self._switches.generation_complete:
                await self._content(ServerContent(generation_complete=True))
            await self._playback()
        return not self._scope.cancelled_caught

    def _has_results(self) -> bool:
        return isinstance(self._memory.history[-1].entry, Answered)

    async def _wait_for_answers(self) -> None:
        patience = self._switches.call_patience_s
        while self._memory.blocked:
            self._answered = anyio.Event()
            with anyio.move_on_after(math.inf if self.suspended else patience):
                await self._answered.wait()
            if self._memory.blocked and not (self.suspended or self._answered.is_set()):
                self.suspended = True
                await self._suspend()
        self.suspended = False

    async def _do(self, step: Step, cut_after_ms: int | None) -> None:
        if step.transcript is not None:
            await self._transcribe(step.transcript)
        elif step.say is not None:
            text = _filled(step.say, self._outputs()) if self._fills else step.say
            await self._say(text, cut_after_ms)
        elif step.think is not None:
            await self._think(step.think)
        elif step.call is not None:
            await self._call(step.calls)
        elif step.code is not None:
            await self._run_code(step.code)
        elif step.ground is not None:
            await self._ground(step.ground)
        elif step.wait_ms is not None:
            await anyio.sleep(step.wait_ms / 1000)
        elif step.go_away is not None:
            await self._go_away(step.go_away)
        elif step.close is not None:
            self._memory.unfinished = bool(self._memory.todo)
            raise EndConnectionError(step.close)

    def _outputs(self) -> dict[str, Any]:
        """What functions returned, the latest by name."""
        return {e.name: e.output for e in self._memory.entries if isinstance(e, Answered)}

    # --- words ---

    async def _transcribe(self, text: str) -> None:
        self._memory.hear_words(text)
        for content in transcriptions(text, self._setup, self._switches):
            await self._content(content)

    async def _think(self, text: str) -> None:
        self.thoughts += text_tokens(text)
        generation = self._setup.generation_config
        thinking = generation.thinking_config if generation else None
        if thinking is not None and thinking.include_thoughts:
            await self._parts([Part(text=text, thought=True)])

    async def _say(self, text: str, cut_after_ms: int | None) -> None:
        spoken: list[str] = []
        samples = self._samples
        try:
            limit = math.inf if cut_after_ms is None else cut_after_ms / 1000
            with anyio.move_on_after(limit):
                if answers_in_text(self._setup):
                    await self._write(text, spoken)
                else:
                    await self._speak(text, spoken)
                if cut_after_ms is not None:
                    await self._playback()
            if cut_after_ms is not None:
                self._scope.cancel()
                await anyio.lowlevel.checkpoint()
        finally:
            words = "".join(spoken)
            if words:
                complete = len(words.split()) >= len(text.split())
                seconds = (self._samples - samples) / OUTPUT_RATE
                self._memory.remember(Said(words, not complete), spoken_s=seconds)
                self._said = True

    async def _write(self, text: str, spoken: list[str]) -> None:
        words = increments(text)
        for start in range(0, len(words), TEXT_CHUNK_WORDS):
            chunk = self._joint(start) + "".join(words[start : start + TEXT_CHUNK_WORDS])
            await self._parts([Part(text=chunk)])
            spoken.append(chunk)
            self._written += Tokens(text=text_tokens(chunk))
            await anyio.sleep(TEXT_CHUNK_S)

    async def _speak(self, text: str, spoken: list[str]) -> None:
        """Send speech faster than it is spoken, its words just ahead of it."""
        speech = await self._utter(text)
        words = list(speech.words)
        seconds = self._switches.chunk_ms / 1000
        size = int(OUTPUT_RATE * seconds)
        began = anyio.current_time()
        self._playhead = max(self._playhead, began)
        for offset in range(0, len(speech.samples), size):
            at = offset / OUTPUT_RATE
            due = max(began + at / self._switches.pace, self._playhead - self._switches.lead_s)
            await anyio.sleep(max(0.0, due - anyio.current_time()))
            while words and words[0][1] < at + seconds:
                await self._spell(words.pop(0)[0], spoken)
            samples = speech.samples[offset : offset + size]
            blob = Blob(mime_type=OUTPUT_TYPE, data=samples.tobytes())
            await self._parts([Part(inline_data=blob)])
            self._playhead += len(samples) / OUTPUT_RATE
            self._samples += len(samples)
        for word, _, _ in words:  # those that cannot be pronounced and take no time
            await self._spell(word, spoken)

    async def _spell(self, word: str, spoken: list[str]) -> None:
        word = self._joint(len(spoken)) + word
        spoken.append(word)
        if self._setup.output_audio_transcription is not None:
            await self._content(ServerContent(output_transcription=Transcription(text=word)))

    def _joint(self, position: int) -> str:
        """What parts the beginning of a `say` from the one before it."""
        return " " if self._said and not position else ""

    async def _utter(self, text: str) -> Utterance:
        voice = voice_of(self._setup) or DEFAULT_VOICE
        generation = self._setup.generation_config
        speech = generation.speech_config if generation else None
        language = speech.language_code if speech else None
        return await to_thread.run_sync(
            lambda: speak(text, voice=voice, language=language, rate=OUTPUT_RATE),
            abandon_on_cancel=True,  # the user who interrupts does not wait for it
        )

    async def _playback(self) -> None:
        if self._switches.playback:
            await anyio.sleep(max(0.0, self._playhead - anyio.current_time()))

    # --- tools ---

    async def _call(self, calls: list[Call]) -> None:
        declared = {function.name: function for function in functions_of(self._setup)}
        wire = []
        for call in calls:
            self._memory.calls += 1
            number = self._memory.calls
            id = f"function-call-{self._memory.salt + number}" if self._switches.call_ids else ""
            blocking = declared[call.name].blocking if call.name in declared else True
            pending = PendingCall(id, call.name, blocking, call.answer, call.cancelled)
            self._memory.pending = (*self._memory.pending, pending)
            self._memory.remember(Called(id, call.name, call.args))
            self._written += Tokens(text=text_tokens(f"{call.name}{call.args}"))
            wire.append(FunctionCall(id=id, name=call.name, args=call.args))
        self.silent = False
        await self._send(ServerMessage(tool_call=ToolCallMessage(function_calls=wire)))

    async def _run_code(self, code: Code) -> None:
        await self._parts([Part(executable_code=ExecutableCode(language="PYTHON", code=code.code))])
        result = CodeExecutionResult(outcome=code.outcome, output=code.output)
        await self._parts([Part(code_execution_result=result)])
        self._written += Tokens(text=text_tokens(code.code) + text_tokens(code.output))

    async def _ground(self, ground: Ground) -> None:
        chunks = [
            GroundingChunk(web=WebSource(uri=source.uri, title=source.title))
            for source in ground.sources
        ]
        metadata = GroundingMetadata(web_search_queries=ground.queries, grounding_chunks=chunks)
        await self._content(ServerContent(grounding_metadata=metadata))

    # --- sending ---

    async def _parts(self, parts: list[Part]) -> None:
        await self._content(ServerContent(model_turn=Content(parts=parts)))

    async def _content(self, content: ServerContent) -> None:
        self.silent = False
        await self._send(ServerMessage(server_content=content))


def answers_in_text(setup: Setup) -> bool:
    """Whether the model writes rather than speaks, which is what it does unless told."""
    generation = setup.generation_config
    return bool(generation and generation.response_modalities == ["TEXT"])


def transcriptions(text: str, setup: Setup, switches: Switches) -> Iterator[ServerContent]:
    """The user's words as the service sends them: one by one, or first guessed and then whole."""
    if setup.input_audio_transcription is None:
        return
    words = increments(text)
    if switches.interim:
        guess = Transcription(text="".join(words[: len(words) // 2 + 1]))
        yield ServerContent(interim_input_transcription=guess)
        yield ServerContent(input_transcription=Transcription(text=text, finished=True))
        return
    for word in words:
        yield ServerContent(input_transcription=Transcription(text=word))


def increments(text: str) -> list[str]:
    """Words as the service sends them: to be joined as they are."""
    return [word if index == 0 else f" {word}" for index, word in enumerate(text.split())]


def _filled(text: str, outputs: dict[str, Any]) -> str:
    try:
        return text.format_map(outputs)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        return text
