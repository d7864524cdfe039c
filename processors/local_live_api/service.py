"""What the connections of one server share."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline import Finding
from processors.local_live_api.endpoint import Endpoint
from processors.local_live_api.memory import Session, Sessions
from processors.local_live_api.recognition import Recogniser
from processors.local_live_api.refusal import INTERNAL, RefusedError
from processors.local_live_api.scenario import Script
from processors.local_live_api.switches import Switches
from processors.local_live_api.tokens import TokenStore

log = logging.getLogger("local_live_api")

EXHAUSTED = {
    "vertex": (
        "Request trace id: simulated, [ORIGINAL ERROR] generic::resource_exhausted: "
        "RESOURCE_EXHAUSTED: Maximum concurrent sessions exceeded"
    ),
    "gemini-api": ("You exceeded your current quota, please check your plan and billing details."),
}


@dataclass
class Service:
    """Settings, sessions and credentials; and what clients did otherwise than expected."""

    switches: Switches
    script: Script | None = None
    recogniser: Recogniser | None = None
    journal: bool = False
    """Keep every client message of every session."""
    findings: list[Finding] = field(default_factory=list)
    tokens: TokenStore = field(default_factory=TokenStore)
    sessions: Sessions = field(init=False)
    _open: dict[str, int] = field(default_factory=dict)
    _left_behind: list[Finding] = field(default_factory=list)
    """What forgotten sessions did not come to."""

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.switches)

    def enter(self, endpoint: Endpoint, project: str) -> None:
        """Count one more session of a project. Raises RefusedError if that is one too many."""
        if self._open.get(project, 0) >= self.switches.sessions:
            raise RefusedError(EXHAUSTED[endpoint.backend], INTERNAL)
        self._open[project] = self._open.get(project, 0) + 1

    def leave(self, project: str) -> None:
        """One session less."""
        self._open[project] -= 1
        if not self._open[project]:
            del self._open[project]

    def found(self, findings: list[Finding]) -> None:
        """Report what a client did otherwise than the scenario expects."""
        for finding in findings:
            log.error("%s", finding)
        self.findings += findings

    def left_over(self) -> list[Finding]:
        """What of the scenario no session came to."""
        return self._left_behind + self._left_over_by(self.sessions.all)

    def forget(self, now: float) -> None:
        """Forget old sessions, but not what they leave over."""
        self._left_behind += self._left_over_by(self.sessions.forget(now))

    def _left_over_by(self, sessions: Iterable[Session]) -> list[Finding]:
        if self.script is None:
            return []
        findings = []
        for session in sessions:
            memory = session.memory
            cut_short = list(memory.cut_short)
            if memory.unfinished:
                cut_short.append((memory.turns - 1, memory.todo))
            findings += self.script.left_over(memory.turns, cut_short)
        return findings
