"""Threads call into an event loop without waiting for it."""

import threading

import anyio
import pytest

from pipeline import waker


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_thread_has_something_called_in_the_loop_and_nothing_after_its_end(backend: str) -> None:
    called: list[threading.Thread] = []
    wakers = []

    async def main() -> None:
        wakers.append(waker())
        done = anyio.Event()

        def run() -> None:
            called.append(threading.current_thread())
            done.set()

        threading.Thread(target=wakers[0], args=(run,)).start()
        with anyio.fail_after(5):
            await done.wait()

    anyio.run(main, backend=backend)
    assert called == [threading.current_thread()]
    wakers[0](lambda: pytest.fail("it was called"))
