"""A network between a client and a server that can be cut, as networks are: nobody is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import SocketStream

LOST = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)


class Network:
    """Passes on what comes, both ways. Cut, it swallows: connections stay, and new ones are taken
    up, but nothing gets through, and nobody hears that the other has gone. What was on its way is
    lost with its connection, which ends when the network is mended.
    """

    def __init__(self, port: int) -> None:
        self.port = 0
        self._server = port
        self._mended = anyio.Event()
        self._mended.set()
        self._generation = 0

    def cut(self) -> None:
        self._mended = anyio.Event()
        self._generation += 1

    def mend(self) -> None:
        self._mended.set()

    async def carry(self, client: SocketStream) -> None:
        await self._mended.wait()
        generation = self._generation
        with suppress(*LOST):
            async with (
                client,
                await anyio.connect_tcp("127.0.0.1", self._server) as server,
                anyio.create_task_group() as group,
            ):
                group.start_soon(self._pass_on, client, server, generation, group)
                group.start_soon(self._pass_on, server, client, generation, group)

    async def _pass_on(
        self,
        source: SocketStream,
        target: SocketStream,
        generation: int,
        group: anyio.abc.TaskGroup,
    ) -> None:
        with suppress(*LOST):
            while True:
                data = await source.receive()
                if generation != self._generation:
                    await self._mended.wait()
                    break
                await target.send(data)
        if generation != self._generation:
            await self._mended.wait()
        group.cancel_scope.cancel()


@asynccontextmanager
async def network(port: int) -> AsyncIterator[Network]:
    """One to a server on this machine; clients use its own port."""
    between = Network(port)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    between.port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, between.carry)
        yield between
        group.cancel_scope.cancel()
