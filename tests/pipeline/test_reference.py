import enum
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from pipeline import (
    AudioFrame,
    CodeReference,
    Duplex,
    Inbox,
    InputPath,
    Outbox,
    OutputPath,
    SettingError,
    Sink,
    Source,
    TextFrame,
    Transcript,
    Transform,
)
from pipeline.reference import (
    Entry,
    Shape,
    first_sentence,
    in_yaml,
    read_docstring,
    read_fields,
    read_reference,
)


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    """What is within.

    for_s, wait_s: seconds. How long:
    it takes. deep: how far
    down.
    """

    for_s: float
    wait_s: Annotated[float, Meta(gt=0)] = 2.0
    deep: list[int] = []
    more: "Inner | None" = None


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


@dataclass
class Plain:
    size: int
    names: list[str] = field(default_factory=list)


class Gate(Transform):
    """Opens and closes. It never
    slams.

    A second paragraph: with a colon.

      and: an example

    rate: in Hz.
    gain_db, limit_db: how loud, at first: and
      `hold_ms: 5` at the end.

    After all.
    """

    def __init__(
        self,
        rate: Annotated[int, Meta(ge=8000, le=48_000)],
        gain_db: Annotated[float, Meta(gt=-60, lt=6)] = 0.0,
        limit_db: float | None = None,
        mode: Literal["soft", "hard", 3] = "soft",
    ) -> None: ...

    def process(self, frame: AudioFrame | Transcript) -> Iterator[AudioFrame]:
        yield from ()


def settings_of(**hints: Any) -> dict[str, Entry]:
    """The settings of a class whose constructor has these annotations."""

    class Made(Source):
        def __init__(self, **_: Any) -> None: ...

        async def frames(self) -> AsyncIterator[TextFrame]:
            yield TextFrame("")

    names = ", ".join(f"{name}: hints[{name!r}]" for name in hints)
    scope: dict[str, Any] = {"hints": hints}
    exec(f"def __init__(self, {names}): pass", scope)
    Made.__init__ = scope["__init__"]  # type: ignore[method-assign]
    return {entry.name: entry for entry in read_reference(Made).settings}


def shape_of(hint: Any) -> Shape:
    return settings_of(it=hint)["it"].shape


# --- a class ---


def test_role_frames_and_words() -> None:
    gate = read_reference(Gate)
    assert (gate.role, gate.takes, gate.gives) == (
        "transform",
        ("AudioFrame", "Transcript"),
        ("AudioFrame",),
    )
    assert gate.summary == "Opens and closes."
    assert gate.text == (
        "Opens and closes. It never\nslams.\n\nA second paragraph: with a colon.\n\n"
        "  and: an example\n\nAfter all."
    )


def test_settings() -> None:
    rate, gain, limit, mode = read_reference(Gate).settings
    rates = Shape("integer", limits={"minimum": 8000, "maximum": 48_000})
    assert rate == Entry("rate", rates, required=True, unit="Hz", meaning="in Hz.")
    assert (gain.default, gain.unit, gain.required) == (0.0, "dB", False)
    assert gain.shape.limits == {"exclusiveMinimum": -60, "exclusiveMaximum": 6}
    assert gain.meaning == limit.meaning == "how loud, at first: and `hold_ms: 5` at the end."
    assert limit.shape == Shape("number", nullable=True)
    assert mode.shape == Shape("choice", choices=("soft", "hard", 3))
    assert (mode.default, mode.meaning, mode.unit) == ("soft", "", "")


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("rate", "Hz"),
        ("input_rate", "Hz"),
        ("cut_hz", "Hz"),
        ("hold_s", "s"),
        ("hold_ms", "ms"),
        ("gain_db", "dB"),
        ("words", ""),
        ("accurate", ""),
    ],
)
def test_units_come_from_names(name: str, unit: str) -> None:
    assert settings_of(**{name: float})[name].unit == unit


def test_every_role() -> None:
    class In(Source):
        async def frames(self) -> AsyncIterator[TextFrame]:
            yield TextFrame("")

    class Out(Sink):
        async def consume(self, frame: TextFrame) -> None: ...

    class Both(Duplex):
        async def run(self, inbox: Inbox[TextFrame], outbox: Outbox[Transcript]) -> None: ...

    found = [read_reference(kind) for kind in (In, Out, Both)]
    assert [(r.role, r.takes, r.gives) for r in found] == [
        ("source", (), ("TextFrame",)),
        ("sink", ("TextFrame",), ()),
        ("duplex", ("TextFrame",), ("Transcript",)),
    ]
    assert [(r.summary, r.text, r.settings) for r in found] == [("", "", ())] * 3


def test_an_annotation_that_is_missing() -> None:
    class Careless(Sink):
        def __init__(self, size) -> None: ...  # type: ignore[no-untyped-def]

        async def consume(self, frame: TextFrame) -> None: ...

    with pytest.raises(SettingError) as caught:
        read_reference(Careless)
    assert str(caught.value) == "Careless.__init__: annotate `size` with its type"


# --- shapes ---


@pytest.mark.parametrize(
    ("hint", "shape"),
    [
        (bool, Shape("boolean")),
        (str, Shape("text")),
        (Path, Shape("text")),
        (Any, Shape("any")),
        (complex, Shape("any")),
        (list, Shape("list")),
        (list[int], Shape("list", items=Shape("integer"))),
        (tuple[str, ...], Shape("list", items=Shape("text"))),
        (dict[str, Any], Shape("mapping", items=Shape("any"))),
        (InputPath, Shape("file")),
        (OutputPath | None, Shape("file", nullable=True, written=True)),
        (CodeReference, Shape("code")),
        (Mood, Shape("choice", choices=("good", "bad"))),
        (int | str | None, Shape("integer", nullable=True, others=(Shape("text"),))),
        (Annotated[str, Meta(min_length=2)], Shape("text", limits={"minLength": 2})),
        (Annotated[str, Meta(examples=["a"])], Shape("text", examples=("a",))),
        (
            Annotated[list[CodeReference], Meta(min_length=1)],
            Shape("list", limits={"minItems": 1}, items=Shape("code")),
        ),
        (
            Annotated[dict[str, int], Meta(max_length=3)],
            Shape("mapping", limits={"maxProperties": 3}, items=Shape("integer")),
        ),
    ],
)
def test_shapes(hint: Any, shape: Shape) -> None:
    assert shape_of(hint) == shape


def test_a_structure() -> None:
    shape = shape_of(Inner | None)
    assert (shape.kind, shape.closed, shape.nullable) == ("group", True, True)
    duration, wait, deep, more = shape.fields
    assert (duration.required, duration.unit) == (True, "s")
    assert duration.meaning == wait.meaning == "seconds. How long: it takes."
    assert (wait.default, wait.shape.limits) == (2.0, {"exclusiveMinimum": 0})
    assert (deep.default, deep.meaning) == ([], "how far down.")
    assert more.shape == Shape("any", nullable=True)  # it contains itself: no deeper


def test_a_dataclass() -> None:
    shape = shape_of(Plain)
    assert (shape.kind, shape.closed) == ("group", False)
    assert [(f.name, f.required, f.default) for f in shape.fields] == [
        ("size", True, None),
        ("names", False, []),
    ]
    assert read_docstring(Plain, ["size"]) == ("", {})


def test_names_and_tags_are_those_of_the_file() -> None:
    class Tagged(msgspec.Struct, rename="camel", tag="one", forbid_unknown_fields=True):
        some_name: int = 1

    kind, name = read_fields(Tagged)
    assert kind == Entry("type", Shape("choice", choices=("one",)), required=True)
    assert (name.name, name.default) == ("someName", 1)


# --- words ---


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ""),
        ("No stop", "No stop"),
        ("Version 1.5 of\nit. More.", "Version 1.5 of it."),
        ("Is it? Yes.", "Is it?"),
    ],
)
def test_the_first_sentence(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "null"),
        (0.5, "0.5"),
        ("live", "live"),
        ({"a": 1, "b": None, "c": [], "d": False}, "{a: 1, d: false}"),
    ],
)
def test_values_as_in_yaml(value: Any, text: str) -> None:
    assert in_yaml(value) == text
