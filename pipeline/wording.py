"""Values that do not fit, in words: what was expected, and what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

UNITS = {"ms": "ms", "s": "s", "hz": "Hz", "rate": "Hz", "db": "dB"}
"""By the last word of a setting's name."""

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "names with values",
    "null": "nothing",
}
_TYPES = re.compile(r"(?<=expected )\w+(?: \| \w+)*|(?<=, got )(?:array|object|null)\b")
_QUANTITY = re.compile(r"(?P<number>[-+]?\d+(?:[._]\d+)*)\s*(?P<unit>[a-zA-Z%]*)")
_FACTORS: dict[str, dict[str, float]] = {
    "Hz": {"": 1, "hz": 1, "k": 1000, "khz": 1000},
    "ms": {"": 1, "ms": 1, "s": 1000, "sec": 1000, "min": 60_000},
    "s": {"": 1, "s": 1, "sec": 1, "ms": 0.001, "m": 60, "min": 60, "h": 3600},
    "dB": {"": 1, "db": 1},
    "": {"": 1, "%": 0.01, "k": 1000},
}
"""What a text with a unit is in the unit of the setting."""
_SCALES = {"Hz": 1000, "ms": 1000, "s": 0.001}
"""What was forgotten where a number is too small, or too large, for the unit."""


def in_words(message: str) -> str:
    """`expected int | null, got array` as `expected a whole number, got a list`."""
    return _TYPES.sub(lambda found: _kinds(found[0]), message)


def _kinds(text: str) -> str:
    kinds = [kind for kind in text.split(" | ") if kind != "null"] or ["null"]
    if not _WORDS.keys() >= set(kinds):
        return text
    return " or ".join(_WORDS[kind] for kind in kinds)


def shown(value: str | int | float | bool) -> str:
    """A value as it is in YAML, a text in quotation marks."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def advice(name: str, value: Any, fits: Callable[[Any], bool]) -> str:
    """What to write instead of a value; empty where nobody can know.

    name: of the setting, for its unit. fits: whether the setting could have another value.
    """
    if isinstance(value, bool):
        if fits("word"):
            return "yes, no, on and off are true and false in YAML: put a word in quotation marks"
        return ""
    if not isinstance(value, str | int | float):
        return ""
    if fits([value]):
        return "write a list: [...]"
    unit = UNITS.get(name.rpartition("_")[2], "")
    if isinstance(value, str):
        meant = next(filter(fits, _read(value, unit)), None)
        if meant is None:
            return ""
        return f"write {meant}" + (f", in {unit}" if unit else ", without quotation marks")
    if unit in _SCALES and fits(scaled := _whole(value * _SCALES[unit])):
        return f"it is in {unit}: did you mean {scaled}?"
    return ""


def _read(text: str, unit: str) -> Iterator[int | float]:
    """The number that a text such as `16k` is in a unit."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or len(text) > 20 or found["number"].count(".") > 1:
        return
    factor = _FACTORS[unit].get(found["unit"].lower())
    if factor is not None:
        yield _whole(float(found["number"]) * factor)


def _whole(number: float) -> int | float:
    rounded = round(number, 6)
    return int(rounded) if rounded == int(rounded) else rounded
