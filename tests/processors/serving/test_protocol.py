"""Messages as bytes and back."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.serving import protocol
from processors.serving.protocol import Image, Sound, Start


def test_sound_has_a_header_of_twenty_bytes() -> None:
    data = protocol.encode_sound(Sound(1, 2, 24_000, 1.5, b"\1\0\2\0"))
    assert data.hex() == "0100000002000000c05d0000000000000000f83f01000200"


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(1, 2**32 - 1),
    st.floats(allow_nan=False),
    st.binary(),
)
def test_sound_comes_back_as_it_was(n: int, turn: int, rate: int, ms: float, pcm: bytes) -> None:
    sound = Sound(n, turn, rate, ms, pcm)
    assert protocol.decode_sound(protocol.encode_sound(sound)) == sound


@given(st.binary(max_size=19))
def test_a_header_that_is_cut_short_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="at least 20 bytes"):
        protocol.decode_sound(data)


def test_messages_are_objects_with_a_type() -> None:
    assert protocol.encode(Start(rate=48_000))[:29] == b'{"type":"start","rate":48000,'
    image = protocol.decode_client('{"type": "image", "data": "AAEC"}')
    assert image == Image(b"\0\1\2")
    assert protocol.encode(protocol.Speech(n=3)) == b'{"type":"speech","n":3,"speaking":false}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"type": "nonsense"}',
        '{"type": "start", "rate": 7999}',
        '{"type": "start", "received": -1}',
        '{"type": "image", "data": "?"}',
        '{"type": "image", "data": "", "mime_type": "image/svg+xml"}',
        '{"type": "text", "text": "' + "x" * 10_001 + '"}',
        '{"type": "lost", "ms": -1}',
        '{"type": "lost", "ms": 1e300}',
    ],
)
def test_what_a_client_must_not_say(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        protocol.decode_client(text)


@given(st.text() | st.binary())
def test_nothing_else_is_raised(text: str | bytes) -> None:
    try:
        protocol.decode_client(text)
    except msgspec.DecodeError:
        pass
    except UnicodeEncodeError:
        pass  # a lone surrogate, which no websocket gives


@pytest.mark.parametrize("text", ['{"type": "text", "text": "a", "x": ' + "[" * 100_000, b"\xff"])
def test_what_is_too_deep_or_no_text_is_no_message(text: str | bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        protocol.decode_client(text)


def test_what_a_later_server_may_say_is_left_out() -> None:
    assert protocol.decode_server('{"type": "weather", "n": 3}') is None
    assert protocol.decode_server('{"type": "pong", "n": 3, "more": 1}') == protocol.Pong(n=3)
    for text in ('{"type": "pong", "n": "3"}', "{}", "[]", '{"type": 3}'):
        with pytest.raises(msgspec.DecodeError):
            protocol.decode_server(text)
