"""Files that processors write."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline import SettingError


def check_writable(path: Path) -> None:
    """Raise SettingError unless a file can be made, or replaced, at `path`; changes nothing."""
    if path.is_dir():
        raise SettingError(f"{path} is a folder", setting="path")
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise SettingError(f"cannot write {path}: {folder} is not a folder", setting="path")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise SettingError(f"cannot write {path}: permission denied", setting="path")
