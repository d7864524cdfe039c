"""What is wrong with the settings of a `live_api`, alone and in its graph: all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import Instruction, SettingError, SpeechStarted, Surroundings, ToolsDeclared
from processors.files import check_writable
from processors.live_api import backends
from processors.live_api.capabilities import check_wishes
from processors.live_api.setup import check_raw

if TYPE_CHECKING:
    from processors.live_api.transport import LiveApi


def check_settings(live: LiveApi) -> None:
    """Raise what is wrong before a connection is opened: one error, or an ExceptionGroup of all."""
    problems: list[Exception] = []
    for check in _checks(live):
        try:
            check()
        except Exception as error:
            problems.append(error)
    if len(problems) > 1:
        raise ExceptionGroup("wrong settings", problems)
    if problems:
        raise problems[0]


def _checks(live: LiveApi) -> Iterator[Callable[[], object]]:
    if live.scenario is not None:
        yield partial(_check_scenario, live.scenario)
    if live.faults is not None:
        yield partial(_check_faults, live.faults)
    if live.kind is not None:
        wanted = live.wishes, live.resumption, live.kind, live.model_name or ""
        yield partial(check_wishes, *wanted)
    yield partial(check_raw, live.setup or {})
    for path in live.wishes.paths:
        yield partial(_check_file, live, path)
    if live.backend == "gemini_api":
        yield partial(backends.gemini_api, live.model, live.url)
    for written in (live.record, live.resumption and live.resumption.file):
        if written:
            yield partial(check_writable, Path(written))
    yield partial(backends.check_address, live.url, live.ca_file)
    if live.backend == "vertex":
        yield partial(backends.check_project, live.project)


def _check_scenario(path: str) -> None:
    from processors.local_live_api.scenario import Script

    Script.read(path)


def _check_faults(path: str) -> None:
    from processors.local_live_api.faults import load_faults

    load_faults(path)


def _check_file(live: LiveApi, path: str) -> None:
    if not Path(path).is_file():
        avatar = live.wishes.avatar
        setting = "avatar" if avatar is not None and avatar.image == path else "voice_sample"
        raise SettingError(f"there is no file {path}", setting=setting)


def check_around(live: LiveApi, around: Surroundings) -> None:
    """Raise SettingError for what does not go together with the rest of the graph."""
    if live.kind == "gemini_api" and live.resumption is None and around.can_get(Instruction):
        raise SettingError(
            "the Gemini API takes a new instruction only on a new connection",
            setting="resumption",
            hint="switch resumption on, with `resumption: {}`",
        )
    declared = live.functions or around.can_get(ToolsDeclared)
    if live.kind == "vertex" and live.wishes.google_search and declared:
        raise SettingError(
            "Vertex takes a search and functions in different sessions only",
            setting="google_search",
            hint="leave it out, or the functions",
        )
    vad = live.wishes.vad
    if vad is not None and not vad.automatic and not around.can_get(SpeechStarted):
        raise SettingError(
            "nothing before it marks the user's turns",
            setting="vad.automatic",
            hint="put a `vad_gate` there, or leave `automatic: false` out",
        )
    here = [
        other
        for other in around.processors.values()
        if isinstance(other, type(live)) and other.account == live.account
    ]
    if len(here) > live.limit.sessions:
        waits = live.limit.when_full == "wait"
        what = "one waits for another to end" if waits else "one is refused"
        raise SettingError(
            f"{len(here)} sessions of this graph share a limit of {live.limit.sessions}: {what}",
            setting="limit",
            hint=f"set `limit: {{sessions: {len(here)}}}` or more",
            severity="warning" if waits else "error",
        )
