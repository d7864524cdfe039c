"""Telling others that something has changed."""

import anyio

from pipeline.wakeup import Wakeup


async def test_all_who_wait_are_woken_once() -> None:
    wakeup, woken = Wakeup(), []

    async def wait(number: int) -> None:
        for _ in range(2):
            await wakeup.wait()
            woken.append(number)

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(wait, number)
        await anyio.wait_all_tasks_blocked()
        wakeup.wake()
        wakeup.wake()  # nobody waits yet
        await anyio.wait_all_tasks_blocked()
        assert sorted(woken) == [0, 1, 2]
        wakeup.wake()
    assert sorted(woken) == [0, 0, 1, 1, 2, 2]


async def test_what_was_before_wakes_nobody() -> None:
    wakeup = Wakeup()
    wakeup.wake()
    with anyio.move_on_after(1) as waiting:
        await wakeup.wait()
    assert waiting.cancelled_caught


async def test_who_gives_up_leaves_the_others_waiting() -> None:
    wakeup, woken = Wakeup(), []

    async def wait() -> None:
        await wakeup.wait()
        woken.append(anyio.current_time())

    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        with anyio.move_on_after(1):
            await wakeup.wait()
        assert not woken
        wakeup.wake()
    assert woken == [began + 1]


async def test_who_is_cancelled_as_it_is_woken_leaves_nothing_behind() -> None:
    wakeup = Wakeup()

    async def wait(scope: anyio.CancelScope) -> None:
        with scope:
            await wakeup.wait()

    async with anyio.create_task_group() as group:
        scope = anyio.CancelScope()
        group.start_soon(wait, scope)
        await anyio.wait_all_tasks_blocked()
        wakeup.wake()
        scope.cancel()
    assert wakeup.waiting == 0
    with anyio.move_on_after(1) as waiting:
        await wakeup.wait()
    assert waiting.cancelled_caught
