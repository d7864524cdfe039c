"""A client's loudspeaker: what is sent, what was heard, and what happens when the user speaks."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import numpy as np
import pytest
from serving_bench import RATE  # skips without the extra

from pipeline import (
    AudioFrame,
    Frame,
    Graph,
    Interruption,
    Playback,
    Run,
    Speaker,
    SpeechEnded,
    SpeechStarted,
)
from pipeline.testing import Collect, Given
from processors.serving.client_speaker import ClientSpeaker, OnSpeech
from processors.serving.line import Line
from processors.serving.protocol import (
    Interrupted,
    Played,
    Sound,
    Volume,
    decode_server,
    decode_sound,
)

MS = 1_000_000


def speech(turn: int, pts_ms: int, ms: int = 100) -> AudioFrame:
    samples = np.full((24 * ms, 1), turn, np.int16)
    return AudioFrame(samples, 24_000, Speaker.MODEL, pts=pts_ms * MS, turn=turn)


async def sent(line: Line) -> list[Any]:
    """Everything that a connection would send."""
    line.mailbox.close()
    found: list[Any] = []
    while (message := await line.mailbox.next()) is not None:
        data, is_sound = message
        found.append(decode_sound(data) if is_sound else decode_server(data))
    return found


async def test_sound_is_sent_and_what_was_heard_goes_on_as_playback(anyio_backend: Any) -> None:
    line, output = Line(16_000), Collect()
    frames: list[Frame] = [speech(1, 0), speech(1, 100)]
    processors = {"model": Given(frames), "speaker": ClientSpeaker(line), "out": output}
    run = Run(Graph(processors, ["model -> speaker -> out"]))
    async with anyio.create_task_group() as group:
        group.start_soon(run.execute)
        await anyio.sleep(0.1)
        sounds = await sent(line)
        assert [(sound.turn, sound.rate, sound.ms) for sound in sounds] == [
            (1, 24_000, 0.0),
            (1, 24_000, 100.0),
        ]
        line.heard_back(Played(1, 120.0))
        line.heard_back(Played(1, 200.0, playing=False))
    heard = [frame for frame in output.frames if isinstance(frame, Playback)]
    assert [(frame.turn, frame.heard, frame.playing) for frame in heard] == [
        (1, 120 * MS, True),
        (1, 200 * MS, False),
    ]


async def test_an_interruption_is_told_at_once_and_nothing_of_its_turn_afterwards(
    anyio_backend: Any,
) -> None:
    line = Line(16_000)
    frames = [*(speech(1, 100 * n) for n in range(400)), Interruption(turn=1), speech(2, 0)]
    processors = {"model": Given(frames), "speaker": ClientSpeaker(line)}
    run = Run(Graph(processors, ["model -> speaker"]))
    async with anyio.create_task_group() as group:
        group.start_soon(run.execute)
        await anyio.sleep(0.1)
        messages = await sent(line)
    turns = [message.turn for message in messages if isinstance(message, Sound)]
    assert turns == [2]
    assert [message for message in messages if isinstance(message, Interrupted)]


class Paced(Given):
    """Frames, each after a pause of so many seconds."""

    def __init__(self, frames: list[tuple[float, Frame]]) -> None:
        super().__init__(())
        self.paced = frames

    async def frames(self) -> AsyncIterator[Frame]:
        for pause, frame in self.paced:
            await anyio.sleep(pause)
            yield frame


async def while_the_user_speaks(
    on_speech: OnSpeech, *, ends_after: float
) -> tuple[list[Any], list[Frame], Line]:
    """What is sent and what is given when the user speaks, 1 s into an answer of 4 s."""
    line, output = Line(RATE), Collect()
    model = Given([speech(1, 100 * n) for n in range(40)])
    user = AudioFrame(np.ones((160, 1), np.int16), RATE)
    said: list[tuple[float, Frame]] = [(1, SpeechStarted()), (0, user), (ends_after, SpeechEnded())]
    processors = {
        "model": model,
        "user": Paced(said),
        "speaker": ClientSpeaker(line, on_speech, confirm_ms=1500),
        "out": output,
    }
    run = Run(Graph(processors, ["model -> speaker -> out", "user -> speaker"]))
    async with anyio.create_task_group() as group:
        group.start_soon(run.execute)
        await anyio.sleep(10)
        messages = await sent(line)
    return messages, output.frames, line


async def test_what_the_user_says_is_ignored_and_played(anyio_backend: Any) -> None:
    messages, given, _ = await while_the_user_speaks("ignore", ends_after=1)
    assert [message for message in messages if not isinstance(message, Sound)] == []
    assert {message.turn for message in messages} == {0, 1}
    assert given == []


@pytest.mark.parametrize(("on_speech", "volume"), [("duck", 0.178), ("pause", 0.0)])
@pytest.mark.parametrize("ends_after", [0.5, 5])
async def test_the_model_gives_way_for_as_long_as_it_is_not_interrupted(
    anyio_backend: Any, on_speech: OnSpeech, volume: float, ends_after: float
) -> None:
    messages, given, line = await while_the_user_speaks(on_speech, ends_after=ends_after)
    volumes = [message.volume for message in messages if isinstance(message, Volume)]
    assert volumes == pytest.approx([volume, 1.0], abs=0.001)
    assert {message.turn for message in messages if isinstance(message, Sound)} == {1}
    assert given == []
    assert not line.mailbox.was_cut(1)


async def test_the_model_is_stopped(anyio_backend: Any) -> None:
    messages, _, line = await while_the_user_speaks("stop", ends_after=1)
    assert line.mailbox.was_cut(1)
    assert [message.turn for message in messages] == [1]
    assert isinstance(messages[0], Interrupted)
