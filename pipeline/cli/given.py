"""What is given beside a configuration: the variables of `--env` files."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pipeline.cli.findings import refuse
from pipeline.config.dotenv import read_env
from pipeline.errors import ConfigError, Finding


def take_variables(files: Sequence[str]) -> None:
    """Add the variables of files to the environment; the command ends where they are wrong.

    A variable that the environment has already stays as it is; of several files, the last counts.
    """
    findings: list[Finding] = []
    variables: dict[str, str] = {}
    for file in files:
        try:
            variables |= read_env(file)
        except ConfigError as error:
            findings += error.findings
    if findings:
        raise SystemExit(refuse(findings))
    for name, value in variables.items():
        os.environ.setdefault(name, value)
