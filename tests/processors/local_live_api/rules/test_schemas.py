"""Parameters of schemas as they come."""

from typing import Any

import pytest

from processors.local_live_api.rules.schemas import parameter, parameters


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "INTEGER"}, "integer"),
        ({"type": ["null", "number"]}, "number"),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, "boolean"),
        ({"properties": {}}, "object"),
        ({"type": "date"}, "string"),
        ({"type": 5}, "string"),
        ({}, "string"),
        (None, "string"),
    ],
)
def test_types(schema: Any, expected: str) -> None:
    assert parameter("p", schema, required=False).type == expected


def test_values() -> None:
    assert parameter("p", {"enum": ["a", "b"]}, required=False).enum == ("a", "b")
    assert parameter("p", {"const": 3}, required=False).enum == (3,)
    assert parameter("p", {"enum": None, "description": None}, required=False).description == ""


def test_required_ones_need_not_be_declared() -> None:
    found = parameters({"properties": {"a": {"type": "number"}}, "required": ["b", 3]})
    assert [(item.name, item.type, item.required) for item in found] == [
        ("a", "number", False),
        ("b", "string", True),
    ]


@pytest.mark.parametrize("schema", [None, [], {"properties": "a"}, {"required": "ab"}])
def test_what_is_no_schema_has_none(schema: Any) -> None:
    assert parameters(schema) == []
