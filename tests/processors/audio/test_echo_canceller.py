"""Tests of the echo canceller: in a room of arithmetic, with the speaker's own reports."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile
import soxr

from pipeline import (
    SECOND,
    AudioFrame,
    Duplex,
    Graph,
    Inbox,
    Outbox,
    Run,
    SettingError,
    Source,
    Speaker,
)
from pipeline.testing import Collect, VirtualTimeLoop, feed
from processors.audio.devices.output import Unheard
from processors.audio.echo_canceller import EchoCanceller
from processors.audio.pcm import nanoseconds_of
from processors.audio.playout.echo_reference import Played
from processors.audio.speaker import LoudSpeaker

RATE = 16_000
DEVICE_RATE = 48_000
SPEECH = Path(__file__).parents[3] / "configs/speech/question.wav"
needs_livekit = pytest.mark.skipif(
    __import__("importlib").util.find_spec("livekit") is None,
    reason="the package livekit, an extra, is not installed",
)


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


def speech(seconds: float, rate: int, level: float = 0.5) -> np.ndarray:
    """A person who talks without pausing, in -1..1."""
    recorded, its_rate = soundfile.read(SPEECH, always_2d=True)
    sound = soxr.resample(recorded.mean(axis=1), its_rate, rate)
    windows = sound[: len(sound) // (rate // 10) * (rate // 10)].reshape(-1, rate // 10)
    dense = windows[np.abs(windows).max(axis=1) > 0.05 * np.abs(sound).max()].ravel()
    dense = np.resize(dense, round(seconds * rate))
    return dense / np.abs(dense).max() * level


def room(seed: int = 0, decay_ms: float = 20, gain: float = 0.5) -> np.ndarray:
    """How a room answers: noise that decays."""
    response = np.random.default_rng(seed).standard_normal(RATE // 10)
    response *= np.exp(-np.arange(len(response)) / (decay_ms / 1000 * RATE))
    return gain * response / np.sqrt(np.sum(response**2))


def int16(sound: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(sound * 32767), -32768, 32767).astype(np.int16).reshape(-1, 1)


def level(sound: np.ndarray) -> float:
    """dB below full scale."""
    return float(10 * np.log10(np.mean((sound / 32768.0) ** 2) + 1e-12))


class Model(Duplex):
    """Talks throughout, whatever it hears, and keeps that."""

    def __init__(self, sound: np.ndarray) -> None:
        self.sound = sound
        self.heard: list[AudioFrame] = []

    async def run(self, inbox: Inbox[AudioFrame], outbox: Outbox[AudioFrame]) -> None:
        for begin in range(0, len(self.sound), 960):
            pts = nanoseconds_of(begin, 24_000)
            part = self.sound[begin : begin + 960]
            await outbox.send(AudioFrame(part, 24_000, Speaker.MODEL, pts=pts, turn=1))
        async for frame in inbox:
            self.heard.append(frame)


class Microphone(Source):
    """Hears the loudspeaker through the room, `delay` seconds late, and the user."""

    def __init__(
        self, blocks: list[np.ndarray], user: np.ndarray, delay: float, wrong: float
    ) -> None:
        self.blocks = blocks
        self.user = user
        self.delay = delay
        self.wrong = wrong
        self.given: list[np.ndarray] = []

    async def frames(self) -> AsyncIterator[AudioFrame]:
        response = room()
        noise = np.random.default_rng(1).standard_normal(len(self.user)) * 1e-4
        size = RATE // 50
        for number in range(len(self.user) // size):
            end = (number + 1) * size
            await anyio.sleep(max(0, end / RATE + 0.02 - self.context.now() / SECOND))
            echo = self._echo(end - size, end, response)
            begin = end - size
            heard = int16(echo + (self.user + noise)[begin:end])
            self.given.append(heard)
            pts = nanoseconds_of(begin, RATE) + round(self.wrong * SECOND)
            yield AudioFrame(heard, RATE, pts=pts)

    def _echo(self, begin: int, end: int, response: np.ndarray) -> np.ndarray:
        """Of what the loudspeaker has given; at 48 kHz, of which every third sample will do for
        speech that has nothing above 8 kHz."""
        first = begin - round(self.delay * RATE) - len(response) + 1
        last = end - round(self.delay * RATE)
        out = np.zeros(last - first)
        latency = RATE * 20 // 1000
        for index in range(max(0, (first - latency) // 160), (last - latency) // 160 + 1):
            if index < len(self.blocks):
                at = latency + index * 160 - first
                block = self.blocks[index][::3, 0] / 32768
                lo, hi = max(0, at), min(len(out), at + 160)
                if lo < hi:
                    out[lo:hi] = block[lo - at : hi - at]
        return np.convolve(out, response, mode="valid")


async def converse(
    user: np.ndarray, *, delay: float = 0.03, wrong: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """What the microphone hears, and what the model does, while it talks all the time."""
    blocks: list[np.ndarray] = []
    speaker = LoudSpeaker()
    speaker.output = Unheard(DEVICE_RATE, 1, hear=blocks.append)
    model = Model(int16(speech(len(user) / RATE, 24_000)))
    microphone = Microphone(blocks, user, delay, wrong)
    graph = Graph(
        {"mic": microphone, "echo": EchoCanceller(), "model": model, "speaker": speaker},
        ["mic -> echo -> model -> speaker -> echo"],
    )
    assert graph.check() == []
    await Run(graph).execute()
    cleaned = np.concatenate([frame.samples for frame in model.heard])
    return np.concatenate(microphone.given)[:, 0].astype(float), cleaned[:, 0].astype(float)


@needs_livekit
@pytest.mark.parametrize(("delay", "wrong"), [(0.0, 0.0), (0.1, 0.0), (0.03, 0.02), (0.03, -0.02)])
async def test_the_model_does_not_hear_itself(delay: float, wrong: float) -> None:
    """wrong: by how much the microphone's times are."""
    heard, cleaned = await converse(np.zeros(6 * RATE), delay=delay, wrong=wrong)
    assert len(cleaned) == len(heard)
    assert level(heard[2 * RATE :]) > -35
    assert level(heard[2 * RATE :]) - level(cleaned[2 * RATE :]) > 25


@needs_livekit
async def test_the_user_is_heard_all_the_same() -> None:
    user = np.zeros(6 * RATE)
    user[3 * RATE : 5 * RATE] = np.roll(speech(2, RATE, 0.5), RATE // 2)
    _, cleaned = await converse(user)
    part = slice(3 * RATE + RATE // 4, 5 * RATE - RATE // 4)
    assert level(cleaned[part]) > level(user[part] * 32768) - 6
    assert level(cleaned[part]) > level(cleaned[2 * RATE : 3 * RATE]) + 20


@needs_livekit
async def test_without_a_loudspeaker_sound_passes() -> None:
    sound = int16(speech(2, RATE))
    frames = [
        AudioFrame(sound[begin : begin + 250], RATE, pts=nanoseconds_of(begin, RATE))
        for begin in range(0, len(sound), 250)
    ]
    given = [
        frame for frame in await feed(EchoCanceller(), frames) if isinstance(frame, AudioFrame)
    ]
    cleaned = np.concatenate([frame.samples for frame in given])
    assert len(cleaned) == len(sound)
    assert level(cleaned) == pytest.approx(level(sound), abs=1.5)
    end = 0
    for frame in given:
        assert frame.pts == pytest.approx(end, abs=10)
        end = frame.end


@needs_livekit
@pytest.mark.parametrize(
    ("settings", "sound", "least", "most"),
    [
        ({"noise_suppression": True}, "noise", -60, -6),
        ({"gain_control": True}, "speech", 6, 30),
        ({}, "noise", -3, 3),
    ],
)
async def test_it_makes_of_noise_and_of_quiet_speech_what_is_wanted(
    settings: dict[str, bool], sound: str, least: int, most: int
) -> None:
    steady = np.random.default_rng(2).standard_normal(4 * RATE) * 0.01
    samples = int16(steady if sound == "noise" else 0.03 * speech(4, RATE))
    frames = [
        AudioFrame(samples[begin : begin + 320], RATE, pts=nanoseconds_of(begin, RATE))
        for begin in range(0, len(samples), 320)
    ]
    cleaned = await feed(EchoCanceller(**settings), frames)
    given = np.concatenate([frame.samples for frame in cleaned if isinstance(frame, AudioFrame)])
    change = level(given[2 * RATE :]) - level(samples[2 * RATE :])
    assert least < change < most


@needs_livekit
async def test_what_is_not_the_users_is_left_alone() -> None:
    sound = AudioFrame(int16(speech(0.1, RATE)), RATE, Speaker.MODEL, turn=1)
    assert await feed(EchoCanceller(), [sound]) == [sound]


@needs_livekit
async def test_what_is_played_before_anything_was_heard_is_not_kept() -> None:
    block = Played(np.zeros((480, 1), np.int16), 48_000)
    assert await feed(EchoCanceller(), [block] * 10) == []


@needs_livekit
def test_a_rate_that_it_cannot_do_is_found_by_the_check() -> None:
    class Given(Source):
        def audio_out(self, incoming: Any) -> Any:
            from pipeline import AudioFormat

            return AudioFormat(44_100, 1)

        async def frames(self) -> AsyncIterator[AudioFrame]:
            yield AudioFrame(np.zeros((10, 1), np.int16), 44_100)

    graph = Graph(
        {"mic": Given(), "echo": EchoCanceller(), "out": Collect()}, ["mic -> echo -> out"]
    )
    messages = [finding.message for finding in graph.check()]
    assert any("8, 16, 32 or 48 kHz, not at 44100 Hz" in message for message in messages)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "livekit.rtc", None)
    with pytest.raises(SettingError, match="needs the package livekit") as caught:
        EchoCanceller().check()
    assert caught.value.hint == "pip install 'live-pipeline[echo]'"
