"""`pipeline check`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from pipeline.cli import findings as shown
from pipeline.cli.status import WRONG_INPUT
from pipeline.config.document import SUFFIXES
from pipeline.config.loader import check
from pipeline.config.pages import configurations, is_configuration
from pipeline.config.typed import read_text
from pipeline.errors import ConfigError, Finding, Place, errors_of

MARKDOWN = (".md", ".markdown")


class Inspection:
    """What was found in files; each is looked at once, however often it is named.

    configurations: how many. checked, skipped: files.
    """

    def __init__(self, *, offline: bool, overrides: Sequence[str] = ()) -> None:
        self.findings: list[Finding] = []
        self.configurations = 0
        self.checked: list[str] = []
        self.skipped: list[str] = []
        self._offline = offline
        self._overrides = overrides
        self._seen: set[Path] = set()

    def look_at(self, path: str) -> None:
        """A configuration, a Markdown page, or a folder with configurations in it."""
        if Path(path).is_dir():
            for file in _yaml_files(path):
                self._look_at_file(file, named=False)
        else:
            self._look_at_file(path, named=True)

    def _look_at_file(self, file: str, *, named: bool) -> None:
        resolved = Path(file).resolve()
        if resolved in self._seen:
            return
        self._seen.add(resolved)
        try:
            text = read_text(file)
        except ConfigError as error:
            self._add(error.findings)
            self.checked.append(file)
            return
        folder = Path(file).parent
        if file.lower().endswith(MARKDOWN):
            blocks = list(configurations(text))
            texts = [block.text for block in blocks]
            for block in blocks:
                if block.closed:
                    self._add(self._check_excerpt(block.text, file, folder))
                else:
                    message = "the block that begins here is not closed"
                    place = Place(file, block.line, 1)
                    self._add([Finding("yaml", message, place, f"end it with {block.mark}")])
        else:
            texts = [text] if named or is_configuration(text) else []
            for configuration in texts:
                self._add(self._check(configuration, file, folder))
        self.configurations += len(texts)
        (self.checked if texts else self.skipped).append(file)

    def _check_excerpt(self, text: str, file: str, folder: Path) -> list[Finding]:
        """Pages name files from their own folder, or, as those of a `docs/`, from the one above."""
        found = self._check(text, file, folder)
        if found:
            found = min(found, self._check(text, file, folder / ".."), key=len)
        return found

    def _check(self, text: str, file: str, base: Path) -> list[Finding]:
        overrides = self._overrides
        return check(text, file=file, base=base, overrides=overrides, offline=self._offline)

    def _add(self, findings: Sequence[Finding]) -> None:
        """Two configurations may share a file that something is wrong with."""
        self.findings = list(dict.fromkeys([*self.findings, *findings]))


def check_paths(
    paths: Sequence[str],
    *,
    offline: bool,
    form: str,
    verbose: bool,
    overrides: Sequence[str] = (),
    strict: bool = False,
) -> int:
    """Check files and folders, and say what is wrong; the exit status.

    strict: warnings count as errors do.
    """
    inspection = Inspection(offline=offline, overrides=overrides)
    for path in paths:
        inspection.look_at(path)
    if not inspection.configurations and not inspection.findings:
        message = f"there is no configuration in {', '.join(paths)}"
        hint = "a configuration has `processors:` at its top"
        inspection.findings.append(Finding("nothing-to-check", message, hint=hint))
    _print(inspection, form)
    if verbose:
        for file in inspection.checked:
            click.echo(f"checked {file}", err=True)
        for file in inspection.skipped:
            click.echo(f"skipped {file}: no configuration", err=True)
    click.echo(_summary(inspection), err=True)
    findings = inspection.findings
    return WRONG_INPUT if (findings if strict else errors_of(findings)) else 0


def _print(inspection: Inspection, form: str) -> None:
    findings = inspection.findings
    if form == "json":
        click.echo(shown.as_json(findings, inspection.checked, inspection.skipped), nl=False)
    elif form == "github":
        click.echo(shown.as_github(findings), nl=False)
    elif sys.stdout.isatty() and findings:
        from rich.console import Console

        shown.print_findings(findings, Console())
    else:
        click.echo(shown.as_text(findings), nl=False)


def _summary(inspection: Inspection) -> str:
    errors = len(errors_of(inspection.findings))
    warnings = len(inspection.findings) - errors
    parts = [
        _counted(inspection.configurations, "configuration"),
        *([_counted(errors, "error")] if errors else []),
        *([_counted(warnings, "warning")] if warnings else []),
        *([] if inspection.findings else ["nothing wrong"]),
    ]
    if inspection.skipped:
        parts.append(f"{_counted(len(inspection.skipped), 'file')} skipped")
    return ", ".join(parts)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _yaml_files(folder: str) -> Iterator[str]:
    """All below a folder, in the order of their names; hidden folders are left out."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(SUFFIXES):
                yield os.path.join(parent, name)
