"""The processor that talks with the Live API."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio
import msgspec
from msgspec import Meta

from pipeline import (
    AudioFormat,
    Duplex,
    Inbox,
    InputPath,
    Outbox,
    OutputPath,
    SettingError,
    Surroundings,
)
from processors.live_api import backends
from processors.live_api.backends import Backend
from processors.live_api.checks import check_around, check_settings
from processors.live_api.frame_types import Gives, Takes
from processors.live_api.input import INPUT_RATE
from processors.live_api.parts import OUTPUT_RATE
from processors.live_api.recording import Recorder
from processors.live_api.settings import (
    Avatar,
    Compression,
    Limit,
    Line,
    Options,
    Reconnect,
    ResumptionSettings,
    Safety,
    ServiceTool,
    ServiceVad,
    Stall,
    Thinking,
    Transcribe,
    Translation,
    VoiceSample,
)
from processors.live_api.setup import Wishes
from processors.local_live_api.switches import Switches
from processors.threads import import_in_thread

if TYPE_CHECKING:
    from processors.live_api.conversation import Conversation

BackendName = Literal["gemini_api", "vertex", "local", "local_vertex"]


class LiveApi(Duplex):
    """A conversation with the Gemini Live API: audio, pictures and text in; audio, text,
    transcripts and tool calls out, over as many connections as it takes.

    Without a backend it talks to the local Live API, a simulation that it starts itself.

    backend: `gemini_api` (key in GEMINI_API_KEY), `vertex` (Google credentials), `local`, or
      `local_vertex`, the simulation of Vertex AI.
    model: a model's name; left out, a current one of the backend.
    modality: what the model answers with, `audio` or `text`, or `video` with an avatar.
    voice: the name of a voice, such as Puck or Kore.
    voice_sample: a voice to be like: `path` of a sample, and of its owner's `consent`.
    language: language of the model's speech, such as en-US.
    speak_only: a language, by its English name, that the model must not leave.
    instruction: the system instruction.
    history: what was said before, a list of lines such as `{user: Hi.}` and `{model: Hello!}`.
    temperature: how freely the model chooses its words, 0 to 2.
    top_p, top_k: from how many of the likeliest words.
    max_tokens: of one answer.
    seed: for answers that are more alike.
    presence_penalty, frequency_penalty: against words that were used already, or often.
    media_resolution: how closely pictures are looked at, `low`, `medium` or `high`.
    affective: the model hears moods, and answers in kind.
    proactive: the model may keep silent when it is not meant.
    proactive_video: it may also speak up about what it sees.
    translation: for a model that interprets: `to` a language, such as de; `echo: true` repeats what
      was said in it.
    avatar: a face for the model, by `name` or from an `image`; with `modality: video`.
    safety: for each kind of harm, from which level on an answer is withheld: `low`, `medium`,
      `high`, `never` or `ignore`.
    labels: keys and values that the bill is sorted by.
    thinking: how much the model thinks before it speaks: `budget` or `level`; `show: true` gives
      its thoughts.
    transcribe: whose words come as transcripts, `user` and `model`; hints: `languages`,
      `vocabulary`; `style: smart` puts words right; `word_times` and `speakers` ask for more.
    code_execution: the model may run code of its own.
    google_search: the model may search the web.
    service_tools: other tools that the service runs, with their options: `url_context: {}`,
      `google_maps: {}`, `retrieval: {...}`.
    functions: declarations of functions whose calls something else than a tool dispatcher answers.
    compression: keeps the conversation within the context window by dropping its oldest turns;
      `trigger` and `target` in tokens, or `{}`.
    resumption: lets the conversation outlive its connections: `{}`, or `transparent: true`, by
      which each message is sent exactly once, on Vertex AI; `file` keeps the handle for the next
      run.
    reconnect: how long to try (`for_s`), with which pauses (`first_s`, `longest_s`), and how much
      sound to keep meanwhile (`hold_s`).
    stall: what to do `after_s` seconds in which the model owes an answer: `then: resume`, `nudge`
      or `fail`; null for nothing.
    limit: how many `sessions` of this process are open at a time, and what to do `when_full`.
    vad: how the service finds the user's turns: `silence_ms` ends one, `prefix_ms` of speech begins
      one, `start_sensitivity` and `end_sensitivity` are `high` or `low`, `interrupts: false` lets
      the model finish, `covers` says what belongs to a turn, `report: true` gives what it hears as
      speech events, and `automatic: false` leaves it to a VAD gate.
    typed: whether a typed line lets the model finish, `wait`, or cuts it short, `interrupt`.
    image_interval_s: seconds between two pictures; of those that come faster the newest is sent.
    setup: further fields of the setup message, as they are on the wire.
    record: a file for everything that goes over the wire, without keys, which the local Live API
      can play back.
    scenario, faults: for the local Live API, files that say what it expects and does, and how it
      misbehaves.
    simulation: switches of the local Live API, for where the real service has several ways.
    project, location: for Vertex AI.
    url: another address than the backend's own.
    ca_file: PEM of an authority to trust instead of the system's, for such an address.
    patience_s: seconds to wait for the service's next sign of life after the input has ended.
    """

    def __init__(
        self,
        backend: BackendName | None = None,
        model: str | None = None,
        modality: Literal["audio", "text", "video"] = "audio",
        voice: str | None = None,
        voice_sample: VoiceSample | None = None,
        language: str | None = None,
        speak_only: str | None = None,
        instruction: str | None = None,
        history: list[Line] | None = None,
        temperature: Annotated[float, Meta(ge=0, le=2)] | None = None,
        top_p: Annotated[float, Meta(ge=0, le=1)] | None = None,
        top_k: Annotated[int, Meta(ge=1)] | None = None,
        max_tokens: Annotated[int, Meta(ge=1)] | None = None,
        seed: int | None = None,
        presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None,
        frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None,
        media_resolution: Literal["low", "medium", "high"] | None = None,
        affective: bool = False,
        proactive: bool = False,
        proactive_video: bool = False,
        translation: Translation | None = None,
        avatar: Avatar | None = None,
        safety: Safety | None = None,
        labels: dict[str, str] | None = None,
        thinking: Thinking | None = None,
        transcribe: Transcribe = Transcribe(),  # noqa: B008 it is immutable
        code_execution: bool = False,
        google_search: bool = False,
        service_tools: dict[ServiceTool, dict[str, Any]] | None = None,
        functions: list[dict[str, Any]] | None = None,
        compression: Compression | None = None,
        resumption: ResumptionSettings | None = None,
        reconnect: Reconnect = Reconnect(),  # noqa: B008 it is immutable
        stall: Stall | None = Stall(),  # noqa: B008 it is immutable
        limit: Limit = Limit(),  # noqa: B008 it is immutable
        vad: ServiceVad | None = None,
        typed: Literal["wait", "interrupt"] = "wait",
        image_interval_s: Annotated[float, Meta(ge=0)] = 1.0,
        setup: dict[str, Any] | None = None,
        record: OutputPath | None = None,
        scenario: InputPath | None = None,
        faults: InputPath | None = None,
        simulation: Switches | None = None,
        project: str | None = None,
        location: str = "us-central1",
        url: str | None = None,
        ca_file: InputPath | None = None,
        patience_s: Annotated[float, Meta(gt=0)] = 10.0,
    ) -> None:
        self._is_local = backend in (None, "local", "local_vertex") and url is None
        for name, value in (
            ("scenario", scenario),
            ("faults", faults),
            ("simulation", simulation),
        ):
            if value is not None and not self._is_local:
                raise SettingError(f"`{name}` is for the local Live API", setting=name)
        self.backend = backend
        self.model = model
        self.wishes = Wishes(
            modality=modality,
            voice=voice,
            voice_sample=voice_sample,
            language=language,
            speak_only=speak_only,
            instruction=instruction,
            history=tuple(history or ()),
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            max_tokens=max_tokens,
            seed=seed,
            presence_penalty=presence_penalty,
            frequency_penalty=frequency_penalty,
            media_resolution=media_resolution,
            affective=affective,
            proactive=proactive,
            proactive_video=proactive_video,
            translation=translation,
            avatar=avatar,
            safety=safety,
            labels=labels or {},
            thinking=thinking,
            transcribe=transcribe,
            code_execution=code_execution,
            google_search=google_search,
            service_tools=service_tools or {},
            compression=compression,
            vad=vad,
        )
        self.functions = functions
        self.resumption = resumption
        self.reconnect = reconnect
        self.stall = stall
        self.limit = limit
        self.typed = typed
        self.image_interval_s = image_interval_s
        self.setup = setup
        self.record = record
        self.scenario = scenario
        self.faults = faults
        self.simulation = simulation
        self.project = project
        self.location = location
        self.url = url
        self.ca_file = ca_file
        self.patience_s = patience_s
        self._recorder: Recorder | None = None
        self._conversation: Conversation | None = None
        self._local_url = ""

    def check(self) -> None:
        check_settings(self)

    def check_graph(self, around: Surroundings) -> None:
        check_around(self, around)

    @property
    def account(self) -> str:
        """Whose sessions are counted together."""
        return f"{self.backend}:{self.project or self.url or ''}"

    @property
    def kind(self) -> Literal["vertex", "gemini_api"] | None:
        """Whose rules apply; None at an address of which nothing is known."""
        if self.backend is None and self.url is not None:
            return None
        return "vertex" if self.backend in ("vertex", "local_vertex") else "gemini_api"

    @property
    def model_name(self) -> str | None:
        """The model, also where it is the backend's default."""
        unknown = self.backend is None and self.url is not None
        return self.model or (None if unknown else backends.DEFAULT_MODEL[self.backend or "local"])

    def audio_in(self) -> AudioFormat:
        return AudioFormat(INPUT_RATE, 1)

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        return AudioFormat(OUTPUT_RATE, 1)

    async def lifespan(self) -> AsyncIterator[None]:
        # What speaks websockets is not imported for a check, which it would make a third slower.
        await import_in_thread("processors.live_api.conversation")
        from processors.live_api.connection import require_asyncio

        require_asyncio()
        files = {path: await anyio.Path(path).read_bytes() for path in self.wishes.paths}
        self.wishes = msgspec.structs.replace(self.wishes, files=files)
        with contextlib.ExitStack() as stack:
            if self.record:
                record = self.context.claim(Path(self.record))
                self._recorder = stack.enter_context(Recorder(record))
                self.context.wrote(str(record))
            if not self._is_local:
                yield
                return
            await import_in_thread("processors.local_live_api.server")
            from processors.local_live_api.server import serve

            local = serve(scenario=self.scenario, faults=self.faults, switches=self.simulation)
            async with local as server:
                why = "no backend is configured: " if self.backend is None else ""
                self.context.log.info(
                    "%stalking to the local Live API, a simulation, on port %d", why, server.port
                )
                vertex = self.backend == "local_vertex"
                self._local_url = server.url_of("vertex" if vertex else "gemini-api")
                yield
                for finding in server.left_over():
                    self.context.log.warning("%s", finding)

    async def _resolve(self) -> Backend:
        """Address and credentials, which may have been renewed since the last connection."""
        if self._is_local:
            return backends.local(self._local_url, self.model, self.backend or "local")
        if self.backend == "gemini_api":
            return backends.gemini_api(self.model, self.url)
        if self.backend == "vertex":
            return await backends.vertex(self.model, self.project, self.location, self.url)
        return backends.local(self.url or "", self.model, self.backend or "local")

    async def run(self, inbox: Inbox[Takes], outbox: Outbox[Gives]) -> None:
        from processors.live_api.conversation import Conversation

        options = Options(
            kind=self.kind,
            model=self.model_name,
            account=self.account,
            functions=self.functions or [],
            resumption=self.resumption,
            reconnect=self.reconnect,
            stall=self.stall,
            limit=self.limit,
            image_interval_s=self.image_interval_s,
            setup=self.setup or {},
            ca_file=Path(self.ca_file) if self.ca_file else None,
            patience_s=self.patience_s,
            realtime_text=self.backend == "gemini_api",
            typed=self.typed,
        )
        self._conversation = Conversation(
            options, self.wishes, self.context, inbox, outbox, self._resolve, self._recorder
        )
        await self._conversation.run()

    def interrupted(self, turn: int) -> None:
        if self._conversation is not None:
            self._conversation.silenced(turn)
