"""Who looks at the sessions of a server: pages of them, OpenTelemetry, `pipeline top` and `tap`."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio import to_thread

from pipeline import Control, Observer, PipelineError, Report, SettingError
from processors.files import check_writable
from processors.observability.session_page import SessionPage

CLOSE_S = 30.0
"""How long the export of what is left may take when the server ends."""
PAGE = re.compile(r"([0-9a-f]+-)?[0-9a-f]{12}(-\d+)?\.html")
"""What a page is called: by its session."""


@dataclass(frozen=True)
class Watching:
    """What is wanted of them.

    pages: a folder for a page of each session, of which the newest `keep` are kept; None for all.
    telemetry: tell OpenTelemetry; content: what was said, too. control: let `pipeline top` and
    `pipeline tap` of the same user look.
    """

    pages: Path | None = None
    keep: int | None = None
    telemetry: bool = False
    content: bool = False
    control: bool = False


class Onlookers:
    """Makes the observers of each session. title: what is served.

    Raises SettingError if pages cannot be written, or OpenTelemetry not be had.
    """

    def __init__(self, title: str, watching: Watching) -> None:
        self._title = title
        self._watching = watching
        self._control = Control(title, serves=True) if watching.control else None
        if watching.pages is not None:
            check_writable(watching.pages / "page.html")
        if watching.telemetry:
            from processors.observability.exporters import providers

            self._providers = providers(os.environ)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sessions are looked at within this; at its end, what is left is exported."""
        async with anyio.create_task_group() as group:
            if self._control is not None:
                group.start_soon(self._control.listen)
            try:
                yield
            finally:
                group.cancel_scope.cancel()
                if self._watching.telemetry:
                    with anyio.move_on_after(CLOSE_S, shield=True):
                        await to_thread.run_sync(self._providers.close, abandon_on_cancel=True)

    def observers(self, session: str) -> list[Observer]:
        """Those of a session. What cannot be had is logged, and no reason not to talk."""
        watching, observers = self._watching, list[Observer]()
        if self._control is not None:
            observers.append(self._control.observer(session))
        if watching.telemetry:
            from processors.observability.exporters import wants_content
            from processors.observability.telemetry import Telemetry

            providers = self._providers._replace(close=lambda: None)  # it is for all
            content = watching.content or wants_content(os.environ)
            observers.append(
                Telemetry(providers, title=self._title, content=content, session=session)
            )
        if watching.pages is not None:
            title = f"{self._title}, session {session}"
            try:
                path = _free(watching.pages, session)
                observers.append(_KeptPage(path, title, watching.keep))
            except SettingError as error:
                logging.getLogger("pipeline.serving").warning("no page is written: %s", error)
        return observers


class _KeptPage(SessionPage):
    """A page, for which the oldest has to go where there are too many."""

    def __init__(self, path: Path, title: str, keep: int | None) -> None:
        super().__init__(path, title)
        self._keep = keep

    async def ended(self, report: Report, failure: PipelineError | None) -> None:
        await super().ended(report, failure)
        if self._keep is not None:
            await to_thread.run_sync(_prune, self.path.parent, self._keep)


def _free(folder: Path, session: str) -> Path:
    """A file of a session that is not there yet."""
    path, number = folder / f"{session}.html", 1
    while path.exists():
        number += 1
        path = folder / f"{session}-{number}.html"
    return path


def _prune(folder: Path, keep: int) -> None:
    """Remove the oldest pages; nothing else that may be in the folder."""
    pages = []
    for path in folder.iterdir():
        if PAGE.fullmatch(path.name):
            try:
                pages.append((path.stat().st_mtime_ns, path))
            except FileNotFoundError:
                continue  # another session has removed it meanwhile
    for _, path in sorted(pages, reverse=True)[keep:]:
        path.unlink(missing_ok=True)
