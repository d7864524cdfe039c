"""What is given beside a configuration: the variables of `--env` files."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.console import Console

from pipeline.cli.findings import print_findings
from pipeline.config.dotenv import read_env
from pipeline.errors import ConfigError, Finding

WRONG_INPUT = 2


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
        print_findings(findings, Console(stderr=True, highlight=False))
        raise SystemExit(WRONG_INPUT)
    for name, value in variables.items():
        os.environ.setdefault(name, value)
