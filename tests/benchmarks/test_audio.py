import pytest

from benchmarks import audio


@pytest.mark.parametrize("quality", ["live", "best"])
def test_the_resampler_gives_all_sound(quality: str) -> None:
    assert audio.resampler(2, quality)["a chunk"] > 0


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_so_does_the_floor(dtype: str) -> None:
    assert audio.soxr(2, "live", dtype)["a chunk"] > 0


@pytest.mark.parametrize("alone", [False, True])
def test_the_gate_and_its_detector_hear_the_sound(alone: bool) -> None:
    figures, _ = audio.vad(2, alone)
    assert figures["a chunk"] > 0
