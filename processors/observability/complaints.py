"""What OpenTelemetry's SDK complains of, as a part of the log, and not at every attempt."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

SOURCE, TARGET = "opentelemetry", "pipeline.opentelemetry"
AGAIN_S = 600.0
"""The same is not said again for so long: the SDK says it at each attempt, every few seconds."""
LONGEST = 300
"""Characters of one complaint."""


class Complaints(logging.Handler):
    """Passes on one of each kind in a while, in a line."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._said: dict[tuple[str, str], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        kind, now = (record.name, str(record.msg)), self._clock()
        if now - self._said.get(kind, -AGAIN_S) < AGAIN_S:
            return
        self._said = {k: at for k, at in self._said.items() if now - at < AGAIN_S} | {kind: now}
        why = record.exc_info[1] if record.exc_info else None
        said = record.getMessage() if why is None else f"{record.getMessage()} {why!r}"
        line = " ".join(said.split())
        shown = line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
        logging.getLogger(TARGET).log(record.levelno, "OpenTelemetry: %s", shown)


def pass_on_complaints() -> None:
    """From now on. Where a program has said what becomes of them, nothing is changed."""
    logger = logging.getLogger(SOURCE)
    if not logger.handlers:
        logger.addHandler(Complaints())
        logger.propagate = False
