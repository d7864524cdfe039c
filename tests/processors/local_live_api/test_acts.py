"""What clients' frames mean, and how two of them differ."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.local_live_api.acts import Act, Media, acts_of

SECOND = base64.b64encode(bytes(32_000)).decode()
AUDIO = {"mimeType": "audio/pcm;rate=16000", "data": SECOND}
IMAGE = {"mimeType": "image/jpeg", "data": "AAAA"}


def acts(message: dict[str, Any]) -> list[Act | Media]:
    return acts_of(json.dumps(message))


@pytest.mark.parametrize(("rate", "seconds"), [("8000", 2), ("0", 16_000), ("1" * 5000, 0)])
def test_audio_lasts_as_long_as_its_rate_says(rate: str, seconds: float) -> None:
    blob = {"mimeType": f"audio/pcm;rate={rate}", "data": SECOND}
    assert acts({"realtimeInput": {"audio": blob}}) == [Media(seconds)]


def setup(**fields: Any) -> Act:
    (act,) = acts({"setup": {"model": "models/m", **fields}})
    assert isinstance(act, Act)
    return act


@pytest.mark.parametrize(
    ("message", "meant"),
    [
        ({"setup": {"model": "projects/p/locations/l/publishers/google/models/m"}},
         [Act("setup", {"model": "m"})]),
        ({"realtimeInput": {"audio": AUDIO}}, [Media(1.0)]),
        ({"realtimeInput": {"audio": AUDIO | {"mimeType": "audio/pcm;rate=8000"}}}, [Media(2.0)]),
        ({"realtimeInput": {"audio": {"data": SECOND}}}, [Media(1.0)]),
        ({"realtimeInput": {"mediaChunks": [AUDIO, AUDIO]}}, [Media(1.0)]),
        ({"realtimeInput": {"mediaChunks": [IMAGE]}}, [Media(images=1)]),
        ({"realtimeInput": {"video": IMAGE}}, [Media(images=1)]),
        ({"realtimeInput": {"text": "Hi"}}, [Act("text", "Hi")]),
        ({"realtimeInput": {"activityStart": {}}}, [Act("activityStart")]),
        ({"realtimeInput": {"activityEnd": {}}}, [Act("activityEnd")]),
        ({"realtimeInput": {"audioStreamEnd": True}}, [Act("audioStreamEnd")]),
        ({"clientContent": {"turns": [{"role": "user", "parts": [{"text": "Hi"}]}],
                            "turnComplete": True}}, [Act("text", "Hi")]),
        ({"clientContent": {"turns": [{"role": "model", "parts": [{"text": "Hi"}]}]}},
         [Act("content", {"turns": [{"role": "model", "parts": [{"text": "Hi"}]}]})]),
        ({"clientContent": {"turns": [{"role": "model", "parts": [{"text": "Hi"}]}],
                            "turnComplete": True}},
         [Act("content", {"turns": [{"role": "model", "parts": [{"text": "Hi"}]}],
                          "turnComplete": True})]),
        ({"clientContent": {"turns": [{"parts": [{"text": "Hi"}]}]}},
         [Act("content", {"turns": [{"parts": [{"text": "Hi"}]}]})]),
        ({"clientContent": {"turnComplete": True}}, [Act("content", {"turnComplete": True})]),
        ({"toolResponse": {"functionResponses": [
            {"id": "1", "name": "f", "response": {"a": 1}},
            {"id": "2", "name": "g", "response": {"token": "secret"}}]}},
         [Act("answer", {"a": 1}, "f", "1"), Act("answer", {"token": "***"}, "g", "2")]),
        ({"contextUpdate": {"tools": {}}}, [Act("contextUpdate", {"tools": {}})]),
        ({"realtimeInput": {}}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_what_a_message_means(message: dict[str, Any], meant: list[Act | Media]) -> None:
    assert acts(message) == meant


def test_spelling_has_no_meaning() -> None:
    data = base64.b64encode(b"\xfb\xff" * 100).decode()
    camel = {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": data}}}
    snake = {
        "realtime_input": {
            "audio": {
                "mime_type": "audio/pcm;rate=16000",
                "data": data.replace("+", "-").replace("/", "_").rstrip("="),
            }
        }
    }
    assert acts(camel) == acts(snake) == [Media(100 / 16_000)]
    one = setup(generationConfig={"responseModalities": ["TEXT"], "topK": 40})
    other = setup(generation_config={"response_modalities": "TEXT", "top_k": 40.0})
    assert other.differences(one) == []


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"{", "it is no JSON"),
        ("\ud800", "it is no JSON"),
        (b"[1]", "Expected an object"),
        (b'{"setup": {}}', "missing required field `model`"),
        (b'{"unknown": 1}', 'Unknown name "unknown"'),
    ],
)
def test_what_the_service_does_not_take_is_a_frame(data: bytes | str, refusal: str) -> None:
    (act,) = acts_of(data)
    assert isinstance(act, Act)
    assert act.kind == "frame"
    assert refusal in act.refusal
    (again,) = acts_of(data)
    assert isinstance(again, Act)
    assert again.differences(act) == []


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        ({}, {}, []),
        ({"labels": {"a": "b"}}, {}, ['setup.labels: expected {"a":"b"}, got nothing']),
        ({}, {"explicitVadSignal": True}, ["setup.explicitVadSignal: expected nothing, got true"]),
        ({"generationConfig": {"temperature": 1, "seed": 1}},
         {"generationConfig": {"temperature": 2, "topP": 1}},
         ["setup.generationConfig.temperature: expected 1.0, got 2.0",
          "setup.generationConfig.seed: expected 1, got nothing",
          "setup.generationConfig.topP: expected nothing, got 1.0"]),
        ({"tools": [{"functionDeclarations": [{"name": "f"}]}]},
         {"tools": [{"functionDeclarations": [{"name": "g"}]}]},
         ["setup.tools[0].functionDeclarations[0].name: expected 'f', got 'g'"]),
        ({"tools": [{"googleSearch": {}}]}, {"tools": []},
         ['setup.tools: expected [{"googleSearch":{}}], got []']),
    ],
)  # fmt: skip
def test_setups_differ_by_field(
    expected: dict[str, Any], got: dict[str, Any], said: list[str]
) -> None:
    assert setup(**got).differences(setup(**expected)) == said


@pytest.mark.parametrize(
    ("expected", "got", "differ"),
    [
        ("handle-2", "handle-2", False),
        ("handle-2", "handle-1", True),
        ("handle-2", None, True),
        (None, "handle-2", True),
        ("handle-9", "from elsewhere", False),
        ("handle-9", None, True),
    ],
)
def test_a_handle_that_was_given_is_expected_back(
    expected: str | None, got: str | None, differ: bool
) -> None:
    def resuming(handle: str | None) -> Act:
        return setup(sessionResumption={"handle": handle} if handle else {})

    found = resuming(got).differences(resuming(expected), ["handle-1", "handle-2"])
    assert bool(found) == differ


def test_acts_say_what_they_are() -> None:
    assert Act("text", "b").differences(Act("text", "a")) == ["expected text 'a', got text 'b'"]
    assert Act("answer", {"a": 1}, "f").differences(Act("answer", {"a": 2}, "f")) == [
        'expected answer of f {"a":2}, got answer of f {"a":1}'
    ]
    assert str(Act("audioStreamEnd")) == "audioStreamEnd"
    assert len(str(Act("text", "x" * 9999))) < 150


@given(st.floats(0, 1000), st.floats(-1, 1))
def test_audio_may_differ_a_little(seconds: float, share: float) -> None:
    tolerance = max(0.25, 0.1 * seconds)
    expected, inside = Media(seconds), Media(max(0.0, seconds + 0.99 * share * tolerance))
    assert inside.differences(expected) == []
    assert inside.nearly_covers(expected)
    assert len(Media(seconds + 1.01 * tolerance).differences(expected)) == 1
    assert not Media(seconds - 1.01 * tolerance).nearly_covers(expected)


def test_many_small_pieces_are_as_much_as_the_whole() -> None:
    pieces = Media()
    for _ in range(10):
        pieces = pieces.plus(Media(0.1))
    assert pieces.seconds < 1
    assert pieces.covers(Media(1.0))
    assert not pieces.covers(Media(1.001))


def test_images_are_counted() -> None:
    assert Media(images=2).differences(Media(images=3)) == ["expected images: 3, got 2"]
    assert not Media(images=2).nearly_covers(Media(images=3))
    assert Media(1, 1).plus(Media(2, 3)) == Media(3, 4)
