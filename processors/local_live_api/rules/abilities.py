"""What the simulated model may do in a session, in plain Python values."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Function(Struct, frozen=True):
    """A declared function.

    parameters: the JSON Schema of its arguments, type names in upper or lower case.
    blocking: whether the model waits for the answer.
    """

    name: str
    description: str = ""
    parameters: dict[str, Any] | None = None
    blocking: bool = True


class Abilities(Struct, frozen=True):
    """What a setup message grants and asks for.

    functions: those declared. search, code: whether the tools are there. thoughts: whether the
    client wants to see them. instruction: the system instruction. language: a BCP-47 code.
    """

    functions: tuple[Function, ...] = ()
    search: bool = False
    code: bool = False
    thoughts: bool = False
    instruction: str = ""
    language: str | None = None
