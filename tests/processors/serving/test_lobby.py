"""Who gets a place, in one event loop and without sockets."""

from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint
from serving_bench import BOUND, TALK

from processors.serving.binding import Offer
from processors.serving.limits import Limits
from processors.serving.lobby import Lobby
from processors.serving.onlookers import Onlookers, Watching
from processors.serving.places import OwnPlaces
from processors.serving.protocol import Start
from processors.serving.refusal import RefusedError


async def nobody(_: int) -> None:
    """Is not told where it stands."""


class Waiting:
    """Somebody who wants a place, and what came of it."""

    def __init__(self, lobby: Lobby) -> None:
        self.lobby = lobby
        self.outcome = ""

    async def wait(self) -> None:
        try:
            await self.lobby.enter(Start(), nobody)
        except RefusedError as error:
            self.outcome = error.reason
        else:
            self.outcome = "in"


@pytest.fixture
def lobby(tmp_path: Path) -> Lobby:
    (tmp_path / "talk.yaml").write_text(TALK)
    offer = Offer(tmp_path / "talk.yaml", BOUND, tmp_path / "files")
    limits = Limits(sessions=1, queue=2, drain_s=0)
    return Lobby(offer, limits, Onlookers("talk.yaml", Watching()))


async def test_nobody_comes_in_who_waited_when_the_server_ends(lobby: Lobby) -> None:
    async with anyio.create_task_group() as group:
        first, second = Waiting(lobby), Waiting(lobby)
        async with lobby.running():
            await lobby.enter(Start(), nobody)
            for one in (first, second):
                group.start_soon(one.wait)
                await checkpoint()
            assert lobby.waiting == 2
    assert (first.outcome, second.outcome) == ("draining", "draining")
    assert lobby.open == 0


@pytest.mark.parametrize("has_begun", [True, False])
async def test_nobody_comes_in_by_a_place_that_is_given_back_as_the_drain_begins(
    lobby: Lobby, has_begun: bool
) -> None:
    async with anyio.create_task_group() as group, lobby.running():
        await lobby.places.take(nobody)
        one = Waiting(lobby)
        group.start_soon(one.wait)
        await checkpoint()
        assert lobby.waiting == 1
        group.start_soon(lobby.drain)
        if has_begun:
            await checkpoint()
        lobby.places.free()
        await checkpoint()
        await checkpoint()
        assert (one.outcome, lobby.open) == ("draining", 0)


async def test_a_place_that_is_given_back_after_the_end_goes_to_nobody() -> None:
    places = OwnPlaces(1, 1)
    await places.take(nobody)
    async with anyio.create_task_group() as group:
        refused = anyio.Event()

        async def wait() -> None:
            with pytest.raises(RefusedError, match="stopping"):
                await places.take(nobody)
            refused.set()

        group.start_soon(wait)
        await checkpoint()
        assert places.waiting == 1
        places.close()
        places.free()
        await refused.wait()
    assert (places.taken, places.waiting) == (0, 0)
