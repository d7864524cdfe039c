"""Files of environment variables, one `NAME=value` to a line.

    # a comment
    GEMINI_API_KEY=abc          # behind a space, too
    export GREETING="two words\\nand a line"
    PATTERN='as it stands: $5 # \\n'

Nothing is put in for `$NAME`. No message repeats a value, which may be a secret.
"""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.config.typed import read_text
from pipeline.errors import ConfigError, Finding, Place

_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(?P<name>[^\s=#]*)\s*(?P<sign>=?)[ \t]*(?P<value>.*)")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_QUOTED = re.compile(r"""(?:"(?P<text>(?:[^"\\]|\\.)*)"|'(?P<raw>[^']*)')\s*(?:#.*)?""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def read_env(path: str | Path) -> dict[str, str]:
    """The variables of a file. Raises ConfigError with every line that is wrong."""
    variables: dict[str, str] = {}
    findings: list[Finding] = []
    for number, line in enumerate(read_text(path).removeprefix("\ufeff").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _ASSIGNMENT.fullmatch(line)
        assert found is not None  # all of it is optional
        name, value = found["name"], found["value"]
        at = "name"
        if not _NAME.fullmatch(name):
            problem = "a line is NAME=value, the name of letters, digits and _"
        elif not found["sign"]:
            problem = 'there is no "=" behind the name'
        elif value[:1] in ("'", '"') and not _QUOTED.fullmatch(value):
            at, problem = "value", f"the value of {name} does not end where its quotation mark does"
        elif "\0" in value:
            at, problem = "value", f"the value of {name} has a null character"
        else:
            variables[name] = _plain(value)
            continue
        place = Place(str(path), number, found.start(at) + 1)
        findings.append(Finding("env-file", problem, place))
    if findings:
        raise ConfigError(findings)
    return variables


def _plain(value: str) -> str:
    quoted = _QUOTED.fullmatch(value)
    if quoted is None:
        return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip()
    if quoted["text"] is None:
        return quoted["raw"]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), quoted["text"])
