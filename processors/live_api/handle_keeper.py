"""Keeps the file of a handle up to date while its session goes on."""

from __future__ import annotations

import logging

import anyio
from anyio import to_thread

from processors.live_api.handles import HandleFile
from processors.live_api.session import Session

EVERY_S = 1.0


class HandleKeeper:
    """Restores the handle of a session, and saves it whenever it has changed."""

    def __init__(self, file: HandleFile, session: Session, log: logging.Logger) -> None:
        self._file, self._session, self._log = file, session, log
        self._saved: str | None = None

    async def restore(self) -> None:
        """Let the session go on where an earlier run has left it."""
        self._saved = self._session.handle = await to_thread.run_sync(self._file.load)

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
            await to_thread.run_sync(self._file.save, handle)
        except OSError as error:  # no reason to end a conversation
            self._log.warning("cannot save the session's handle: %s", error.strerror or error)
