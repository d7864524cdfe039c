"""The lock file has everything that developers need, whole and from nowhere in particular."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements-dev.lock").read_text()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(extra: str, extras: dict[str, list[str]]) -> set[str]:
    """The packages of an extra, those of the extras that it names included."""
    names = set()
    for requirement in extras[extra]:
        found = re.match(r"([\w.-]+)(?:\[([\w,]+)\])?", requirement)
        assert found is not None
        if found[1] == "live-pipeline":
            names |= {name for part in found[2].split(",") for name in needed(part, extras)}
        else:
            names.add(normal(found[1]))
    return names


def test_every_package_is_there_with_its_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    entries = dict(re.findall(r"(?m)^([\w.-]+)==(\S+(?:.*\\\n)(?:    --hash.*\n?)+)", LOCK))
    locked = {normal(name) for name in entries}
    extras = {**project["optional-dependencies"], "core": project["dependencies"]}
    assert needed("core", extras) | needed("dev", extras) <= locked
    pinned = re.findall(r"(?m)^[\w.-]+==", LOCK)
    assert len(pinned) == len(re.findall(r"(?m)^[\w.-]+==[^\n]*\\\n    --hash=sha256:", LOCK))


def test_it_names_no_place_to_get_them_from() -> None:
    assert "://" not in LOCK
    assert re.search(r"(?m)^-", LOCK) is None
