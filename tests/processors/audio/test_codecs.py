"""Tests of the encodings of PCM: exact for every code and every sample."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from processors.audio.codecs import WIDTH, Encoding, decode, encode

EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16).reshape(-1, 1)
EVERY_CODE = bytes(range(256))
SUBTYPES: dict[Encoding, str] = {
    "s16le": "PCM_16",
    "f32le": "FLOAT",
    "mulaw": "ULAW",
    "alaw": "ALAW",
}


@pytest.mark.parametrize(
    ("encoding", "first_code", "values"),
    [
        # The first value of each segment and the last of all, G.711 tables 2a and 1a, which count
        # in steps of 4 and of 8 of these.
        ("mulaw", 0xFF, [0, 33, 99, 231, 495, 1023, 2079, 4191, 8031]),
        ("alaw", 0x80, [1, 33, 66, 132, 264, 528, 1056, 2112, 4032]),
    ],
)
def test_codes_stand_for_what_the_recommendation_says(
    encoding: Encoding, first_code: int, values: list[int]
) -> None:
    scale = 4 if encoding == "mulaw" else 8
    for place, value in zip([*range(0, 128, 16), 127], values, strict=True):
        code = first_code - place if encoding == "mulaw" else (first_code + place) ^ 0x55
        assert decode(bytes([code, code ^ 0x80]), encoding).tolist() == [
            [value * scale],
            [-value * scale],
        ]


@pytest.mark.parametrize(
    ("encoding", "codes", "loudest_dbm0"),
    [
        ("mulaw", "1E 0B 0B 1E 9E 8B 8B 9E", 3.17),
        ("alaw", "34 21 21 34 B4 A1 A1 B4", 3.14),
    ],
)
def test_the_reference_sequence_is_a_tone_at_0_dbm0(
    encoding: Encoding, codes: str, loudest_dbm0: float
) -> None:
    """G.711, tables 5 and 6: 1 kHz; the loudest sine that fits is above it by a stated level."""
    period = decode(bytes.fromhex(codes), encoding)[:, 0]
    spectrum = np.abs(np.fft.rfft(period)) / 4
    assert spectrum[1] == max(spectrum)
    assert np.delete(spectrum, 1).max() < spectrum[1] * 0.02
    loudest = int(decode(EVERY_CODE, encoding).max()) + 512  # half a step beyond
    assert 20 * np.log10(loudest / spectrum[1]) == pytest.approx(loudest_dbm0, abs=0.01)


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
def test_every_code_and_sample_is_as_libsndfile_has_it(encoding: Encoding) -> None:
    raw = {"samplerate": 8000, "format": "RAW", "subtype": SUBTYPES[encoding]}
    theirs, _ = soundfile.read(io.BytesIO(EVERY_CODE), dtype="int16", channels=1, **raw)
    assert decode(EVERY_CODE, encoding)[:, 0].tolist() == theirs.tolist()
    file = io.BytesIO()
    soundfile.write(file, EVERY_SAMPLE, **raw)
    assert encode(EVERY_SAMPLE, encoding) == file.getvalue()


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
def test_what_is_lost_is_in_proportion(encoding: Encoding) -> None:
    """A sine keeps its distance from the noise over 30 dB of level; and nothing wraps."""
    sine = np.sin(np.arange(8000) * 2 * np.pi * 1020 / 8000)
    for level in (-3, -10, -20, -30):
        samples = np.rint(sine * 32767 * 10 ** (level / 20)).astype(np.int16).reshape(-1, 1)
        noise = decode(encode(samples, encoding), encoding).astype(float) - samples
        assert 20 * np.log10(np.std(samples) / np.std(noise)) > 33
    every = EVERY_SAMPLE.astype(int)
    off = np.abs(decode(encode(EVERY_SAMPLE, encoding), encoding) - every)
    assert np.all(off <= np.abs(every) // 32 + 8)


@given(st.binary(max_size=64), st.sampled_from(["mulaw", "alaw"]), st.sampled_from([1, 2]))
def test_what_was_decoded_is_encoded_to_the_same_sound(
    codes: bytes, encoding: Encoding, channels: int
) -> None:
    whole = codes[: len(codes) // channels * channels]
    samples = decode(whole, encoding, channels)
    assert np.array_equal(decode(encode(samples, encoding), encoding, channels), samples)


@pytest.mark.parametrize("encoding", ["s16le", "f32le"])
def test_linear_encodings_keep_every_sample(encoding: Encoding) -> None:
    stereo = np.hstack([EVERY_SAMPLE, EVERY_SAMPLE[::-1]])
    data = encode(stereo, encoding)
    assert len(data) == len(stereo) * 2 * WIDTH[encoding]
    assert np.array_equal(decode(data, encoding, 2), stereo)
    theirs = np.frombuffer(data, "<i2" if encoding == "s16le" else "<f4").reshape(-1, 2)
    assert (
        theirs[:, 0].tolist()
        == (EVERY_SAMPLE[:, 0] / (1 if encoding == "s16le" else 32768)).tolist()
    )


def test_floats_that_are_too_loud_are_clipped() -> None:
    data = np.array([1.0, 1.5, -1.0, -2.0, np.nan, np.inf], "<f4").tobytes()
    assert decode(data, "f32le")[:, 0].tolist() == [32767, 32767, -32768, -32768, 0, 32767]


@pytest.mark.parametrize("encoding", SUBTYPES)
def test_a_view_of_other_samples_is_encoded(encoding: Encoding) -> None:
    stereo = np.hstack([EVERY_SAMPLE, EVERY_SAMPLE[::-1]])
    assert encode(stereo[:, :1], encoding) == encode(EVERY_SAMPLE, encoding)


@pytest.mark.parametrize(("encoding", "channels"), [("s16le", 1), ("alaw", 2), ("f32le", 2)])
def test_half_a_sample_is_refused(encoding: Encoding, channels: int) -> None:
    with pytest.raises(ValueError, match="3 bytes are no whole number of samples"):
        decode(b"abc", encoding, channels)
    assert decode(b"", encoding, channels).shape == (0, channels)
