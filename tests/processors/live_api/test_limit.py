"""How many sessions are open at a time."""

import anyio
import pytest

from processors.live_api.limit import TooManySessionsError, session_slot
from processors.live_api.settings import Limit


async def test_sessions_wait_for_each_other() -> None:
    limit = Limit(sessions=2)
    open_now, most, order = 0, 0, []

    async def talk(number: int) -> None:
        nonlocal open_now, most
        async with session_slot("a", limit):
            open_now += 1
            most = max(most, open_now)
            order.append(number)
            await anyio.sleep(1)
            open_now -= 1

    started = anyio.current_time()
    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(talk, number)
    assert most == 2
    assert sorted(order) == list(range(6))
    assert anyio.current_time() - started == pytest.approx(3)


async def test_who_waits_is_told_once() -> None:
    limit, told = Limit(sessions=1), []

    async def waits(open_sessions: int) -> None:
        told.append((anyio.current_time(), open_sessions))

    async def talk() -> None:
        async with session_slot("a", limit, waits):
            await anyio.sleep(1)

    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(talk)
    assert told == [(began, 1)] * 2


async def test_room_that_is_made_while_somebody_is_told_is_taken() -> None:
    limit = Limit(sessions=1)

    async def waits(_: int) -> None:
        await anyio.sleep(2)

    async def talk() -> None:
        async with session_slot("a", limit):
            await anyio.sleep(1)

    async with anyio.create_task_group() as group:
        group.start_soon(talk)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(3):
            async with session_slot("a", limit, waits):
                pass


async def test_one_too_many_is_refused_and_room_is_made_again() -> None:
    limit = Limit(sessions=1, when_full="refuse")
    for _ in range(2):
        async with session_slot("a", limit):
            with pytest.raises(TooManySessionsError, match=r"no more than 1 .*`limit`"):
                async with session_slot("a", limit):
                    raise AssertionError
            async with session_slot("b", limit):  # another account
                pass


async def test_a_session_that_fails_or_is_cancelled_makes_room() -> None:
    limit = Limit(sessions=1)
    with pytest.raises(ValueError, match="no"):
        async with session_slot("a", limit):
            raise ValueError("no")
    with anyio.move_on_after(1):
        async with session_slot("a", limit):
            await anyio.sleep_forever()
    with anyio.fail_after(1):
        async with session_slot("a", limit):
            pass


async def test_who_stops_waiting_takes_nothing() -> None:
    limit = Limit(sessions=1)
    async with session_slot("a", limit):
        with anyio.move_on_after(1) as scope:
            async with session_slot("a", limit):
                raise AssertionError
        assert scope.cancelled_caught
    with anyio.fail_after(1):
        async with session_slot("a", limit):
            pass
