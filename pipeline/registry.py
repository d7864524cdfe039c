"""Finding the class behind `use:`.

    use: resampler                  an entry point of the group `pipeline.processors`
    use: ./my_gate.py:MyGate        a class in a file beside the configuration
    use: package.module:Class       a class in an installed module

The built-in processors are entry points like anybody's.
"""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import SettingError, did_you_mean
from pipeline.processor import Processor
from pipeline.settings import load_code, load_installed

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "pipeline.processors"


@cache
def installed() -> dict[str, EntryPoint]:
    """The processors that installed packages bring, by name."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP)}


def find_processor(use: str, base: Path) -> type[Processor]:
    """The class that `use` names; `base` is the folder that relative files start from.

    Raises SettingError with a suggestion where there is one.
    """
    if ":" in use:
        where, _, name = use.rpartition(":")
        found = load_code(f"{base / where}:{name}" if where.endswith(".py") else use)
    elif use in installed():
        found = load_installed(installed()[use].value)
    elif use.endswith(".py"):
        raise SettingError(f"{use} is a file, not a class", hint=f"name one in it: {use}:Class")
    else:
        hint = did_you_mean(use, installed()) or "is the package installed?"
        raise SettingError(f'no processor "{use}"', hint=hint)
    if not (inspect.isclass(found) and issubclass(found, Processor)):
        raise SettingError(
            f"{use} is not a processor class", hint="derive it from one of the roles"
        )
    if inspect.isabstract(found):
        methods = ", ".join(f"`{name}`" for name in sorted(found.__abstractmethods__))
        raise SettingError(f"{use} does not define {methods}")
    return found
