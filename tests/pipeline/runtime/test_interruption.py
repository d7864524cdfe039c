"""An interruption overtakes everything, everywhere downstream."""

from collections.abc import AsyncIterator, Iterator

import anyio
import numpy as np
import pytest

from pipeline import (
    AudioFrame,
    Duplex,
    Frame,
    Graph,
    Inbox,
    InboxSettings,
    Interruption,
    Outbox,
    Report,
    Run,
    Sink,
    Source,
    Speaker,
    TextFrame,
    Transcript,
    Transform,
    TurnEnded,
)
from pipeline.testing import Collect


def audio(pts: int, turn: int, speaker: Speaker = Speaker.MODEL) -> AudioFrame:
    return AudioFrame(np.zeros((480, 1), np.int16), 24_000, speaker, pts=pts, turn=turn)


class Idle(Source):
    async def frames(self) -> AsyncIterator[TextFrame]:
        await anyio.sleep(1000)
        yield TextFrame("never")


class Model(Duplex):
    """Speaks a turn faster than it is played, is interrupted, and speaks the next one."""

    def __init__(self, frames: int = 50, late: int = 0) -> None:
        self.count = frames
        self.late = late
        self.blocked = False

    async def run(
        self,
        inbox: Inbox[TextFrame],
        outbox: Outbox[AudioFrame | Transcript | TurnEnded | Interruption],
    ) -> None:
        first, second = self.context.new_turn(), self.context.new_turn()
        async with anyio.create_task_group() as group:
            group.start_soon(self._speak, outbox, first)
            await anyio.sleep(0.49)
            await outbox.send(Interruption(turn=first))
            await outbox.send(TurnEnded(True, turn=first))
        for pts in range(self.late):  # a producer that does not know better
            await outbox.send(audio(pts, first))
        for pts in range(3):
            await outbox.send(audio(pts, second))

    async def _speak(self, outbox: Outbox[AudioFrame | Transcript], turn: int) -> None:
        await outbox.send(Transcript("I say", Speaker.MODEL, turn=turn))
        for pts in range(self.count):
            self.blocked = True
            await outbox.send(audio(pts, turn))
            self.blocked = False


class Player(Sink):
    """Plays 20 ms frames in real time."""

    def __init__(self) -> None:
        self.played: list[Frame] = []
        self.silenced: list[tuple[int, int]] = []

    async def consume(self, frame: AudioFrame | TurnEnded) -> None:
        if isinstance(frame, AudioFrame):
            await anyio.sleep(0.02)
        self.played.append(frame)

    def interrupted(self, turn: int) -> None:
        self.silenced.append((turn, self.context.now()))

    def turns(self) -> list[int]:
        return [frame.turn for frame in self.played if isinstance(frame, AudioFrame)]


class Recorder(Player):
    plays_media = False


class Pass(Transform):
    """Remembers the last frame, as a resampler would."""

    def __init__(self) -> None:
        self.held: Frame | None = None
        self.cut: list[int] = []

    def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        self.held = frame
        yield frame

    def interrupted(self, turn: int) -> None:
        self.cut.append(turn)
        self.held = None


async def converse(model: Model, player: Sink, **inbox: object) -> tuple[Report, Collect]:
    words = Collect()
    graph = Graph(
        {"idle": Idle(), "model": model, "player": player, "words": words},
        ["idle -> model -> player", "model -> words"],
        inboxes={"player": InboxSettings(**inbox)},  # type: ignore[arg-type]
    )
    return await Run(graph).execute(), words


async def test_queued_media_is_gone_and_everything_else_is_kept() -> None:
    player = Player()
    report, words = await converse(Model(), player, frames=1000)
    turns = player.turns()
    assert turns.count(1) == 24
    assert turns[-3:] == [2, 2, 2]
    assert [type(frame) for frame in player.played if frame.turn == 1][-1] is TurnEnded
    assert report.drops["player", "interrupted"] == 50 - 24
    assert any(isinstance(frame, Transcript) for frame in words.frames)


async def test_the_sink_falls_silent_at_once() -> None:
    player = Player()
    await converse(Model(), player, frames=1000)
    assert player.silenced == [(1, 490_000_000)]


async def test_a_blocked_sender_is_freed() -> None:
    player, model = Player(), Model(frames=500)
    report, _ = await converse(model, player, frames=4)
    assert not model.blocked
    assert player.turns()[-3:] == [2, 2, 2]
    total = player.turns().count(1) + report.drops["player", "interrupted"]
    assert total + report.drops["model", "interrupted"] == 500


async def test_media_that_comes_late_is_stale() -> None:
    player = Player()
    report, _ = await converse(Model(late=100), player, frames=1000)
    assert player.turns()[24:] == [2, 2, 2]
    assert report.drops["model", "interrupted"] == 100


async def test_a_sink_that_is_busy_with_media_is_cancelled() -> None:
    class Forever(Player):
        cancelled = 0

        async def consume(self, frame: AudioFrame | TurnEnded) -> None:
            if frame.turn == 1 and isinstance(frame, AudioFrame):
                try:
                    await anyio.sleep_forever()
                finally:
                    self.cancelled += 1
            self.played.append(frame)

    player = Forever()
    report, _ = await converse(Model(frames=3), player, frames=1000)
    assert player.cancelled == 1
    assert player.turns() == [2, 2, 2]
    assert report.drops["player", "interrupted"] == 3


async def test_a_sink_that_is_busy_with_something_else_is_not_cancelled() -> None:
    class Careful(Sink):
        done = False

        async def consume(self, frame: Transcript) -> None:
            await anyio.sleep(2)
            self.done = True

    sink = Careful()
    await converse(Model(), sink)
    assert sink.done


async def test_a_recorder_keeps_what_it_was_given_and_is_told() -> None:
    recorder = Recorder()
    report, _ = await converse(Model(), recorder, frames=1000)
    assert recorder.turns() == [1] * 50 + [2] * 3
    assert recorder.silenced == [(1, 490_000_000)]
    assert not report.drops


@pytest.mark.parametrize("boundary", [None, InboxSettings(frames=500)])
async def test_transforms_on_the_way_forget(boundary: InboxSettings | None) -> None:
    transform, player = Pass(), Player()
    graph = Graph(
        {"idle": Idle(), "model": Model(), "pass": transform, "player": player},
        ["idle -> model -> pass -> player"],
        inboxes={"player": InboxSettings(frames=4), **({"pass": boundary} if boundary else {})},
    )
    await Run(graph).execute()
    assert transform.cut == [1]
    assert player.turns()[24:] == [2, 2, 2]


async def test_what_is_upstream_and_the_users_own_sound_are_untouched() -> None:
    class Microphone(Source):
        async def frames(self) -> AsyncIterator[AudioFrame]:
            for pts in range(20):
                await anyio.sleep(0.02)
                yield audio(pts, 0, Speaker.USER)

    player, gate = Player(), Pass()
    graph = Graph(
        {"mic": Microphone(), "gate": gate, "idle": Idle(), "model": Model(), "player": player},
        ["mic -> gate -> player", "idle -> model -> player"],
    )
    await Run(graph).execute()
    assert player.turns().count(0) == 20
    assert gate.cut == []


async def test_a_transform_can_interrupt_too() -> None:
    class Bargein(Transform):
        """The user's first word stops whatever is being said."""

        def process(self, frame: TextFrame) -> Iterator[Interruption | TextFrame]:
            yield Interruption()
            yield frame

    class Word(Source):
        async def frames(self) -> AsyncIterator[TextFrame]:
            await anyio.sleep(0.19)
            yield TextFrame("stop")

    class Talker(Duplex):
        async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[AudioFrame]) -> None:
            turn = self.context.new_turn()
            for pts in range(100):
                await outbox.send(audio(pts, turn))
            async for _ in inbox:
                pass

    player = Player()
    graph = Graph(
        {"word": Word(), "bargein": Bargein(), "talker": Talker(), "player": player},
        ["word -> bargein -> talker -> player"],
        inboxes={"player": InboxSettings(frames=200)},
    )
    await Run(graph).execute()
    assert len(player.turns()) == 9
    assert player.silenced == [(1, 190_000_000)]


async def test_words_that_wait_for_room_survive_the_interruption() -> None:
    class Hear(Transform):
        """Words of the model's sound, as they are recognised."""

        async def process(self, frame: AudioFrame) -> AsyncIterator[Transcript]:
            yield Transcript(str(frame.pts), Speaker.MODEL)

    class SlowWords(Sink):
        def __init__(self) -> None:
            self.words: list[str] = []

        async def consume(self, frame: Transcript) -> None:
            await anyio.sleep(0.2)
            self.words.append(frame.text)

    words = SlowWords()
    graph = Graph(
        {"idle": Idle(), "model": Model(), "hear": Hear(), "words": words},
        ["idle -> model -> hear -> words"],
        inboxes={"words": InboxSettings(frames=1)},
    )
    report = await Run(graph).execute()
    given = report.frames("hear", "words")
    assert len(words.words) == given
    assert words.words[:4] == ["I say", "0", "1", "2"]


async def test_an_interruption_without_a_turn_is_for_ones_own_model() -> None:
    class Loud(Model):
        def __init__(self, interrupts: bool) -> None:
            self.interrupts = interrupts

        async def run(
            self,
            inbox: Inbox[TextFrame],
            outbox: Outbox[AudioFrame | Transcript | TurnEnded | Interruption],
        ) -> None:
            await anyio.sleep(0 if self.interrupts else 0.01)
            turn = self.context.new_turn()
            for pts in range(5):
                await outbox.send(audio(pts, turn))
            if self.interrupts:
                await anyio.sleep(0.03)
                await outbox.send(Interruption())
            await anyio.sleep(1)

    one, two = Player(), Player()
    graph = Graph(
        {"idle": Idle(), "a": Loud(True), "b": Loud(False), "one": one, "two": two},
        ["idle -> a -> one", "idle -> b -> two"],
    )
    await Run(graph).execute()
    assert one.turns() == [1]
    assert two.turns() == [2] * 5


async def test_interrupting_before_anything_was_said_does_nothing() -> None:
    class Hasty(Model):
        async def run(
            self,
            inbox: Inbox[TextFrame],
            outbox: Outbox[AudioFrame | Transcript | TurnEnded | Interruption],
        ) -> None:
            await outbox.send(Interruption())
            await outbox.send(audio(0, turn=0))

    player = Player()
    report, _ = await converse(Hasty(), player)
    assert player.silenced == []
    assert player.turns() == [0]
    assert not report.drops


async def test_interrupting_the_same_turn_twice_does_nothing() -> None:
    class Nervous(Model):
        async def run(
            self,
            inbox: Inbox[TextFrame],
            outbox: Outbox[AudioFrame | Transcript | TurnEnded | Interruption],
        ) -> None:
            turn = self.context.new_turn()
            await outbox.send(Interruption(turn=turn))
            await outbox.send(Interruption(turn=turn))

    player = Player()
    await converse(Nervous(), player)
    assert len(player.silenced) == 1


async def test_a_hook_that_fails_ends_the_run_with_its_name() -> None:
    class Broken(Player):
        def interrupted(self, turn: int) -> None:
            raise ValueError("boom")

    with pytest.raises(Exception, match='processor "player" failed: ValueError: boom'):
        await converse(Model(), Broken())


async def test_the_interruption_itself_takes_no_turn_of_the_event_loop() -> None:
    """With 5 s of sound queued the hook runs inside `send`: nothing else can come between."""
    order: list[str] = []

    class Loud(Player):
        def interrupted(self, turn: int) -> None:
            order.append("silent")

    class Measured(Model):
        async def run(
            self,
            inbox: Inbox[TextFrame],
            outbox: Outbox[AudioFrame | Transcript | TurnEnded | Interruption],
        ) -> None:
            turn = self.context.new_turn()
            for pts in range(250):
                await outbox.send(audio(pts, turn))
            async with anyio.create_task_group() as group:
                group.start_soon(self._other, order)
                await outbox.send(Interruption(turn=turn))
                order.append("sent")

        async def _other(self, order: list[str]) -> None:
            order.append("other task")

    report, _ = await converse(Measured(), Loud(), frames=1000)
    assert order[0] == "silent"
    assert set(order) == {"silent", "sent", "other task"}
    assert report.drops["player", "interrupted"] == 250


async def test_who_is_not_behind_the_emitter_hears_of_it_too() -> None:
    """A speaker that stops a turn by itself silences what plays it beside, and tells the model."""

    class Told(Model):
        def __init__(self) -> None:
            super().__init__()
            self.heard: list[int] = []

        def interrupted(self, turn: int) -> None:
            self.heard.append(turn)

    class Stopper(Duplex):
        async def run(self, inbox: Inbox[AudioFrame], outbox: Outbox[Interruption]) -> None:
            async for frame in inbox:
                await outbox.send(Interruption(turn=frame.turn))
                return

    model, player = Told(), Player()
    graph = Graph(
        {"idle": Idle(), "model": model, "stopper": Stopper(), "player": player},
        ["idle -> model -> stopper", "model -> player"],
    )
    await Run(graph).execute()
    assert model.heard == [1]
    assert next(turn for turn, _ in player.silenced) == 1
    assert player.turns().count(1) < 3
