import pytest

from pipeline import AudioFormat, Duplex, Sink, Source, Transform


@pytest.mark.parametrize(
    ("have", "need", "fits"),
    [
        (AudioFormat(), AudioFormat(16_000, 1), True),
        (AudioFormat(16_000, None), AudioFormat(16_000, 1), True),
        (AudioFormat(16_000, 2), AudioFormat(16_000, 1), False),
        (AudioFormat(48_000, 1), AudioFormat(16_000, 1), False),
        (AudioFormat(48_000, 2), AudioFormat(), True),
    ],
)
def test_formats_fit_where_nothing_known_differs(
    have: AudioFormat, need: AudioFormat, fits: bool
) -> None:
    assert have.fits(need) is fits


def test_formats_show_as_people_say_them() -> None:
    assert str(AudioFormat(48_000, 2)) == "48000 Hz stereo"
    assert str(AudioFormat(16_000, 1)) == "16000 Hz mono"
    assert str(AudioFormat()) == "any rate any channels"
    assert str(AudioFormat(8000, 6)) == "8000 Hz 6 channels"


@pytest.mark.parametrize(
    ("role", "method"),
    [(Source, "frames"), (Transform, "process"), (Sink, "consume"), (Duplex, "run")],
)
def test_a_role_without_its_method_cannot_be_made(role: type, method: str) -> None:
    unfinished = type("Unfinished", (role,), {})
    with pytest.raises(TypeError, match=method):
        unfinished()
