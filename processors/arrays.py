"""numpy, imported when something of it is first used: looking at a configuration takes none of it.

Modules that processors are declared in say `from processors.arrays import np`. A check of a
configuration takes two thirds of the time so; after the first use `np` is as fast as ever.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["np"]


class _Deferred(ModuleType):
    """Stands for the module of its name, and becomes like it when it is first asked for a name."""

    def __getattr__(self, name: str) -> Any:
        module = import_module(self.__name__)
        vars(self).update(vars(module))
        return getattr(module, name)


if TYPE_CHECKING:
    import numpy as np
else:
    np = _Deferred("numpy")
