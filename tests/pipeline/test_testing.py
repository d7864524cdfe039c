"""Virtual time: nothing waits, everything still happens."""

import time
from typing import Any

import anyio
import pytest
from anyio import to_thread

from pipeline import TextFrame
from pipeline.testing import Collect, Given, VirtualTimeLoop, feed


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


async def test_timers_fire_in_order_at_their_times() -> None:
    fired: list[tuple[str, float]] = []

    async def wait(name: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        fired.append((name, anyio.current_time() - began))

    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(wait, "year", 365 * 86_400)
        group.start_soon(wait, "minute", 60)
        group.start_soon(wait, "now", 0)
    assert [name for name, _ in fired] == ["now", "minute", "year"]
    assert [at for _, at in fired] == pytest.approx([0, 60, 365 * 86_400])


async def test_time_stands_still_while_a_thread_works() -> None:
    with anyio.move_on_after(0.001):
        await to_thread.run_sync(time.sleep, 0.02)
        return
    pytest.fail("the clock went on")


async def test_time_stands_still_while_bytes_are_under_way() -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)

    async def echo(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            async for data in stream:
                await stream.send(data)

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, echo)
        began = anyio.current_time()
        with anyio.fail_after(0.001):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                for number in range(100):
                    await stream.send(bytes([number]))
                    assert await stream.receive() == bytes([number])
        assert anyio.current_time() == began
        group.cancel_scope.cancel()


async def test_a_sink_is_fed_too() -> None:
    sink = Collect()
    assert await feed(sink, [TextFrame("a")]) == []
    assert len(sink.frames) == 1


async def test_given_frames_come_in_order() -> None:
    frames = [TextFrame("a"), TextFrame("b")]
    assert [frame async for frame in Given(frames).frames()] == frames
