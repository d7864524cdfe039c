"""The conventions of the wire: JSON in proto3 form.

Names are lowerCamelCase, bytes base64, an int64 is a string, a duration a string such as `"50s"`,
enumerations are upper-case names; fields at their default are left out, so that the presence of an
empty object says something. Readers take every integer as a number and as a string.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

LONGEST_DURATION = 315_576_000_000
"""Seconds, about 10,000 years: the bound of google.protobuf.Duration, in both directions."""
_DURATION = re.compile(r"(-?[0-9]{1,12}(?:\.[0-9]{1,9})?)s")


class Wire(Struct, rename="camel", omit_defaults=True, kw_only=True, gc=False):
    """Base of all wire structures. They are trees: the garbage collector need not look at them."""


class Int64String(int):
    """An int that `encode` writes as the proto3 form of JSON wants an int64: as a string."""


def _as_string(value: Any) -> str:
    if isinstance(value, Int64String):
        return int.__repr__(value)
    raise TypeError(f"{type(value).__name__} is no type of the wire")


_encoder = msgspec.json.Encoder(enc_hook=_as_string)


def encode(message: Wire) -> bytes:
    """A message as compact UTF-8 JSON."""
    return _encoder.encode(message)


def parse_duration(text: str) -> float | None:
    """Seconds of a duration such as `"50s"` or `"9.500s"`; None for what is none."""
    found = _DURATION.fullmatch(text)
    seconds = float(found[1]) if found else math.inf
    return seconds if abs(seconds) <= LONGEST_DURATION else None


def format_duration(seconds: float) -> str:
    """Seconds as a duration: with 0, 3, 6 or 9 decimals, to the nanosecond, as protobuf writes it.

    Raises ValueError outside of +-LONGEST_DURATION.
    """
    if not abs(seconds) <= LONGEST_DURATION:  # NaN, too
        raise ValueError(f"no duration: {seconds} s")
    whole, fraction = f"{seconds:.9f}".split(".")
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    text = f"{whole}.{fraction}" if fraction else whole
    return "0s" if text == "-0" else f"{text}s"
