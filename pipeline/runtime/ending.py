"""How a run comes to its end: sources end, and from there the end flows downstream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from pipeline.runtime import tasks

if TYPE_CHECKING:
    from pipeline.runtime.station import Station
    from pipeline.runtime.wiring import Wiring


class Ending:
    """The ends of a run's stations. told: is set when the sources are to end."""

    def __init__(self) -> None:
        self.told = anyio.Event()
        self._sources: list[tasks.SourceTask] = []
        self._wiring: Wiring
        self._working: set[str]
        """Where frames end up: when none of these is left, there is nothing more to do."""

    def begin(self, wiring: Wiring) -> None:
        """These are the stations that will end."""
        self._wiring = wiring
        self._working = {name for name, station in wiring.stations.items() if station.ends_here}

    def add(self, source: tasks.SourceTask) -> None:
        """A source that is to end with the others."""
        self._sources.append(source)
        if self.told.is_set():
            source.finish()

    def end_sources(self) -> None:
        """All of them, each between two frames; the rest comes to its end by that."""
        self.told.set()
        for source in self._sources:
            source.finish()

    async def end(self, station: Station) -> None:
        """A task has come to its end."""
        if station.inbox is not None:
            station.inbox.close()
            if station.open_inputs:
                self.end_sources()
        await self._end_outputs(station)
        self._is_done(station)

    async def detach(self, station: Station) -> None:
        """A task has failed, and the others go on: what comes to it is dropped."""
        if station.inbox is not None:
            station.inbox.close("detached")
        await self._end_outputs(station)
        await self._wiring.settle()
        self._is_done(station)

    def _is_done(self, station: Station) -> None:
        """Where nothing is left to be done with frames, no more are needed."""
        if station.name in self._working:
            self._working.remove(station.name)
            if not self._working:
                self.end_sources()

    async def _end_outputs(self, station: Station) -> None:
        """Through what is in-line, up to the next inboxes."""
        for edge in station.node.outgoing:
            target = self._wiring.stations[edge.target.name]
            if edge.feedback:
                target.open_feedback -= 1
                if target.inbox is not None and not target.open_feedback:
                    target.inbox.end_late()
                continue
            target.open_inputs -= 1
            if target.open_inputs:
                continue
            if target.inbox is not None:
                target.inbox.end()
            else:
                await tasks.flush(target, self._wiring)
                await self._end_outputs(target)
                self._is_done(target)
