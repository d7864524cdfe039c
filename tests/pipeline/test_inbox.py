"""The inbox alone: bounds, policies, interruption, endings."""

from collections import Counter

import anyio
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import AudioFrame, Frame, Inbox, InboxSettings, TextFrame
from pipeline.testing import VirtualTimeLoop


class Box:
    """An inbox with its surroundings."""

    def __init__(self, **settings: object) -> None:
        self.cut: set[int] = set()
        self.drops: Counter[str] = Counter()
        self.inbox = Inbox[Frame](
            msgspec.convert(settings, InboxSettings), self.cut, self._count_drop
        )

    def _count_drop(self, reason: str, frames: int) -> None:
        self.drops[reason] += frames

    def queued(self) -> list[Frame]:
        frames = []
        try:
            while True:
                frames.append(self.inbox.receive_nowait())
        except (anyio.WouldBlock, anyio.EndOfStream):
            return frames


def audio(pts: int = 0, turn: int = 0, ms: int = 20) -> AudioFrame:
    return AudioFrame(np.zeros((16 * ms, 1), np.int16), 16_000, pts=pts, turn=turn)


def text(pts: int = 0, turn: int = 0) -> TextFrame:
    return TextFrame("word", pts=pts, turn=turn)


def order(frames: list[Frame]) -> list[int]:
    return [frame.pts for frame in frames]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 0}, "Expected `int` >= 1 - at `$.frames`"),
        ({"frames": 1, "ms": 1}, "give the bound in `frames` or in `ms`, not both"),
        ({"policy": "latest", "ms": 5}, "the policy `latest` keeps one frame and takes no bound"),
        ({"policy": "drop"}, "Invalid enum value 'drop' - at `$.policy`"),
    ],
)
def test_wrong_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message.replace("$", r"\$")):
        msgspec.convert(settings, InboxSettings)


def test_settings_show_as_people_say_them() -> None:
    assert str(InboxSettings()) == "64, block"
    assert str(InboxSettings(ms=400, policy="drop_oldest")) == "400 ms, drop_oldest"
    assert str(InboxSettings(policy="latest")) == "latest"


async def test_a_full_inbox_refuses_until_there_is_room() -> None:
    box = Box(frames=2)
    assert box.inbox.offer(audio(1))
    assert box.inbox.offer(audio(2))
    assert not box.inbox.offer(audio(3))
    assert box.inbox.receive_nowait().pts == 1
    assert box.inbox.offer(audio(3))
    assert order(box.queued()) == [2, 3]
    assert box.inbox.high_water == 2
    box.inbox.close()


async def test_a_blocked_sender_goes_on_when_a_frame_is_taken() -> None:
    box = Box(frames=1)
    box.inbox.offer(audio(1))
    async with anyio.create_task_group() as group:
        group.start_soon(box.inbox.put, audio(2))
        await anyio.wait_all_tasks_blocked()
        assert (await box.inbox.receive()).pts == 1
        assert (await box.inbox.receive()).pts == 2
    box.inbox.close()


async def test_a_bound_in_milliseconds_counts_sound() -> None:
    box = Box(ms=50)
    assert box.inbox.offer(audio(1))
    assert box.inbox.offer(audio(2))
    assert not box.inbox.offer(audio(3))
    assert box.inbox.offer(text(4))  # has no length
    box.inbox.receive_nowait()
    assert box.inbox.offer(audio(3))
    box.inbox.close()


async def test_one_frame_longer_than_the_bound_still_fits() -> None:
    box = Box(ms=50)
    assert box.inbox.offer(audio(1, ms=200))
    assert not box.inbox.offer(audio(2))
    box.inbox.close()


async def test_drop_oldest_keeps_what_is_not_media() -> None:
    box = Box(frames=3, policy="drop_oldest")
    for frame in (text(1), audio(2), audio(3), audio(4), audio(5)):
        assert box.inbox.offer(frame)
    assert order(box.queued()) == [1, 4, 5]
    assert box.drops == {"inbox full": 2}
    box.inbox.close()


async def test_drop_newest_drops_what_comes() -> None:
    box = Box(frames=1, policy="drop_newest")
    assert box.inbox.offer(audio(1))
    assert box.inbox.offer(audio(2))
    assert not box.inbox.offer(text(3))
    assert order(box.queued()) == [1]
    assert box.drops == {"inbox full": 1}
    box.inbox.close()


async def test_latest_keeps_the_newest() -> None:
    box = Box(policy="latest")
    for pts in range(5):
        assert box.inbox.offer(audio(pts))
    assert order(box.queued()) == [4]
    assert box.drops == {"inbox full": 4}
    box.inbox.close()


async def test_no_policy_drops_an_inbox_without_media() -> None:
    box = Box(frames=1, policy="drop_oldest")
    assert box.inbox.offer(text(1))
    assert not box.inbox.offer(text(2))
    assert not box.drops
    box.inbox.close()


async def test_new_media_gives_way_where_no_other_is_queued() -> None:
    for settings in ({"frames": 1, "policy": "drop_oldest"}, {"policy": "latest"}):
        box = Box(**settings)
        box.inbox.offer(text(1))
        assert box.inbox.offer(audio(2))
        assert order(box.queued()) == [1]
        assert box.drops == {"inbox full": 1}
        box.inbox.close()


async def test_a_long_frame_may_drop_any_number_of_short_ones() -> None:
    box = Box(ms=60_000, policy="drop_oldest")
    for pts in range(3000):
        box.inbox.offer(audio(pts, ms=20))
    assert box.inbox.offer(audio(3000, ms=59_990))
    assert order(box.queued()) == [3000]
    assert box.drops == {"inbox full": 3000}
    box.inbox.close()


async def test_an_interruption_frees_a_sender_whose_own_frame_is_stale() -> None:
    box = Box(frames=1)
    box.inbox.offer(text(1))
    async with anyio.create_task_group() as group:
        group.start_soon(box.inbox.put, audio(2, turn=1))
        await anyio.wait_all_tasks_blocked()
        box.cut.add(1)
        box.inbox.discard_stale()
    assert order(box.queued()) == [1]
    box.inbox.close()


async def test_what_comes_back_ends_with_those_who_send_it() -> None:
    box = Box()
    box.inbox.end()
    box.inbox.offer(text(1))
    box.inbox.end_late()
    assert order([frame async for frame in box.inbox.late()]) == [1]
    box.inbox.close()


async def test_an_interruption_empties_it_of_that_turn_only() -> None:
    box = Box(frames=8)
    for frame in (audio(1), audio(2, turn=1), text(3, turn=1), audio(4, turn=2)):
        box.inbox.offer(frame)
    box.cut.add(1)
    box.inbox.discard_stale()
    assert box.inbox.depth == 3
    assert order(box.queued()) == [1, 3, 4]
    assert box.drops == {"interrupted": 1}
    box.inbox.close()


async def test_an_interruption_frees_a_blocked_sender_at_once() -> None:
    box = Box(frames=1)
    box.inbox.offer(audio(1, turn=1))
    async with anyio.create_task_group() as group:
        group.start_soon(box.inbox.put, audio(2, turn=1))
        group.start_soon(box.inbox.put, text(3, turn=1))
        await anyio.wait_all_tasks_blocked()
        box.cut.add(1)
        box.inbox.discard_stale()
    assert order(box.queued()) == [3]
    assert box.drops == {"interrupted": 2}
    box.inbox.close()


async def test_late_media_of_an_interrupted_turn_is_not_taken() -> None:
    box = Box(frames=1)
    box.cut.add(1)
    assert box.inbox.offer(audio(1, turn=1))
    assert box.queued() == []
    assert box.drops == {"interrupted": 1}
    box.inbox.close()


async def test_a_frame_on_its_way_to_a_waiting_reader_becomes_stale() -> None:
    box = Box()
    got: list[Frame] = []

    async def read() -> None:
        got.append(await box.inbox.receive())

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        box.inbox.offer(audio(1, turn=1))
        box.cut.add(1)
        box.inbox.discard_stale()
        box.inbox.offer(audio(2, turn=2))
    assert order(got) == [2]
    assert box.drops == {"interrupted": 1}
    box.inbox.close()


@pytest.mark.parametrize("woken", [False, True])
async def test_a_reader_that_is_cancelled_loses_nothing(woken: bool) -> None:
    box, got = Box(), list[Frame]()

    async def read() -> None:
        got.append(await box.inbox.receive())

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        if woken:
            box.inbox.offer(audio(1))
        group.cancel_scope.cancel()
        box.inbox.offer(audio(2))
    assert order([*got, *box.queued()]) == [1, 2][not woken :]


async def test_several_readers_share_what_comes() -> None:
    box, got = Box(), list[Frame]()

    async def read() -> None:
        got.extend([frame async for frame in box.inbox])

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        for pts in range(2):
            box.inbox.offer(audio(pts))
        await anyio.wait_all_tasks_blocked()
        box.inbox.offer(audio(2))
        box.inbox.end()
    assert sorted(order(got)) == [0, 1, 2]


@pytest.mark.parametrize("late", [False, True])
async def test_closing_ends_a_reader_that_waits(late: bool) -> None:
    box = Box()
    async with anyio.create_task_group() as group:
        waiting = box.inbox.late() if late else box.inbox
        group.start_soon(anext, waiting, None)
        await anyio.wait_all_tasks_blocked()
        box.inbox.close()


async def test_latest_replaces_what_its_reader_has_not_taken_yet() -> None:
    box = Box(policy="latest")
    got: list[Frame] = []

    async def read() -> None:
        got.append(await box.inbox.receive())

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        box.inbox.offer(audio(1))
        box.inbox.offer(audio(2))
    assert order(got) == [2]
    assert box.drops == {"inbox full": 1}


async def test_the_end_comes_after_what_is_queued() -> None:
    box = Box()
    box.inbox.offer(audio(1))
    box.inbox.end()
    assert order([frame async for frame in box.inbox]) == [1]
    box.inbox.close()


async def test_what_comes_back_through_a_cycle_after_the_end() -> None:
    box = Box(frames=1)
    box.inbox.end()
    assert [frame async for frame in box.inbox] == []
    assert box.inbox.offer(text(1))
    assert box.inbox.offer(text(9))  # nobody may ever ask for it
    assert box.drops == {"came late": 1}
    late = box.inbox.late()
    assert not box.inbox.offer(text(2))
    assert (await anext(late)).pts == 1
    assert box.inbox.offer(text(2))
    assert (await anext(late)).pts == 2
    box.inbox.close()


async def test_late_sound_does_not_upset_a_bound_in_milliseconds() -> None:
    box = Box(ms=50)
    box.inbox.end()
    late = box.inbox.late()
    for pts in range(10):
        assert box.inbox.offer(audio(pts))
        assert (await anext(late)).pts == pts
    assert box.inbox.depth == 0
    box.inbox.close()


async def test_closing_counts_what_is_left_and_frees_senders() -> None:
    box = Box(frames=1)
    box.inbox.offer(audio(1))
    async with anyio.create_task_group() as group:
        group.start_soon(box.inbox.put, audio(2))
        await anyio.wait_all_tasks_blocked()
        box.inbox.close()
    assert box.inbox.offer(audio(3))
    assert box.drops == {"receiver ended": 3}


def test_the_number_of_givers() -> None:
    box = Box()
    box.inbox.givers = ((AudioFrame,), (TextFrame, AudioFrame), (Frame,))
    assert box.inbox.count_givers(AudioFrame) == 2
    assert box.inbox.count_givers(TextFrame) == 1
    assert box.inbox.count_givers(Frame) == 3
    box.inbox.close()


SETTINGS = st.sampled_from(
    [
        {"frames": 3},
        {"frames": 3, "policy": "drop_oldest"},
        {"frames": 3, "policy": "drop_newest"},
        {"policy": "latest"},
        {"ms": 50},
        {"ms": 50, "policy": "drop_oldest"},
    ]
)
FRAMES = st.builds(
    lambda media, turn: audio(turn=turn) if media else text(turn=turn),
    st.booleans(),
    st.integers(0, 2),
)
ACTIONS = st.lists(st.one_of(FRAMES, st.just("take"), st.sampled_from([1, 2])), max_size=60)


@given(SETTINGS, ACTIONS)
def test_every_frame_is_delivered_dropped_or_refused(
    settings: dict[str, object], actions: list[object]
) -> None:
    """Whatever happens: counts add up, order holds, bounds hold, nothing stale comes out."""

    async def check() -> None:
        box = Box(**settings)
        taken: list[Frame] = []
        accepted: list[Frame] = []
        for pts, action in enumerate(actions):
            if isinstance(action, Frame):
                frame = action.replace(pts=pts)
                if box.inbox.offer(frame):
                    accepted.append(frame)
            elif action == "take":
                try:
                    frame = box.inbox.receive_nowait()
                except anyio.WouldBlock:
                    continue
                assert not (frame.media and frame.turn in box.cut)
                taken.append(frame)
            else:
                assert isinstance(action, int)
                box.cut.add(action)
                box.inbox.discard_stale()
            assert box.inbox.depth <= 64
            if "frames" in settings:
                assert box.inbox.depth <= 3
        taken += box.queued()
        assert order(taken) == sorted(order(taken))
        assert len(taken) + sum(box.drops.values()) == len(accepted)
        dropped = set(accepted) - set(taken)
        assert all(frame.media for frame in dropped)
        box.inbox.close()
        assert box.inbox.depth == 0

    anyio.run(check, backend_options={"loop_factory": VirtualTimeLoop})
