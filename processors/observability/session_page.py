"""A session as one HTML page, to look at and to listen to when it is over."""

from __future__ import annotations

import base64
import hashlib
import html
import logging
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio import to_thread

from pipeline import (
    AudioFrame,
    Frame,
    Observer,
    PipelineError,
    Playback,
    Report,
    Run,
    TurnEnded,
    draw_graph,
)
from processors.files import check_writable, replace_file
from processors.observability.session_log import SessionLog
from processors.observability.session_sound import COLUMNS, TYPE, SessionSound

PARTS = Path(__file__).parent / "page"
LONGEST_S = 1800.0
EVERY_S = 1.0


class SessionPage(Observer):
    """Writes a page that needs nothing else: the graph, a timeline with both waveforms, speech,
    turns, calls, interruptions, waits and drops, the words, and the sound.

    path: the file. title: what stands at its top. longest_s: sound after so many seconds is left
    out. Raises SettingError if the file cannot be written.
    """

    def __init__(self, path: str | Path, title: str = "", longest_s: float = LONGEST_S) -> None:
        self.path = Path(path)
        check_writable(self.path)
        self._title = title or self.path.stem
        self._longest_s = longest_s
        self._encoding: anyio.Lock
        self._graph = ""

    def begin(self, run: Run) -> None:
        self._run = run
        self._begun = datetime.now().astimezone()
        self._graph = draw_graph(run.graph)
        self._log = SessionLog(run)
        gives = {kind for node in run.graph.nodes.values() for kind in node.ports.gives}
        reported = any(issubclass(kind, Playback) for kind in gives)
        self._sound = SessionSound(self._longest_s, reported=reported, heard=self._log.heard)
        self._encoding = anyio.Lock()

    @property
    def taps(self) -> Mapping[type[Frame], Callable[[str, Any], None]]:
        def turn_ended(node: str, frame: TurnEnded) -> None:
            self._log.taps[TurnEnded](node, frame)
            if frame.interrupted:
                self._sound.cut(frame.turn, frame.pts)

        return {
            **self._log.taps,
            TurnEnded: turn_ended,
            AudioFrame: lambda _, frame: self._sound.add(frame),
            Playback: lambda _, frame: self._sound.hear(frame),
        }

    def measured(self, node: str, what: str, nanoseconds: int, turn: int) -> None:
        if turn:
            self._log.measured(what, nanoseconds, turn)

    def held(self, node: str, where: str, nanoseconds: int) -> None:
        self._log.notice_hold(node, where, nanoseconds)

    async def watch(self, run: Run) -> None:
        while True:
            await anyio.sleep(EVERY_S)
            self._log.notice_drops(run.report.drops)
            await self._encode(run.now())

    async def ended(self, report: Report, failure: PipelineError | None) -> None:
        self._log.notice_drops(report.drops)
        await self._encode(None)
        facts = self._facts(report, failure)
        await to_thread.run_sync(self._write, facts)
        report.files.append(str(self.path))
        if failure is not None:  # after which no files are named
            logging.getLogger("pipeline").warning("wrote %s", self.path)

    async def _encode(self, now: int | None) -> None:
        with anyio.CancelScope(shield=True):  # sound that is taken gets into the file
            async with self._encoding:
                samples = self._sound.take(now)
                await to_thread.run_sync(self._sound.encode, samples)

    def _facts(self, report: Report, failure: PipelineError | None) -> dict[str, Any]:
        return {
            "title": self._title,
            "begun": self._begun.isoformat(timespec="seconds"),
            "seconds": report.seconds,
            "completed": report.completed,
            "failure": None if failure is None else str(failure),
            **self._log.rows,
            "left_out": self._log.left_out,
            "tokens": self._log.tokens,
            "measurements": [
                {"name": name, "times": len(values), **_spread(values)}
                for name, values in report.measurements.items()
            ],
            "drops": [
                {"node": node, "reason": reason, "frames": frames}
                for (node, reason), frames in sorted(report.drops.items())
            ],
            "edges": [
                {"from": edge.source, "to": edge.target, "frames": edge.frames}
                for edge in report.edges
            ],
            "files": list(report.files),
        }

    def _write(self, facts: Mapping[str, Any]) -> None:
        ogg, user, model = self._sound.finish()
        sound = {
            "type": TYPE,
            "data": _base64(ogg),
            "columns": COLUMNS,
            "user": _base64(user),
            "model": _base64(model),
        }
        page = compose({**facts, "sound": sound if ogg else None}, self._graph)
        replace_file(self.path, page.encode())


def compose(facts: Mapping[str, Any], graph: str) -> str:
    """The page of what is known of a session, and of its graph, an SVG document.

    Nothing that was said can become markup: it travels as JSON without `<`, and the page's script
    shows it as text; the page's policy allows no other script, and nothing from elsewhere.
    """
    script = (PARTS / "session.js").read_text(encoding="utf-8")
    style = (PARTS / "session.css").read_text(encoding="utf-8")
    data = msgspec.json.encode(facts, enc_hook=str).decode().replace("<", "\\u003c")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "media-src blob:; img-src data:; base-uri 'none'; form-action 'none'"
    )
    page = (PARTS / "session.html").read_text(encoding="utf-8")
    parts = {
        "policy": policy,
        "title": html.escape(str(facts["title"])),
        "style": style,
        "graph": graph,
        "data": data,
        "script": script,
    }
    pieces = page.split("@@")  # text, name, text, name, text
    pieces[1::2] = [parts[name] for name in pieces[1::2]]
    return "".join(pieces)


def _spread(values: list[int]) -> dict[str, float]:
    ranked = sorted(values)
    return {
        name: round(ranked[math.ceil(share * len(ranked)) - 1] / 1e6, 1)
        for name, share in (("p50", 0.5), ("p95", 0.95))
    }


def _hash(text: str) -> str:
    return "sha256-" + _base64(hashlib.sha256(text.encode()).digest())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
