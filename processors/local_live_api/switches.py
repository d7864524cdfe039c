"""What is known to differ between models, backends and years, or not known at all: as data."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

BackendName = Literal["vertex", "gemini-api"]

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class Switches(Struct, frozen=True, forbid_unknown_fields=True):
    """How the local Live API behaves where the real service has several ways.

    frames: what it sends, `binary` or `text`.
    pretty: JSON on several lines, with a final newline.
    strict_models: refuse names of models that it does not know, and on Vertex short names.
    credentials: refuse clients that bring none.
    usage: where token counts go: `turn` (on the frame of `turnComplete`), `own` frame, or `none`.
    generation_complete: say when a turn's content has all been sent.
    playback: hold `turnComplete` back until the speech could have been played.
    pace: how much faster than it is spoken speech is sent.
    chunk_ms: milliseconds of speech in one frame.
    lead_s: speech is sent at most so many seconds ahead of what could have been played.
    call_patience_s: an unanswered call holds the model's turn open for so many seconds; then the
      turn is complete, and the answer begins another.
    latency_ms: milliseconds from the end of the user's turn to the answer.
    call_ids: give function calls an id; older models of Vertex do not.
    status: say `interactionStatus` beside `turnComplete`, as the models of 2026 do.
    interim: first guess what was said, then say it as a whole, as newer models do.
    updates: `turns`, a handle after the setup and after each turn, or `once` for each connection.
    update_every: in transparent mode, how many messages there are from one update to the next.
    handles: what a handle stands for: the `latest` state, or a `snapshot` of its own moment, as
      always in transparent mode.
    handle_s: how many seconds a handle is good for after its last connection; left out, what the
      backend documents, 24 hours on Vertex and 2 hours on the Gemini API.
    reopen: a resume while the old connection is open: `refuse` it, or `replace` the connection.
    connection_s: seconds that a connection lives.
    go_away_s: how many seconds before its end `goAway` is sent.
    time_scale: how much faster than the real one the clock runs by which connections and handles
      grow old.
    context_tokens: size of the context window.
    overflow: when it is full, `close` the session or `truncate` the conversation.
    sessions: how many there may be at a time.
    silence_ms: silence that ends the user's turn, unless the setup says otherwise.
    prefix_ms: speech that begins it, likewise.
    """

    frames: Literal["binary", "text"] = "binary"
    pretty: bool = True
    strict_models: bool = False
    credentials: bool = True
    usage: Literal["turn", "own", "none"] = "turn"
    generation_complete: bool = True
    playback: bool = True
    pace: Positive = 5.0
    chunk_ms: Annotated[int, Meta(ge=20, le=1000)] = 200
    lead_s: Positive = 4.0
    call_patience_s: Positive = 4.0
    latency_ms: Annotated[int, Meta(ge=0)] = 0
    call_ids: bool = True
    status: bool = False
    interim: bool = False
    updates: Literal["turns", "once"] = "turns"
    update_every: Count = 1
    handles: Literal["latest", "snapshot"] = "latest"
    handle_s: Positive | None = None
    reopen: Literal["refuse", "replace"] = "refuse"
    connection_s: Positive = 600.0
    go_away_s: Positive = 60.0
    time_scale: Positive = 1.0
    context_tokens: Count = 32_768
    overflow: Literal["close", "truncate"] = "close"
    sessions: Count = 10
    silence_ms: Annotated[int, Meta(ge=20)] = 800
    prefix_ms: Annotated[int, Meta(ge=0)] = 60
