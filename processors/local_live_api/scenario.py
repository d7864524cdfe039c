"""Scenarios: what the local Live API hears and does, turn by turn.

turns:
  - expect: speech                      # or `text`
    then:
      - transcript: What time is it in Lisbon?
      - call: {name: get_time, args: {city: Lisbon}}
      - say: It is {get_time} in Lisbon.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from pipeline import SettingError


class Call(Struct, frozen=True, forbid_unknown_fields=True):
    """A function to call; the scenario goes on when it has been answered."""

    name: str
    args: dict[str, Any] = {}


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that happens.

    transcript: what the user is taken to have said. call: a function call. say: the answer, in
    which `{name}` stands for the output of the function, and `{name[key]}` for a part of it.
    wait_ms: a pause in milliseconds.
    """

    transcript: str | None = None
    call: Call | None = None
    say: str | None = None
    wait_ms: Annotated[int, Meta(ge=0)] | None = None

    def __post_init__(self) -> None:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a step has one of {', '.join(self.__struct_fields__)}")


class Turn(Struct, frozen=True, forbid_unknown_fields=True):
    """What starts a turn and what happens in it."""

    then: list[Step]
    expect: Literal["speech", "text"] = "speech"


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole conversation."""

    turns: list[Turn]


def load_scenario(path: str | Path) -> Scenario:
    """A scenario from a YAML file. Raises SettingError with what is wrong."""
    try:
        return msgspec.yaml.decode(Path(path).read_bytes(), type=Scenario)
    except OSError as error:
        raise SettingError(f"cannot read {path}: {error.strerror}", setting="scenario") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        what = " ".join(str(error).replace("`", "").split())
        raise SettingError(f"{path} is not a scenario: {what}", setting="scenario") from None
