"""`pipeline doctor`: what is on this machine, what is missing, and what to do about it.

Packages of processors add checks of their own by an entry point of the group `pipeline.doctor`: a
callable that takes whether to go online, and gives for each check its name, whether all is well
(None: it is not there, or not known, and only some configurations need it), a detail, and a remedy.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.text import Text

from pipeline.cli.status import FAILED

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "pipeline.doctor"
DISTRIBUTION = "live-pipeline"
OLDEST_PYTHON = (3, 11)
MARKS = {True: ("ok", "green"), None: ("-", "dim"), False: ("FAIL", "bold red")}


class Check(NamedTuple):
    """One line. ok: None if it is not there, or not known, and only some need it."""

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""


def doctor(*, online: bool) -> int:
    """Print a line for each check; the exit status: 1 if something that is needed is missing."""
    checks = [*check_python(), *check_packages(), *check_contributed(_contributors(), online)]
    width = max(len(check.name) for check in checks)
    console = Console(highlight=False)
    for name, ok, detail, remedy in checks:
        mark, style = MARKS[ok]
        line = Text.assemble((f"{mark:4}", style), f"  {name:{width}}  {detail}")
        if remedy and ok is not True:
            line.append(f"; {remedy}", "bold" if ok is False else "dim")
        console.print(line, soft_wrap=True)
    return FAILED if any(check.ok is False for check in checks) else 0


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Iterator[Check]:
    """The interpreter."""
    text = ".".join(map(str, version))
    wanted = ".".join(map(str, OLDEST_PYTHON))
    detail = f"{platform.python_implementation()} {text} on {platform.system()}"
    yield Check("Python", version >= OLDEST_PYTHON, detail, f"install Python {wanted} or newer")


def check_packages() -> Iterator[Check]:
    """What the package needs, and the packages of its extras."""
    try:
        here = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        yield Check(DISTRIBUTION, False, "not installed", f"pip install {DISTRIBUTION}")
        return
    yield Check(DISTRIBUTION, True, here.version)
    yield from check_requirements(here.requires or [])


def check_requirements(requirements: Iterable[str]) -> Iterator[Check]:
    """Requirements as metadata has them: those without an extra are needed, in one line if they
    are all there; a line for each extra. What only some systems need may be missing."""
    extras: dict[str, list[str]] = {}
    for requirement in requirements:
        needed, _, marker = requirement.partition(";")
        named = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        if marker and not named and not _installed(needed)[0]:
            continue
        extras.setdefault(named[1] if named else "", []).append(needed.strip())
    found = {extra: list(map(_installed, needed)) for extra, needed in extras.items()}
    good = [detail for ok, detail in found.get("", []) if ok]
    if good:
        yield Check("packages", True, ", ".join(good))
    for needed, (ok, detail) in zip(extras.get("", []), found.get("", []), strict=True):
        if not ok:
            yield Check("packages", False, detail, f"pip install '{needed}'")
    for extra in sorted(extras.keys() - {""}):
        ok = all(ok for ok, _ in found[extra])
        detail = ", ".join(detail for there, detail in found[extra] if there == ok)
        remedy = f"if you want it: pip install '{DISTRIBUTION}[{extra}]'"
        yield Check(f"extra {extra}", ok or None, detail, remedy)


def check_contributed(entries: Iterable[EntryPoint], online: bool) -> Iterator[Check]:
    """What other packages check. One that fails is a failed check, and spoils no other."""
    for entry in entries:
        try:
            checks = [Check(*found) for found in entry.load()(online)]
        except Exception as error:
            detail = f"{entry.value} cannot be used: {type(error).__name__}: {error}"
            checks = [Check(entry.name, False, detail, "install its package anew, or remove it")]
        yield from checks


def _contributors() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda entry: entry.name)


def _installed(requirement: str) -> tuple[bool, str]:
    """Whether a requirement such as `anyio>=4.9` is met, and name and version of what there is."""
    name = re.split(r"[^\w.-]", requirement)[0]
    bound = re.search(r">=\s*([\d.]+)", requirement)
    try:
        version = distribution(name).version
    except PackageNotFoundError:
        return False, f"{name} is not installed"
    if bound and _numbers(version) < _numbers(bound[1]):
        return False, f"{name} {version} is older than {bound[1]}"
    return True, f"{name} {version}"


def _numbers(version: str) -> tuple[int, ...]:
    """`1.2.3rc1` as 1, 2, 3; without zeros at the end, so that 1.0 is 1."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(number) for number in release[0].split(".")] if release else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
