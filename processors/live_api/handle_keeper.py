"""Keeps the file of a handle up to date while its session goes on."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import anyio
from anyio import to_thread

from processors.live_api.handles import load_handle, save_handle
from processors.live_api.session import Session

EVERY_S = 1.0


class HandleKeeper:
    """Restores the handle of a session with a model, and saves it whenever it has changed."""

    def __init__(self, path: Path, model: str, session: Session, log: logging.Logger) -> None:
        self._path, self._model = path, model
        self._session, self._log = session, log
        self._saved: str | None = None

    async def restore(self) -> None:
        """Let the session go on where an earlier run has left it, if its handle is still good."""
        found = await to_thread.run_sync(load_handle, self._path, self._model, time.time())
        self._saved = self._session.handle = found

    async def run(self) -> None:
        """Save until cancelled, and at last then."""
        try:
            while True:
                await self._save()
                await anyio.sleep(EVERY_S)
        finally:
            with anyio.CancelScope(shield=True):
                await self._save()

    async def _save(self) -> None:
        handle = self._session.handle
        if handle is None or handle == self._saved:
            return
        self._saved = handle
        try:
            await to_thread.run_sync(save_handle, self._path, handle, self._model, time.time())
        except OSError as error:  # no reason to end a conversation
            self._log.warning("cannot save the session's handle: %s", error.strerror or error)
