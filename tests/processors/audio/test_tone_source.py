"""Tests of the source of test signals."""

from typing import Any

import numpy as np
import pytest

from pipeline import AudioFormat, Graph, Run, SettingError
from pipeline.testing import Collect
from processors.audio.tone_source import ToneSource


async def hear(**settings: Any) -> tuple[np.ndarray, list[Any], Any]:
    output = Collect()
    source = ToneSource(**{"seconds": 1.0, **settings})
    report = await Run(Graph({"tone": source, "out": output}, ["tone -> out"])).execute()
    return np.concatenate([frame.samples for frame in output.frames]), output.frames, report


async def test_a_tone_lasts_as_long_and_comes_in_time() -> None:
    samples, frames, report = await hear(seconds=0.25, frame_ms=30)
    assert [len(frame.samples) for frame in frames] == [480] * 8 + [160]
    assert [frame.pts for frame in frames] == pytest.approx([n * 30e6 for n in range(9)], abs=1000)
    assert report.seconds == pytest.approx(0.25)
    assert len(samples) == 4000


async def test_without_realtime_it_takes_no_time() -> None:
    samples, _, report = await hear(realtime=False, seconds=60)
    assert report.seconds == pytest.approx(0)
    assert len(samples) == 60 * 16_000


async def test_it_knows_how_far_it_is_if_it_has_an_end() -> None:
    source = ToneSource(seconds=2.0, realtime=False)
    assert source.progress() == 0
    await Run(Graph({"tone": source, "out": Collect()}, ["tone -> out"])).execute()
    assert source.progress() == 1
    assert ToneSource().progress() is None


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000])
async def test_a_sine_has_its_level_and_frequency(rate: int) -> None:
    source = {"rate": rate, "channels": 2, "level_db": -6.0, "hertz": 1000.0}
    samples, frames, _ = await hear(realtime=False, **source)
    assert {(frame.rate, frame.channels) for frame in frames} == {(rate, 2)}
    assert ToneSource(rate=rate, channels=2).audio_out(AudioFormat()) == AudioFormat(rate, 2)
    assert np.array_equal(samples[:, 0], samples[:, 1])
    assert np.abs(samples).max() == pytest.approx(32767 * 10 ** (-6 / 20), rel=0.01)
    assert np.argmax(np.abs(np.fft.rfft(samples[:, 0]))) == 1000


async def test_noise_has_its_level_and_is_the_same_for_every_seed() -> None:
    one, _, _ = await hear(realtime=False, signal="noise", level_db=-30.0)
    again, _, _ = await hear(realtime=False, signal="noise", level_db=-30.0, frame_ms=7)
    other, _, _ = await hear(realtime=False, signal="noise", level_db=-30.0, seed=1)
    level = 20 * np.log10(np.sqrt(np.mean((one / 32768) ** 2)))
    assert level == pytest.approx(-30, abs=0.1)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


async def test_noise_that_is_too_loud_is_clipped_and_does_not_wrap() -> None:
    samples, _, _ = await hear(realtime=False, signal="noise", level_db=0.0)
    steep = np.flatnonzero(np.abs(samples[:, 0].astype(int)) >= 32767)
    assert len(steep) > 1000
    assert samples.max() == 32767
    assert samples.min() == -32768


async def test_silence_is_silent() -> None:
    samples, _, _ = await hear(signal="silence")
    assert not samples.any()


async def test_a_sweep_fills_its_time() -> None:
    samples, _, _ = await hear(realtime=False, signal="sweep", hertz=100.0, seconds=2)
    assert len(samples) == 32_000
    ends = [np.argmax(np.abs(np.fft.rfft(part))) for part in (samples[:800, 0], samples[-800:, 0])]
    assert ends[0] * 20 < 200
    assert ends[1] * 20 > 6000


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"hertz": 9000.0}, "hertz"),
        ({"signal": "sweep", "to_hertz": 8001.0}, "to_hertz"),
        ({"realtime": False}, "seconds"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: Any, setting: str) -> None:
    with pytest.raises(SettingError) as caught:
        ToneSource(**settings)
    assert caught.value.setting == setting
