"""Files that are not there: what to say of them."""

from __future__ import annotations

import difflib
from pathlib import Path

from pipeline.errors import SettingError

MOST = 1000
"""Names in a folder that are looked at."""
LEAST = 0.6
"""What two names must have in common without their suffixes."""


def no_file(path: str | Path, setting: str) -> SettingError:
    """The error for a setting that names what is no file, with the one that was probably meant."""
    if Path(path).is_dir():
        return SettingError(f"{path} is a folder", setting=setting, hint="name a file in it")
    return SettingError(f"there is no file {path}", setting=setting, hint=nearest_file(path))


def nearest_file(path: str | Path) -> str:
    """`did you mean "..."?` for a file beside one that is not there; empty if none is near."""
    path = Path(path)
    try:
        names = [entry.name for entry, _ in zip(path.parent.iterdir(), range(MOST), strict=False)]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, sorted(names), cutoff=0.75)
    alike = [name for name in near if _share(path.stem, Path(name).stem) >= LEAST]
    return f'did you mean "{path.with_name(alike[0])}"?' if alike else ""


def _share(one: str, other: str) -> float:
    """How much of two names is the same: the suffix says nothing."""
    return difflib.SequenceMatcher(None, one, other).ratio()
