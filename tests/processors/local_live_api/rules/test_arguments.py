"""Arguments from requests, for schemas of all sorts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.local_live_api.rules.abilities import Function
from processors.local_live_api.rules.arguments import MOST_CALLS, arguments

PYTHON: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


def function(**types: Any) -> Function:
    """A function all of whose parameters are required, unless their name ends with `_`."""
    properties = {
        key.rstrip("_"): item if isinstance(item, dict) else {"type": item}
        for key, item in types.items()
    }
    required = [key for key in types if not key.endswith("_")]
    schema = {"type": "OBJECT", "properties": properties, "required": required}
    return Function("f", parameters=schema)


def one(text: str, **types: Any) -> dict[str, Any]:
    (found,) = arguments(function(**types), text)
    return found


@pytest.mark.parametrize(
    ("text", "parameter", "expected"),
    [
        ("the weather in Santa Clara, CA", "location", "Santa Clara, CA"),
        ("Fly from Rome to Paris", "destination", "Paris"),
        ("Fly from Rome to Paris", "origin", "Rome"),
        ("is it cold in oslo today", "city", "oslo"),
        ("Call Ada Lovelace", "contact", "Ada Lovelace"),
        ("Write to bob@example.com", "to", "bob@example.com"),
        ("my address is bob@example.com.", "email", "bob@example.com"),
        ("Meet me tomorrow", "date", "tomorrow"),
        ("Meet me on Friday", "day", "Friday"),
        ("Meet me on 03/27/2025 at 10:00 AM", "date", "03/27/2025"),
        ("Meet me on 03/27/2025 at 10:00 AM", "time", "10:00 AM"),
        ("Meet me on December 5 2024 at 5", "date", "December 5 2024"),
        ("Meet me at 5", "time", "5"),
        ("in Fahrenheit please", "unit", "Fahrenheit"),
        ("Search for the best pizza in town.", "query", "the best pizza in town"),
        ("Send a message saying I am late", "message", "I am late"),
        ('Play "Yesterday" by Them', "track", "Yesterday"),
        ("Price of GOOG?", "ticker", "GOOG"),
        ("Where is order AB-1234?", "order_id", "AB-1234"),
        ("Turn off the bedroom lights", "room", "bedroom"),
        ("Turn it off in the living room", "room", "living room"),
        ("Open https://example.org/a", "url", "https://example.org/a"),
    ],
)
def test_strings_by_what_the_parameter_is_called(text: str, parameter: str, expected: str) -> None:
    assert one(text, **{parameter: "STRING"}) == {parameter: expected}


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("location", "London"),
        ("date", "today"),
        ("time", "12:00"),
        ("unit", "celsius"),
        ("name", "Ada"),
        ("email", "user@example.com"),
        ("currency", "EUR"),
        ("flavour", "default"),
    ],
)
def test_what_is_required_but_not_said_is_made_up(parameter: str, expected: str) -> None:
    assert one("do it", **{parameter: "string"}) == {parameter: expected}
    assert one("do it", **{f"{parameter}_": "string"}) == {}


@pytest.mark.parametrize(
    ("text", "parameter", "schema", "expected"),
    [
        ("set it to 21 degrees", "temperature", "number", 21),
        ("set it to 21.5 degrees", "temperature", "number", 21.5),
        ("set it to twenty-one degrees", "temperature", "integer", 21),
        ("set a timer for 5 minutes", "duration_seconds", "integer", 300),
        ("set a timer for two hours", "minutes", "number", 120),
        ("set it to 400", "level", {"type": "integer", "maximum": 100}, 100),
        ("set it", "level", {"type": "integer"}, 50),
        ("set it", "level", {"type": "integer", "minimum": 3}, 3),
        ("set it", "level", {"type": "integer", "default": 7}, 7),
        ("set it", "level", {"type": "integer", "default": "seven"}, 50),
        ("add 2 and 3", "numbers", {"type": "array", "items": {"type": "integer"}}, [2, 3]),
        ("invite Bob and Eve", "people", {"type": "array"}, ["Bob", "Eve"]),
        ("switch it on", "on", "boolean", True),
        ("switch it off", "on", "boolean", False),
        ("make it warm", "colour", {"type": "string", "enum": ["cool", "warm"]}, "warm"),
        ("make it nice", "colour", {"type": "string", "enum": ["cool", "warm"]}, "cool"),
        ("the living room", "room", {"enum": ["LIVING_ROOM", "KITCHEN"]}, "LIVING_ROOM"),
    ],
)
def test_other_types(text: str, parameter: str, schema: Any, expected: Any) -> None:
    found = one(text, **{parameter: schema})[parameter]
    assert found == expected
    assert type(found) is type(expected)


def test_numbers_go_where_their_neighbours_say() -> None:
    text = "a table for 4 people, 2 children and 15 minutes late"
    found = one(text, minutes="integer", children="integer", people="integer")
    assert found == {"minutes": 15, "children": 2, "people": 4}


def test_optional_parameters_are_left_out_unless_said() -> None:
    unit = {"type": "string", "enum": ["celsius", "fahrenheit"]}
    types = {"city": "string", "unit_": unit, "days_": "integer", "note_": "string"}
    assert one("weather in Rome", **types) == {"city": "Rome"}
    said = one("weather in Rome in fahrenheit for 3 days", **types)
    assert said == {"city": "Rome", "unit": "fahrenheit", "days": 3}


def test_a_list_of_names_makes_a_call_each() -> None:
    text = "weather of Rome, New York and Oslo in kelvin"
    found = arguments(function(city="string", unit="string"), text)
    assert [args["city"] for args in found] == ["Rome", "New York", "Oslo"]
    assert {args["unit"] for args in found} == {"kelvin"}
    rooms = {"type": "string", "enum": ["kitchen", "bedroom", "hall"]}
    found = arguments(function(room=rooms), "lights in the kitchen and the hall")
    assert found == [{"room": "kitchen"}, {"room": "hall"}]


def test_there_is_an_end_to_calls() -> None:
    text = ", ".join(f"to A{chr(97 + i)}{chr(97 + i)}" for i in range(20))
    assert len(arguments(function(city="string"), text)) == MOST_CALLS


def test_what_is_known_holds_where_nothing_is_said() -> None:
    declared = function(city="string", unit="string")
    known = {"city": "Rome", "unit": "kelvin"}
    assert arguments(declared, "And in Oslo?", known) == [{"city": "Oslo", "unit": "kelvin"}]


def test_from_and_to() -> None:
    types = {"amount": "number", "from_currency": "string", "to_currency": "string"}
    found = one("Convert 100 USD to EUR", **types)
    assert found == {"amount": 100, "from_currency": "USD", "to_currency": "EUR"}


def test_objects_hold_what_is_required_of_them() -> None:
    place = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "zip": {"type": "string"}},
        "required": ["city"],
    }
    assert one("weather in Rome", place=place) == {"place": {"city": "Rome"}}


@pytest.mark.parametrize(
    "schema",
    [None, {}, {"properties": None}, {"type": "OBJECT", "required": None}, {"properties": []}],
)
def test_without_parameters_there_is_nothing_to_say(schema: Any) -> None:
    assert arguments(Function("f", parameters=schema), "do it in Rome") == [{}]


SCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["STRING", "integer", "Number", "BOOLEAN", "array", "odd"])
            | st.just(["null", "string"]),
            "minimum": st.integers(-5, 5) | st.just(1e308),
            "maximum": st.integers(5, 9),
            "minItems": st.integers(0, 3),
            "default": st.none() | st.integers(),
        },
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.dictionaries(st.sampled_from(["city", "n", "to"]), inner),
                "required": st.lists(st.sampled_from(["city", "n", "to", "date"])),
            }
        ),
        st.fixed_dictionaries({"anyOf": st.lists(inner, max_size=2)}),
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(["city", "query", "on", "count", "x"]), SCHEMAS),
    st.text(max_size=50) | st.sampled_from(["from Rome to Oslo at 5", "off 3 and 4.5"]),
    st.booleans(),
)
def test_any_schema_gets_what_it_requires(
    properties: dict[str, Any], text: str, required: bool
) -> None:
    schema = {"properties": properties, "required": list(properties) if required else []}
    for args in arguments(Function("f", parameters=schema), text):
        assert args.keys() <= properties.keys()
        assert not required or args.keys() == properties.keys()
        for name, value in args.items():
            declared = properties[name].get("type")
            if isinstance(declared, str) and declared.lower() in PYTHON:
                assert isinstance(value, PYTHON[declared.lower()])
