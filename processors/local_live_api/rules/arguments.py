"""Arguments for a function, taken from the words of a request.

What a request does not say is left out, or, where it is required, made up: the schema's `default`
or first `enum` value if it has one; otherwise by the parameter's name: London for a place, today
for a date, 12:00 for a time, celsius for a unit, Ada for a person, user@example.com, +15550100,
https://example.com, en for a language, EUR for a currency, 1 for an identifier, the request's
words for a query or a message, and "default" for the rest. Numbers are the minimum if there is
one, else 20 for temperatures, 50 for levels and percentages, 10 for durations, and 1; a boolean is
true unless the request says off, no or not; lists and objects hold what is required of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from processors.local_live_api.rules.abilities import Function
from processors.local_live_api.rules.kinds import (
    DEFAULTS,
    NAMED,
    PATTERNS,
    PLACE,
    SPOT,
    TIME,
    kind_of,
)
from processors.local_live_api.rules.schemas import Parameter, parameter, parameters
from processors.local_live_api.rules.vocabulary import STOP_WORDS
from processors.local_live_api.rules.wording import (
    Name,
    Number,
    name_words,
    names,
    numbers,
    quoted,
    shortened,
    stem,
    words,
)

MOST_CALLS = 8
DEEPEST = 6

_MESSAGE = re.compile(
    r"(?:\bsaying|\bsay|\bthat|\babout|\bto tell \w+|:)\s+(.+)", re.IGNORECASE | re.DOTALL
)
_ASKING = re.compile(
    r"^(?:please |can you |could you |would you )*(?:(?:search|look|google)(?: the web)?"
    r"(?: for| up)?|find(?: out)?|tell me(?: about)?|(?:use|with) google search to)\s+",
    re.IGNORECASE,
)
_SECONDS = {"second": 1, "sec": 1, "minut": 60, "min": 60, "hour": 3600, "day": 86400}
_NO = {"off", "no", "not", "false", "disable", "disabled", "without", "never", "deactivate"}

_NUMBERS = {"temperature": 20, "degree": 20} | dict.fromkeys(
    ("brightness", "volume", "level", "percent", "percentage"), 50
)
_NUMBERS |= dict.fromkeys(("duration", "minute", "second", "hour", "timeout"), 10)
_PYTHON: dict[str, Any] = {
    "string": str,
    "number": int | float,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
}
_BEFORE_PERSONS = ("to", "with", "for", "from", "call", "by", "invite", "email", "message")
_DIRECTIONS = {
    **dict.fromkeys(("from", "origin", "departure", "source"), ("from",)),
    **dict.fromkeys(("to", "destination", "arrival", "target", "recipient"), ("to", "for")),
}


class _Clues(Struct):
    """What a request offers; names, numbers and quotations are used up."""

    text: str
    names: list[Name]
    numbers: list[Number]
    quoted: list[str]
    several: bool
    """Whether one parameter may take all the names."""


def arguments(
    function: Function, text: str, known: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The arguments of each call that a request asks for: one call per name that it lists.

    They hold every required parameter, in its declared type. known: what holds where the request
    says nothing.
    """
    own = set(name_words(function.name))
    found = [name for name in names(text) if name.text.lower() not in own]
    given = parameters(function.parameters)
    open_ones = [item for item in given if item.type == "string" and _takes_names(item)]
    required = [item for item in open_ones if item.required]
    several = len(required or open_ones) == 1
    clues = _Clues(text, found, numbers(text), quoted(text), several)
    base: dict[str, Any] = {}
    spread: tuple[str, list[Any]] | None = None
    for item in sorted(given, key=lambda item: not item.required):
        values = _found(item, clues, 0)
        if not values and known and item.name in known:
            values = [known[item.name]]
        if not values and item.required:
            values = [_made_up(item, text, 0)]
        if values:
            base[item.name] = values[0]
        if len(values) > 1 and item.type == "string" and spread is None:
            spread = item.name, values[:MOST_CALLS]
    ordered = {item.name: base[item.name] for item in given if item.name in base}
    if spread is None:
        return [ordered]
    name, values = spread
    return [ordered | {name: value} for value in dict.fromkeys(values)]


def _takes_names(item: Parameter) -> bool:
    return not item.enum and kind_of(item) in {"place", "person", "symbol", ""}


def _found(item: Parameter, clues: _Clues, depth: int) -> list[Any]:
    """Values that the request holds for a parameter, best first."""
    if item.enum:
        return _mentioned(item, clues.text)
    found: dict[str, Callable[[Parameter, _Clues], list[Any]]] = {
        "string": _strings,
        "integer": _numbers,
        "number": _numbers,
        "boolean": _booleans,
    }
    if item.type in found:
        return found[item.type](item, clues)
    if item.type == "array" and depth < DEEPEST:
        inner = parameter(item.name, item.schema.get("items"), required=item.required)
        if inner.type in {"number", "integer"} and not inner.enum:
            taken: list[Any] = [_limited(inner, number.value) for number in clues.numbers[:100]]
            clues.numbers = []
        else:
            several, clues.several = clues.several, True
            taken = _found(inner, clues, depth + 1)
            clues.several = several
        return [taken] if taken else []
    if item.type == "object" and depth < DEEPEST and item.required:
        inside: dict[str, Any] = {}
        for part in parameters(item.schema):
            values = _found(part, clues, depth + 1)
            if values or part.required:
                inside[part.name] = values[0] if values else _made_up(part, clues.text, depth + 1)
        return [inside]
    return []


def _mentioned(item: Parameter, text: str) -> list[Any]:
    """The enum values whose words all occur, in the order of the text."""
    said = [stem(word) for word in words(text)]
    found = []
    for value in item.enum[:200]:
        stems = [stem(word) for word in name_words(str(value))]
        if stems and all(word in said for word in stems):
            found.append((said.index(stems[0]), -len(stems), value))
    found.sort(key=lambda match: match[:2])
    return [value for _, _, value in found]


def _strings(item: Parameter, clues: _Clues) -> list[Any]:
    kind = kind_of(item)
    if clues.quoted and (item.required or kind in {"query", "person"}) and kind not in PATTERNS:
        return [clues.quoted.pop(0)]
    if kind == "time":
        match = TIME.search(clues.text)
        return [match[1] or match[2]] if match else []
    if kind in PATTERNS and (said := [m[0] for m in PATTERNS[kind].finditer(clues.text)]):
        if kind == "symbol" and clues.several:
            return said
        return [said[-1] if "to" in name_words(item.name) else said[0]]
    if kind == "spot":
        match = SPOT.search(clues.text)
        return [(match[1] or match[2]).lower()] if match else []
    if kind == "query":
        return [_query(clues.text)] if item.required else []
    if kind in NAMED or (not kind and item.required):
        return _taken_names(item, kind, clues)
    return []


def _taken_names(item: Parameter, kind: str, clues: _Clues) -> list[Any]:
    """Names for a parameter: those after the prepositions that fit it, else all."""
    telling = [_DIRECTIONS[word] for word in name_words(item.name) if word in _DIRECTIONS]
    wanted = telling[0] if telling else {"in", "at", "near", "around"} if kind == "place" else ()
    if kind == "person":
        wanted = _BEFORE_PERSONS
    if "to" in wanted and (match := PATTERNS["email"].search(clues.text)):
        return [match[0]]
    fitting = [name for name in clues.names if name.after in wanted]
    if not fitting and (item.required or not telling):
        fitting = list(clues.names)
    if fitting:
        taken = fitting if clues.several else fitting[:1]
        clues.names = [name for name in clues.names if name not in taken]
        return [name.text for name in taken]
    if kind == "place" and (match := PLACE.search(clues.text)):
        places = re.split(r"(?:, )?\band\b|,", match[1])
        found = [place.strip() for place in places if place.strip()]
        return [place for place in found if place.lower() not in STOP_WORDS]
    return []


def _numbers(item: Parameter, clues: _Clues) -> list[Any]:
    """One number: that whose neighbours are in the parameter's name, else the next one."""
    if not clues.numbers:
        return []
    own = {stem(word) for word in name_words(item.name)}
    units = {number: _unit(clues.text[number.end : number.end + 12]) for number in clues.numbers}

    def fits(number: Number) -> bool:
        around = clues.text[max(0, number.start - 24) : number.end + 16]
        return bool(own & set(map(stem, words(around)))) or (
            units[number] is not None and bool(own & {*_SECONDS, "duration"})
        )

    fitting = [number for number in clues.numbers if fits(number)]
    if not fitting and not item.required and own & {"id", "limit", "max", "offset", "page"}:
        return []
    chosen = (fitting or clues.numbers)[0]
    clues.numbers.remove(chosen)
    value, unit = chosen.value, units[chosen]
    wanted = next((_SECONDS[word] for word in own if word in _SECONDS), None)
    if unit and wanted:
        value = value * unit / wanted
    return [_limited(item, value)]


def _unit(text: str) -> int | None:
    after = words(text)
    return _SECONDS.get(stem(after[0])) if after else None


def _booleans(item: Parameter, clues: _Clues) -> list[Any]:
    said = words(clues.text)
    own = {stem(word) for word in name_words(item.name)}
    if _NO & set(said):
        return [False] if item.required else []
    return [True] if "on" in said or own & set(map(stem, said)) else []


def _query(text: str) -> str:
    """What a search or a message is about: the words after "saying", or all but the asking."""
    match = _MESSAGE.search(text)
    return shortened(_ASKING.sub("", match[1] if match else text).rstrip(" ?.!"), 300)


def _limited(item: Parameter, value: float) -> int | float:
    low, high = _bound(item, "minimum"), _bound(item, "maximum")
    value = value if low is None else max(value, low)
    value = value if high is None else min(value, high)
    return int(value) if item.type == "integer" or value == int(value) else value


def _bound(item: Parameter, name: str) -> float | None:
    bound = item.schema.get(name)
    return bound if isinstance(bound, int | float) and math.isfinite(bound) else None


def _made_up(item: Parameter, text: str, depth: int) -> Any:
    """A plausible value; see the module."""
    if isinstance(default := item.schema.get("default"), _PYTHON[item.type]):
        return default
    if item.enum:
        return item.enum[0]
    if item.type == "boolean":
        return not _NO & set(words(text))
    if item.type in {"number", "integer"}:
        own = (_NUMBERS.get(word) or _NUMBERS.get(word[:-1]) for word in name_words(item.name))
        low = _bound(item, "minimum")
        plausible = next((value for value in own if value), 1)
        return _limited(item, plausible if low is None else low)
    if item.type == "object":
        inner = parameters(item.schema) if depth < DEEPEST else []
        return {part.name: _made_up(part, text, depth + 1) for part in inner if part.required}
    if item.type == "array":
        least = item.schema.get("minItems", item.schema.get("min_items"))
        count = least if isinstance(least, int) and 0 <= least <= 10 and depth < DEEPEST else 0
        inside = parameter(item.name, item.schema.get("items"), required=True)
        return [_made_up(inside, text, depth + 1) for _ in range(count)]
    return DEFAULTS.get(kind_of(item)) or "default"
