"""Modules that are imported when something of them is first used, or when a run begins.

A check of a configuration imports what processors are declared in, and none of what they compute
with; a run imports it before its clock starts, so that no first frame waits for it.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any


class _Deferred(ModuleType):
    """Stands for the module of its name, and becomes like it when it is first asked for a name."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_load(self), name)


def _load(stand_in: _Deferred) -> ModuleType:
    module = import_module(stand_in.__name__)
    vars(stand_in).update(vars(module))
    return module


_waiting: list[_Deferred] = []


def deferred(name: str) -> Any:
    """What stands for a module until it is needed; after that it is as fast as the module."""
    _waiting.append(_Deferred(name))
    return _waiting[-1]


def is_anything_deferred() -> bool:
    """Whether `load_deferred` has anything to do."""
    return bool(_waiting)


def load_deferred() -> None:
    """Import what waits to be needed."""
    while _waiting:
        _load(_waiting.pop())
