"""Who has the floor."""

from typing import Any

import anyio
import pytest

from processors.local_live_api.floor import MOST_WAITING, Floor
from processors.local_live_api.hearing import Ear
from processors.local_live_api.history import Answered
from processors.local_live_api.memory import Memory
from processors.local_live_api.refusal import RefusedError
from processors.local_live_api.scenario import Prompt
from processors.local_live_api.switches import Switches

ANSWER = Prompt("tool_answer")
ANSWERED = Answered("1", "f", {})


@pytest.fixture
def memory() -> Memory:
    return Memory(Ear(None, Switches()))


def text(words: str) -> Prompt:
    return Prompt("text", words)


async def test_prompts_come_in_order(memory: Memory) -> None:
    floor = Floor(memory)
    for words in "abc":
        floor.ask(text(words))
    assert [(await floor.next()).prompt.text for _ in range(3)] == ["a", "b", "c"]


async def test_it_waits_for_a_prompt(memory: Memory) -> None:
    floor = Floor(memory)
    got: list[Any] = []

    async def take() -> None:
        got.append((await floor.next()).prompt)

    async with anyio.create_task_group() as group:
        group.start_soon(take)
        await anyio.sleep(1)
        assert got == []
        floor.ask(text("a"))
    assert got == [text("a")]


async def test_a_turn_is_due_until_it_is_over(memory: Memory) -> None:
    floor = Floor(memory)
    assert not floor.due
    floor.ask(text("a"))
    assert floor.due
    await floor.next()
    assert floor.due
    floor.over()
    assert not floor.due


async def test_waiting_in_vain_loses_nothing(memory: Memory) -> None:
    floor = Floor(memory)
    with anyio.move_on_after(1):
        await floor.next()
    floor.ask(text("a"))
    assert (await floor.next()).prompt == text("a")


async def test_the_user_comes_before_functions(memory: Memory) -> None:
    floor = Floor(memory)
    floor.ask(ANSWER, ANSWERED)
    floor.ask(text("a"))
    assert [(await floor.next()).prompt.kind for _ in range(2)] == ["text", "tool_answer"]


async def test_functions_wait_while_the_user_speaks(memory: Memory) -> None:
    floor = Floor(memory)
    memory.ear.speaking = True
    floor.ask(ANSWER, ANSWERED)
    with anyio.move_on_after(60) as waiting:
        await floor.next()
    assert waiting.cancelled_caught
    memory.ear.speaking = False
    floor.ask(Prompt("speech"))
    assert [(await floor.next()).prompt.kind for _ in range(2)] == ["speech", "tool_answer"]


async def test_an_interruption_is_of_all_that_was_asked_before(memory: Memory) -> None:
    floor = Floor(memory)
    floor.ask(text("a"))
    first = await floor.next()
    floor.ask(text("b"))
    floor.ask(ANSWER, ANSWERED)
    floor.interrupt()
    floor.ask(text("c"))
    second, third, answer = [await floor.next() for _ in range(3)]
    assert [cue.prompt.text for cue in (first, second, third)] == ["a", "b", "c"]
    cut = [cue.scope.cancel_called for cue in (first, second, third, answer)]
    assert cut == [True, True, False, False]
    assert [cue.prompt.interrupting for cue in (first, second, third)] == [False, False, True]


async def test_there_may_be_nothing_to_interrupt(memory: Memory) -> None:
    floor = Floor(memory)
    floor.interrupt()
    floor.ask(text("a"))
    assert not (await floor.next()).prompt.interrupting


async def test_what_is_left_is_given_away_once(memory: Memory) -> None:
    floor = Floor(memory)
    floor.ask(text("a"))
    assert [cue.prompt for cue in floor.left()] == [text("a")]
    assert floor.left() == []
    assert not floor.due


async def test_not_everything_waits(memory: Memory) -> None:
    floor = Floor(memory)
    for _ in range(MOST_WAITING):
        floor.ask(text("a"))
    with pytest.raises(RefusedError, match="unavailable") as refused:
        floor.ask(text("one too many"))
    assert refused.value.code == 1011
