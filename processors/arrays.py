"""numpy, for modules that processors are declared in: `from processors.arrays import np`.

It is imported when a run begins, or when something of it is used before: looking at a configuration
takes none of it, and two thirds of the time so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import deferred

__all__ = ["np"]

if TYPE_CHECKING:
    import numpy as np
else:
    np = deferred("numpy")
