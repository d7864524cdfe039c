"""Messages of the Live API, in and out: our session, the official SDK, and plain JSON.

Measured: processor time per message. In: a turn of 100 messages of 40 ms of sound, with words of
its transcript, usage and the end of the turn, from the bytes of the websocket to frames in order
(ours) or to the messages that `receive()` gives (SDK). Out: 20 ms of sound, from a frame or a
`send_realtime_input` to the bytes for the websocket; ours keeps it until the service is known to
have it. The floors are `json` and `base64` and nothing else: no validation, no turns. The sound on
both sides is compared by its hash. Not measured: the websocket, which "live_sessions" has.
"""

from __future__ import annotations

import base64
import hashlib
import json
from itertools import count
from time import process_time
from typing import Any

import numpy as np

from benchmarks.harness.results import Section
from benchmarks.harness.rounds import Rounds, Subject, compare
from pipeline import AudioFrame

PER_TURN = 100
OURS, SDK, FLOOR = "ours", "official SDK", "json and base64 (floor)"
AUDIO = "audio/pcm;rate=16000"

Work = dict[str, str | int]


def server_turn() -> list[bytes]:
    """The messages of a turn, as the service writes them."""
    rng = np.random.default_rng(2)
    messages: list[dict[str, Any]] = []
    for number in range(PER_TURN):
        sound = rng.integers(-9000, 9000, 960).astype("<i2").tobytes()
        blob = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(sound).decode()}
        content: dict[str, Any] = {"modelTurn": {"parts": [{"inlineData": blob}]}}
        messages.append({"serverContent": content})
        if number % 5 == 4:
            words = {"outputTranscription": {"text": f" word{number}"}}
            messages.append({"serverContent": words})
    messages.append({"serverContent": {"generationComplete": True}})
    details = [{"modality": "AUDIO", "tokenCount": 100}]
    tokens = {"promptTokenCount": 120, "responseTokenCount": 100, "totalTokenCount": 220}
    usage = {**tokens, "promptTokensDetails": details, "responseTokensDetails": details}
    messages.append({"serverContent": {"turnComplete": True}, "usageMetadata": usage})
    return [json.dumps(message).encode() for message in messages]


def microphone() -> list[np.ndarray]:
    """A second of sound to send."""
    samples = np.random.default_rng(3).integers(-9000, 9000, 16_000).astype(np.int16)
    return list(samples.reshape(50, 320, 1))


def digest(sound: list[bytes]) -> str:
    """Of sound."""
    return hashlib.sha256(b"".join(sound)).hexdigest()[:12]


def sent(messages: list[bytes | str]) -> Work:
    """What went out, read back from the wire: either spelling of the protocol's names."""
    sound = []
    for message in messages:
        data = json.loads(message)
        realtime = data.get("realtimeInput") or data["realtime_input"]
        text = realtime["audio"]["data"].replace("-", "+").replace("_", "/")
        sound.append(base64.b64decode(text))
    return {"sent sound": digest(sound), "sent messages": len(sound)}


def ours(turns: int, seconds: int) -> tuple[dict[str, float], Work]:
    """Our session, without a socket."""
    from processors.live_api.connection import decode
    from processors.live_api.input import InputSide
    from processors.live_api.messages import encode
    from processors.live_api.session import Session

    session = Session(count(1).__next__)
    session.opening(0)
    session.received(decode(b'{"setupComplete": {}}'), 0)
    raw, frames = server_turn(), []
    began = process_time()
    for turn in range(turns):
        for number, data in enumerate(raw):
            frames += session.received(decode(data), (turn * len(raw) + number) * 20_000_000)
    decoding = process_time() - began

    side = InputSide(
        session, automatic=True, realtime_text=True, image_every=0, instruct=lambda text: None
    )
    sound, out = microphone(), []
    began = process_time()
    for number in range(50 * seconds):
        now = number * 20_000_000
        side.take(AudioFrame(sound[number % 50], 16_000, pts=now), now)
        while (item := session.next(now)) is not None:
            out.append(encode(item))
    encoding = process_time() - began
    heard = [frame.samples.tobytes() for frame in frames if isinstance(frame, AudioFrame)]
    received = {"received sound": digest(heard), "received messages": turns * len(raw)}
    return _figures(decoding, turns * len(raw), encoding, len(out)), received | sent(out)


def floor(turns: int, seconds: int) -> tuple[dict[str, float], Work]:
    """What the two libraries take alone."""
    raw, heard = server_turn(), []
    began = process_time()
    for _ in range(turns):
        for data in raw:
            content = json.loads(data)["serverContent"]
            for part in content.get("modelTurn", {}).get("parts", ()):
                heard.append(base64.b64decode(part["inlineData"]["data"]))  # noqa: PERF401
    decoding = process_time() - began

    sound, out = microphone(), []
    began = process_time()
    for number in range(50 * seconds):
        data = base64.b64encode(sound[number % 50].tobytes()).decode()
        out.append(json.dumps({"realtimeInput": {"audio": {"mimeType": AUDIO, "data": data}}}))
    encoding = process_time() - began
    received = {"received sound": digest(heard), "received messages": turns * len(raw)}
    return _figures(decoding, turns * len(raw), encoding, len(out)), received | sent(out)


def _figures(decoding: float, received: int, encoding: float, given: int) -> dict[str, float]:
    return {"in": decoding / received * 1e6, "out": encoding / given * 1e6}


def measure(rounds: Rounds, section: Section) -> None:
    """Fill the section."""
    settings = {"turns": rounds.size(100, 10), "seconds": rounds.size(200, 20)}
    subjects = {
        OURS: Subject("benchmarks.wire:ours", settings),
        FLOOR: Subject("benchmarks.wire:floor", settings, ours=False),
        SDK: Subject("benchmarks.peers.sdk:wire", settings, needs="google.genai", ours=False),
    }
    section.units = {"in": "µs a message", "out": "µs a message"}
    rounds.alternate(subjects, section)
    for column in section.units:
        compare(section, column, OURS, SDK, at_most=1 / 5)
        compare(section, column, OURS, FLOOR)
