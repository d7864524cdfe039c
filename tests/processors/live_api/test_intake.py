"""How much sound is taken in while there is no connection."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import SECOND
from processors.live_api.intake import SLACK, Intake
from processors.live_api.messages import ClientMessage
from processors.live_api.replay import Kept, ReplayBuffer

MS = SECOND // 1000
FRAME = 20 * MS
HOLD = 30 * SECOND


class Disconnected:
    """An intake and the buffer behind it, while there is no connection."""

    def __init__(self, hold: int = HOLD) -> None:
        self.intake = Intake(hold)
        self.buffer = ReplayBuffer(hold)

    def offer(self, now: int) -> int | None:
        """A frame comes; the answer says how long it has to wait, and 0 that it is in."""
        wait = self.intake.wait(self.buffer.waiting_media, now)
        if wait == 0:
            self.intake.taken(FRAME)
            self.buffer.add(Kept(ClientMessage(), "media", now, FRAME))
        return wait

    @property
    def lost(self) -> int:
        return sum(kept.messages for kept in self.buffer if kept.message is None)


@settings(max_examples=20)
@given(st.integers(0), st.integers(0, SLACK - FRAME))
def test_a_live_source_never_waits(seed: int, most: int) -> None:
    """However late its frames come: each was spoken before, and they come in order."""
    outage, random, frames = Disconnected(), Random(seed), 2500
    now = 0
    for number in range(frames):
        now = max(now, number * FRAME + random.randint(0, most))
        assert outage.offer(now) == 0
    kept = sum(item.duration for item in outage.buffer if item.message is not None)
    assert kept == HOLD
    assert outage.lost == frames - HOLD // FRAME


@settings(max_examples=30)
@given(st.integers(2, 60).map(lambda tenths: tenths * SECOND // 10), st.integers(0, FRAME // 4))
def test_a_fast_source_waits_and_loses_nothing(hold: int, pace: int) -> None:
    outage = Disconnected(hold)
    now = taken = 0
    for _ in range(5000):
        wait = outage.offer(now)
        if wait is None:
            break
        taken += not wait
        now += wait or pace
    assert outage.lost == 0
    assert wait is None, "there is no more room"
    assert sum(kept.duration for kept in outage.buffer) == taken * FRAME
    assert outage.offer(now + 3600 * SECOND) is None


def test_what_is_ahead_waits_until_the_clock_has_come_near() -> None:
    intake = Intake(HOLD)
    assert intake.wait(0, 0) == 0
    intake.taken(3 * SECOND)
    assert intake.wait(3 * SECOND, SECOND // 2) == SECOND // 2
    assert intake.wait(3 * SECOND, SECOND) == 0


def test_a_connection_clears_all_suspicion() -> None:
    intake = Intake(HOLD)
    intake.wait(0, 0)
    intake.taken(HOLD)
    assert intake.wait(HOLD, 0) is None
    intake.connected()
    assert intake.wait(HOLD, 5 * SECOND) == 0
