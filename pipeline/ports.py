"""What a processor takes and gives, read from the annotations of the method it implements."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, NamedTuple, get_args, get_origin

from pipeline.errors import SettingError
from pipeline.frames import Frame, Interruption

FrameTypes = tuple[type[Frame], ...]

RESULT = "return"


class Ports(NamedTuple):
    """Frame types on both sides of a processor; a base class stands for all its subclasses."""

    takes: FrameTypes
    gives: FrameTypes


def overlap(given: FrameTypes, accepted: FrameTypes) -> FrameTypes:
    """The given types that can be something accepted."""
    return tuple(
        kind for kind in given if any(issubclass(kind, a) or issubclass(a, kind) for a in accepted)
    )


def read_ports(
    method: Callable[..., Any], *, takes: int | None = None, gives: int | str | None = None
) -> Ports:
    """The ports of a processor's method.

    takes, gives: the position (from 0, `self` not counted) of the parameter that holds what is
    taken or given; `RESULT` for what the method returns; None for nothing.
    Raises SettingError when an annotation is missing or is not about frames.
    """
    where = method.__qualname__
    hints = read_hints(method)
    parameters = list(inspect.signature(method).parameters)[1:]

    def types_at(port: int | str | None) -> FrameTypes:
        if port is None:
            return ()
        if isinstance(port, int):
            if port >= len(parameters):
                raise SettingError(f"{where}: it needs {port + 1} parameters besides `self`")
            port = parameters[port]
        if port not in hints:
            what = "what it returns" if port == RESULT else f"`{port}`"
            raise SettingError(f"{where}: annotate {what} with frame types")
        return _frame_types(hints[port], where)

    taken, given = types_at(takes), types_at(gives)
    return Ports(taken, tuple(kind for kind in given if kind is not Interruption))


def read_hints(function: Callable[..., Any] | type) -> dict[str, Any]:
    """The annotations of a function, resolved. Raises SettingError where they cannot be."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise SettingError(
            f"{function.__qualname__}: its annotations use {error.name!r}, which its module does "
            "not define when it runs",
            hint="import it outside `if TYPE_CHECKING:`",
        ) from None
    except Exception as error:
        raise SettingError(
            f"{function.__qualname__}: its annotations cannot be read: {error}"
        ) from None


def _frame_types(hint: Any, where: str) -> FrameTypes:
    """`AudioFrame | Transcript`, `Iterator[AudioFrame]`, `Inbox[ToolCall]`, `None` as types."""
    if hint is types.NoneType:
        return ()
    if isinstance(hint, type) and issubclass(hint, Frame):
        return (hint,)
    arguments = get_args(hint)
    if get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(kind for part in arguments for kind in _frame_types(part, where))
    if arguments:
        return _frame_types(arguments[0], where)
    raise SettingError(f"{where}: {hint!r} in its annotations is not a frame type")
