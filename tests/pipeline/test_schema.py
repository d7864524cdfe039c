"""The schema by which editors check a configuration agrees with the check itself."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import Meta

from pipeline import AudioFrame, InputPath, Sink, Source, TextFrame, Transform
from pipeline.config.document import Document
from pipeline.registry import find_processor, installed
from pipeline.schema import configuration_schema
from pipeline.settings import convert

ROOT = Path(__file__).parents[2]

Positive = Annotated[float, Meta(gt=0)]


class Vad(msgspec.Struct, forbid_unknown_fields=True):
    """When someone speaks. silence_ms: before a turn ends."""

    needed: bool
    silence_ms: Annotated[int, Meta(ge=0, le=10)] | None = None
    names: list[str] = []


class Everything(Sink):
    """Takes every kind of setting.

    rate: samples in a second.
    """

    def __init__(
        self,
        rate: Annotated[int, Meta(ge=1, le=9)],
        gain: Annotated[float, Meta(gt=0, lt=1)] | None = None,
        quality: Literal["live", "best"] = "live",
        path: InputPath = "-",
        vad: Vad | None = None,
        exact: bool = False,
        either: int | str = 0,
        limits: Annotated[dict[str, Annotated[float, Meta(gt=0)]], Meta(max_length=2)]
        | None = None,
        tags: Annotated[list[Literal["a", "b"]], Meta(min_length=1)] | None = None,
        raw: Any = None,
    ) -> None: ...

    async def consume(self, frame: AudioFrame) -> None: ...


class Words(Source):
    async def frames(self) -> AsyncIterator[TextFrame]:
        yield TextFrame("")


class Upper(Transform):
    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        yield frame


KINDS = {"everything": Everything, "words": Words, "upper": Upper}
SCHEMA = configuration_schema(KINDS)
VALIDATOR = Draft202012Validator(SCHEMA)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-1, 11)
    | st.sampled_from([0.5, -0.5, 1.5, "live", "best", "a", "b", "", "word"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["silence_ms", "needed", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)
NEARLY = {
    "rate": st.integers(-1, 11),
    "gain": st.sampled_from([None, -1, 0, 0.5, 1, 2]),
    "quality": st.sampled_from(["live", "best", "worst", None]),
    "tags": st.none() | st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
    "limits": st.none()
    | st.dictionaries(st.sampled_from("xyz"), st.sampled_from([-1, 0, 0.5, None]), max_size=3),
    "vad": st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "silence_ms": st.none() | st.integers(-1, 11),
            "needed": st.booleans(),
            "names": st.lists(st.sampled_from(["a", 1]), max_size=2),
            "wrong": st.just(1),
        },
    ),
}
"""Values that are nearly right, which is where the two could differ."""
NAMES = ["rate", "gain", "quality", "path", "vad", "exact", "either", "limits", "tags", "raw"]
SETTING = st.sampled_from([*NAMES, "wrong"]).flatmap(
    lambda name: st.tuples(st.just(name), NEARLY.get(name, VALUES) | VALUES)
)


def problems(processors: Any, flow: Any = ("a -> b",)) -> list[str]:
    data = {"processors": processors, "flow": list(flow)}
    return [error.message for error in VALIDATOR.iter_errors(data)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    json.dumps(SCHEMA)


@given(SETTING, st.booleans())
@settings(max_examples=500)
def test_it_says_what_the_check_says(setting: tuple[str, Any], complete: bool) -> None:
    """One setting at a time, or what is wrong with one would hide the others."""
    values = dict([("rate", 5), setting] if complete else [setting])
    _, wrong = convert(Everything, values, Path())
    refused = problems({"a": {"use": "everything", **values}})
    assert bool(refused) == bool(wrong)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("rate", "${RATE}", True),
        ("rate", "${RATE:-16000}", True),
        ("rate", "$RATE", False),
        ("rate", "${}", False),
        ("exact", "${EXACT}", True),
        ("quality", "${QUALITY}", True),
        ("gain", "${GAIN:-}", True),
        ("vad", {"needed": "${YES}", "silence_ms": "${MS}"}, True),
        ("vad", "${VAD}", True),  # it may be a parameter
        ("limits", {"x": "${X}"}, True),
        ("tags", ["${TAG}"], True),
        ("tags", "${TAGS}", True),
        ("path", "${FOLDER}/a.wav", True),
    ],
)
def test_variables_may_stand_for_values(name: str, value: Any, allowed: bool) -> None:
    entry = {"use": "everything", "rate": 5, name: value}
    assert (problems({"a": entry}) == []) is allowed


@pytest.mark.parametrize(
    ("entry", "allowed"),
    [
        ({"use": "./file.py:Class", "any": 1, "thing": [2]}, True),
        ({"use": "package.module:Class", "any": 1, "inbox": {"frames": 8}}, True),
        ({"use": "package.module:Class", "inbox": {"frames": 0}}, False),
        ({"use": "${WHICH}", "any": 1}, True),
        ({"use": "gone"}, False),
        ({"rate": 5}, False),
        ({}, False),
        ("everything", False),
        ({"use": "words"}, True),
        ({"use": "words", "inbox": {"frames": 8}}, False),
        ({"use": "upper", "inbox": {"ms": 200, "policy": "drop_oldest"}}, True),
        ({"use": "upper", "inbox": {"policy": "drop"}}, False),
        ({"use": "upper", "inbox": {"size": 1}}, False),
        ({"use": "upper", "inbox": None}, False),
    ],
)
def test_entries(entry: Any, allowed: bool) -> None:
    assert (problems({"a": entry}) == []) is allowed


@pytest.mark.parametrize(
    ("flow", "allowed"),
    [
        (["a -> b"], True),
        (["a->b-c <-> d"], True),
        (["${FIRST} -> b"], True),
        (["a"], False),
        (["a ->"], False),
        (["a => b"], False),
        ([], False),
        ([5], False),
    ],
)
def test_chains(flow: Any, allowed: bool) -> None:
    assert (problems({"a": {"use": "words"}}, flow) == []) is allowed


@pytest.mark.parametrize(
    "data",
    [
        {"processors": {"a": {"use": "words"}}},
        {"flow": ["a -> b"]},
        {"processors": {}, "flow": ["a -> b"]},
        {"processors": {"a b": {"use": "words"}}, "flow": ["a -> b"]},
        {"processors": {"a": {"use": "words"}}, "flow": ["a -> b"], "more": 1},
        [],
    ],
)
def test_what_is_no_configuration(data: Any) -> None:
    assert not VALIDATOR.is_valid(data)


def test_editors_are_told_what_things_mean() -> None:
    processor = SCHEMA["$defs"]["processor"]
    everything, _, elsewhere = (processor["properties"]["use"]["anyOf"][n] for n in (0, 1, -1))
    assert everything == {"const": "everything", "description": "Takes every kind of setting."}
    assert "./file.py:Class" in elsewhere["description"]
    described = processor["allOf"][0]["then"]["properties"]
    assert described["rate"]["description"] == "samples in a second."
    assert described["quality"]["default"] == "live"
    vad = described["vad"]["anyOf"][0]["properties"]
    assert vad["silence_ms"]["description"] == "before a turn ends."
    assert "drop_oldest" in processor["properties"]["inbox"]["description"]


# --- what is shipped ---


@pytest.fixture(scope="module")
def shipped() -> Draft202012Validator:
    return Draft202012Validator(json.loads((ROOT / "docs/pipeline.schema.json").read_text()))


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_configuration_fits(path: Path, shipped: Draft202012Validator) -> None:
    text = path.read_text()
    first = text.partition("\n")[0]
    assert first == "# yaml-language-server: $schema=../docs/pipeline.schema.json"
    data = Document(text, str(path), {}).data
    assert [error.message for error in shipped.iter_errors(data)] == []


def test_every_default_fits_its_own_schema() -> None:
    kinds = {name: find_processor(name, Path()) for name in installed()}
    schema = configuration_schema(kinds)
    checked = 0
    for choice in schema["$defs"]["processor"]["allOf"]:
        for setting in choice["then"]["properties"].values():
            if isinstance(setting, dict) and "default" in setting:
                resolvable = {**setting, "$defs": schema["$defs"]}
                Draft202012Validator(resolvable).validate(setting["default"])
                checked += 1
    assert checked > 40
