"""How functions are declared to the Live API, and how its arguments are checked."""

import enum
import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.tools.declaration import ToolArgumentError, ToolDeclarationError, tool


class Unit(enum.Enum):
    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


class Level(enum.Enum):
    LOW = 1


@dataclass
class Point:
    """A place on Earth."""

    lat: float
    lon: float
    label: Annotated[str | None, msgspec.Meta(description="What to call it.")] = None


class Filter(TypedDict):
    field: str
    values: NotRequired[list[str]]


class Circle(msgspec.Struct, tag=True):
    """All within a radius."""

    radius: float


class Box(msgspec.Struct, tag=True):
    width: float


class Tree(msgspec.Struct):
    children: list["Tree"]


class Address(msgspec.Struct):
    city: str

    def __post_init__(self) -> None:
        if not self.city:
            raise ValueError("Each address needs a city")


def get_weather(city: str, days: int = 1) -> str:
    """Tells the weather.

    Knows about
    all cities.

    Args:
        city: Where to look,
            by its name.
        days (int, optional): How far ahead: in days.

    Returns:
        city: not a parameter.
    """
    return f"{city} {days}"


def declare(annotation: Any) -> dict[str, Any]:
    """The schema of one parameter of this type."""

    def sample(x):  # type: ignore[no-untyped-def]
        pass

    sample.__annotations__["x"] = annotation
    schema: dict[str, Any] = tool(sample).parameters["properties"]["x"]
    return schema


def convert(annotation: Any, value: Any) -> Any:
    def f(x):  # type: ignore[no-untyped-def]
        pass

    f.__annotations__["x"] = annotation
    return tool(f).bind({"x": value})["x"]


def test_declaration_from_signature_and_docstring() -> None:
    weather = tool(get_weather)
    assert weather.declaration() == {
        "name": "get_weather",
        "description": "Tells the weather.\n\nKnows about\nall cities.",
        "parameters": {
            "type": "OBJECT",
            "properties": {
                "city": {"type": "STRING", "description": "Where to look, by its name."},
                "days": {"type": "INTEGER", "description": "How far ahead: in days."},
            },
            "required": ["city"],
        },
    }
    assert weather.function is get_weather
    assert weather.is_async is False


def test_function_without_parameters_or_docstring() -> None:
    def ping() -> None: ...

    assert tool(ping).declaration() == {"name": "ping", "description": ""}
    assert tool(ping).bind({}) == {}


def test_no_required_when_all_have_defaults() -> None:
    def ping(host: str = "here", *, count: int = 1) -> None: ...

    assert tool(ping).parameters == {
        "type": "OBJECT",
        "properties": {"host": {"type": "STRING"}, "count": {"type": "INTEGER"}},
    }


def test_param_style_docstring() -> None:
    def move(x: int, y: int) -> None:
        """Moves.

        :param x: to the
            right
        :param int y: up
        :return: nothing
        """

    declared = tool(move)
    assert declared.description == "Moves."
    assert declared.parameters["properties"] == {
        "x": {"type": "INTEGER", "description": "to the right"},
        "y": {"type": "INTEGER", "description": "up"},
    }


def test_numpy_style_docstring_keeps_its_description_only() -> None:
    def move(x: int) -> None:
        """Moves.

        Parameters
        ----------
        x : int
            to the right
        """

    assert tool(move).declaration() == {
        "name": "move",
        "description": "Moves.",
        "parameters": {
            "type": "OBJECT",
            "properties": {"x": {"type": "INTEGER"}},
            "required": ["x"],
        },
    }


def test_meta_description_wins_over_docstring_and_docstring_over_class() -> None:
    described = Annotated[int, msgspec.Meta(description="from Meta")]

    def f(a: described, b: described | None, c: Point, d: str | int) -> None:
        """Does it.

        Args:
            a: from docstring
            b: from docstring
            c: from docstring
            d: from docstring
        """

    properties = tool(f).parameters["properties"]
    assert properties["a"] == {"type": "INTEGER", "description": "from Meta"}
    assert properties["b"] == {"type": "INTEGER", "description": "from Meta", "nullable": True}
    assert properties["c"]["description"] == "from docstring"
    assert properties["d"] == {
        "anyOf": [
            {"type": "STRING", "description": "from docstring"},
            {"type": "INTEGER", "description": "from docstring"},
        ]
    }


POINT = {
    "type": "OBJECT",
    "description": "A place on Earth.",
    "properties": {
        "lat": {"type": "NUMBER"},
        "lon": {"type": "NUMBER"},
        "label": {"type": "STRING", "nullable": True, "description": "What to call it."},
    },
    "required": ["lat", "lon"],
}
CIRCLE = {
    "type": "OBJECT",
    "description": "All within a radius.",
    "properties": {"type": {"type": "STRING", "enum": ["Circle"]}, "radius": {"type": "NUMBER"}},
    "required": ["type", "radius"],
}
BOX = {
    "type": "OBJECT",
    "properties": {"type": {"type": "STRING", "enum": ["Box"]}, "width": {"type": "NUMBER"}},
    "required": ["type", "width"],
}


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "STRING"}),
        (int, {"type": "INTEGER"}),
        (float, {"type": "NUMBER"}),
        (bool, {"type": "BOOLEAN"}),
        (list[str], {"type": "ARRAY", "items": {"type": "STRING"}}),
        (tuple[int, ...], {"type": "ARRAY", "items": {"type": "INTEGER"}}),
        (dict[str, int], {"type": "OBJECT"}),
        (dict[str, Any], {"type": "OBJECT"}),
        (Literal["b", "a"], {"type": "STRING", "enum": ["a", "b"]}),
        (Literal["a"] | None, {"type": "STRING", "enum": ["a"], "nullable": True}),
        (
            # Another schema to msgspec than the union with None.
            Literal["a", None],
            {"type": "STRING", "enum": ["a"], "nullable": True},
        ),
        (Unit, {"type": "STRING", "enum": ["celsius", "fahrenheit"]}),
        (Unit | None, {"type": "STRING", "enum": ["celsius", "fahrenheit"], "nullable": True}),
        (int | None, {"type": "INTEGER", "nullable": True}),
        (int | str, {"anyOf": [{"type": "INTEGER"}, {"type": "STRING"}]}),
        (
            int | str | None,
            {
                "anyOf": [
                    {"type": "INTEGER", "nullable": True},
                    {"type": "STRING", "nullable": True},
                ]
            },
        ),
        (
            Annotated[int, msgspec.Meta(description="Days.", ge=1, le=7)],
            {"type": "INTEGER", "description": "Days.", "minimum": 1, "maximum": 7},
        ),
        (Point, POINT),
        (list[Point], {"type": "ARRAY", "items": POINT}),
        (Point | None, {**POINT, "nullable": True}),
        (
            Filter,
            {
                "type": "OBJECT",
                "properties": {
                    "field": {"type": "STRING"},
                    "values": {"type": "ARRAY", "items": {"type": "STRING"}},
                },
                "required": ["field"],
            },
        ),
        (Circle | Box, {"anyOf": [CIRCLE, BOX]}),
        (
            Annotated[Circle | Box | None, msgspec.Meta(description="Where.")],
            {
                "anyOf": [
                    {**CIRCLE, "nullable": True, "description": "Where.\nAll within a radius."},
                    {**BOX, "nullable": True, "description": "Where."},
                ]
            },
        ),
    ],
)
def test_schema(annotation: Any, schema: dict[str, Any]) -> None:
    assert declare(annotation) == schema


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (complex, "type <class 'complex'> is not supported"),
        (Any, "the API has no type for any value"),
        (None, "the API has no type for null"),
        (list, "an array must have items of one known type"),
        (list[Any], "an array must have items of one known type"),
        (tuple[int, str], "an array must have items of one known type"),
        (Literal[1, 2], "the values of an enum must be strings"),
        (Level, "the values of an enum must be strings"),
        (Tree, "Tree contains itself"),
        ("Nowhere", "name 'Nowhere' is not defined"),
        ("1 +", "Forward reference must be an expression -- got '1 +'"),
    ],
)
def test_annotation_that_cannot_become_a_schema(annotation: Any, reason: str) -> None:
    with pytest.raises(ToolDeclarationError) as caught:
        declare(annotation)
    assert str(caught.value) == f'sample: parameter "x" cannot become a schema: {reason}'


def unannotated(x):  # type: ignore[no-untyped-def]
    pass


def variadic(*words: str) -> None: ...


def keywords(**options: str) -> None: ...


def positional(x: int, /) -> None: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (unannotated, 'unannotated: parameter "x" has no annotation'),
        (variadic, 'variadic: parameter "words" is variadic positional, not named'),
        (keywords, 'keywords: parameter "options" is variadic keyword, not named'),
        (positional, 'positional: parameter "x" is positional-only, not named'),
        (
            lambda: None,
            "<lambda>: the name of a tool must match [a-zA-Z_][a-zA-Z0-9_.:-]{0,63}",
        ),
        (Point, "Point: a class is not a function"),
        (getattr, "getattr: the function has no signature"),
    ],
)
def test_function_that_cannot_be_declared(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(ToolDeclarationError) as caught:
        tool(function)
    assert str(caught.value) == message


@pytest.mark.parametrize(("length", "allowed"), [(64, True), (65, False)])
def test_length_of_name(length: int, allowed: bool) -> None:
    def f() -> None: ...

    f.__name__ = "f" * length
    if allowed:
        assert tool(f).name == f.__name__
    else:
        with pytest.raises(ToolDeclarationError):
            tool(f)


def test_string_annotations_resolve_and_the_return_type_need_not() -> None:
    def f(x=None):  # type: ignore[no-untyped-def]
        pass

    f.__annotations__ = {
        "x": "Annotated[int, msgspec.Meta(ge=0)] | None",
        "return": "Nowhere",
    }
    assert tool(f).parameters["properties"] == {
        "x": {"type": "INTEGER", "minimum": 0, "nullable": True}
    }


class Station:
    def measure(self, sensor: str) -> str:
        """Measures."""
        return sensor

    async def measure_later(self, sensor: str) -> str:
        return sensor


class Recorder:
    """Records."""

    async def __call__(self, seconds: float) -> None: ...


SENSOR = {
    "type": "OBJECT",
    "properties": {"sensor": {"type": "STRING"}},
    "required": ["sensor"],
}


def test_bound_method() -> None:
    station = Station()
    measure = tool(station.measure)
    assert measure.declaration() == {
        "name": "measure",
        "description": "Measures.",
        "parameters": SENSOR,
    }
    assert measure.function(**measure.bind({"sensor": "wind"})) == "wind"
    assert tool(station.measure_later).is_async is True


def test_callable_object() -> None:
    recorder = tool(Recorder())
    assert (recorder.name, recorder.description) == ("Recorder", "Records.")
    assert recorder.parameters["properties"] == {"seconds": {"type": "NUMBER"}}
    assert recorder.is_async is True


def test_partial_does_not_declare_what_it_binds() -> None:
    async def send(to: str, subject: str, body: str) -> str:
        """Sends."""
        return to + subject + body

    by_position = tool(functools.partial(send, "you"))
    assert list(by_position.parameters["properties"]) == ["subject", "body"]
    assert (by_position.name, by_position.description) == ("send", "Sends.")
    assert by_position.is_async is True

    by_name = tool(functools.partial(functools.partial(send, subject="hi"), to="you"))
    assert by_name.parameters["properties"] == {"body": {"type": "STRING"}}
    assert by_name.bind({"body": "!"}) == {"body": "!"}
    with pytest.raises(ToolArgumentError, match=r'^send: unknown argument "subject"$'):
        by_name.bind({"body": "!", "subject": "other"})


def test_decorated_function() -> None:
    declared = tool(functools.lru_cache(get_weather))
    assert declared.declaration() == tool(get_weather).declaration()


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (float, 3, 3.0),
        (Unit, "celsius", Unit.CELSIUS),
        (Point, {"lat": 1, "lon": 2.5}, Point(1.0, 2.5)),
        (list[Circle | Box], [{"type": "Box", "width": 2}], [Box(2.0)]),
        (dict[int, str], {"1": "one"}, {1: "one"}),
        (int | None, None, None),
    ],
)
def test_bind_converts(annotation: Any, value: Any, expected: Any) -> None:
    converted = convert(annotation, value)
    assert converted == expected
    assert type(converted) is type(expected)


def test_bind_leaves_out_what_is_left_out() -> None:
    assert tool(get_weather).bind({"city": "Oslo"}) == {"city": "Oslo"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"city": "Oslo", "days": "three"}, 'argument "days": expected int, got str "three"'),
        ({"city": "Oslo", "days": 1.5}, 'argument "days": expected int, got float 1.5'),
        ({"city": "Oslo", "days": True}, 'argument "days": expected int, got bool true'),
        ({"city": "Oslo", "days": None}, 'argument "days": expected int, got null'),
        ({"city": ["Oslo"]}, 'argument "city": expected str, got array'),
        ({}, 'missing argument "city"'),
        ({"days": 1}, 'missing argument "city"'),
        ({"town": "Oslo"}, 'unknown argument "town" (did you mean "city"?)'),
        ({"city": "Oslo", "day": 2}, 'unknown argument "day" (did you mean "days"?)'),
        ({"city": "Oslo", "citty": "Oslo"}, 'unknown argument "citty"'),
        ({"city": "Oslo", "\ud800\n": 1}, 'unknown argument "\\ud800\\n"'),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ToolArgumentError) as caught:
        tool(get_weather).bind(arguments)
    assert str(caught.value) == f"get_weather: {message}"


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (Unit, "kelvin", '"x": expected one of "celsius", "fahrenheit", got str "kelvin"'),
        (Unit, 3, '"x": expected str, got int 3'),
        (Unit | None, "kelvin", '"x": expected one of "celsius", "fahrenheit", got str "kelvin"'),
        (list[Unit], ["kelvin"], "\"x[0]\": invalid enum value 'kelvin'"),
        (list[Point], [{"lat": "a", "lon": 1}], '"x[0].lat": expected float, got str'),
        (Point, {"lat": 1}, '"x": object missing required field lon'),
        (dict[str, int], {"a": "b"}, '"x[...]": expected int, got str'),
        (Annotated[int, msgspec.Meta(ge=1)], 0, '"x": expected int >= 1, got 0'),
        (int, "ä" * 99, '"x": expected int, got str "' + "ä" * 58 + "…"),
        (float, 10**400, '"x": number out of range'),
        (set[list[int]], [[1]], "\"x\": unhashable type: 'list'"),
        (Address, {"city": ""}, '"x": each address needs a city'),
    ],
)
def test_value_that_does_not_fit(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(ToolArgumentError) as caught:
        convert(annotation, value)
    assert str(caught.value) == f"f: argument {message}"


def test_key_that_does_not_fit() -> None:
    with pytest.raises(ToolArgumentError) as caught:
        convert(dict[int, str], {"one": "1"})
    assert str(caught.value) == 'f: a key of argument "x": expected int, got str'


def test_nesting_too_deep() -> None:
    deep: dict[str, Any] = {"children": []}
    for _ in range(100 * sys.getrecursionlimit()):
        deep = {"children": [deep]}
    with pytest.raises(ToolArgumentError) as caught:
        convert(dict[str, Tree], {"a": deep})
    assert str(caught.value).startswith('f: argument "x": ')


def search(
    text: str,
    limit: int,
    ratio: float = 0.5,
    exact: bool = False,
    tags: list[str] | None = None,
    counts: dict[str, int] | None = None,
    unit: Unit = Unit.CELSIUS,
    order: Literal["up", "down"] = "up",
    near: Point | None = None,
    only: Filter | None = None,
    area: Circle | Box | None = None,
    mixed: int | str | None = None,
) -> None: ...


SEARCH = tool(search)
FITS: dict[str, Callable[[Any], bool]] = {
    "text": lambda v: type(v) is str,
    "limit": lambda v: type(v) is int,
    "ratio": lambda v: type(v) is float,
    "exact": lambda v: type(v) is bool,
    "tags": lambda v: v is None or all(type(item) is str for item in v),
    "counts": lambda v: v is None or all(type(item) is int for item in v.values()),
    "unit": lambda v: isinstance(v, Unit),
    "order": lambda v: v in ("up", "down"),
    "near": lambda v: v is None or (isinstance(v, Point) and type(v.lat) is float),
    "only": lambda v: v is None or type(v["field"]) is str,
    "area": lambda v: v is None or isinstance(v, Circle | Box),
    "mixed": lambda v: v is None or type(v) in (int, str),
}

# Lone surrogates are among these characters, as they are among what JSON can escape.
texts = st.text(st.characters(), max_size=8)
words = st.sampled_from(["up", "celsius", "type", "Circle", "radius", "lat", "lon", "field"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | texts | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | texts, inner, max_size=3),
    max_leaves=6,
)
plausible = st.fixed_dictionaries(
    {"text": texts, "limit": st.integers()},
    optional={
        "near": st.fixed_dictionaries({"lat": values, "lon": st.floats()}),
        "area": st.fixed_dictionaries({"type": words | texts, "radius": st.integers()}),
        "only": st.fixed_dictionaries({"field": texts}),
        "unit": words | texts,
        "order": words | texts,
        **dict.fromkeys(("ratio", "exact", "tags", "counts", "mixed"), values),
    },
)
arbitrary = st.dictionaries(st.sampled_from(list(FITS)) | texts, values, max_size=4)


@given(plausible | arbitrary)
def test_bind_gives_what_is_annotated_or_refuses(arguments: dict[str, Any]) -> None:
    try:
        bound = SEARCH.bind(arguments)
    except ToolArgumentError as error:
        refusal = str(error).encode()
    else:
        assert bound.keys() == arguments.keys()
        assert all(FITS[name](value) for name, value in bound.items())
        return
    assert refusal.startswith(b"search: ")


def test_every_parameter_is_checked() -> None:
    assert list(SEARCH.parameters["properties"]) == list(FITS)
