"""The results on disk: a line of JSON for each file, written as soon as it is finished."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pipeline import ConfigError, Finding
from processors.batch.job import Job, digest_of_file
from processors.batch.outcome import COLUMNS, Outcome
from processors.files import append, named, replace_file


class Results:
    """A file of results. Every line in it is whole, but for the last of a batch that was killed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Outcome]:
        """All that is in it. Raises ConfigError for what is no file of results."""
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
        try:
            return [msgspec.json.decode(line, type=Outcome) for line in lines]
        except msgspec.DecodeError as error:
            message = f"{self.path} is there already, and has no results in it: {error}"
            hint = "name another file with --results"
            raise ConfigError([Finding("results", message, hint=hint)]) from None

    def keep(self, outcomes: Iterable[Outcome]) -> None:
        """Replace what is in it; in one step, so that nothing is lost on the way."""
        replace_file(self.path, b"".join(map(_line, outcomes)))

    @contextmanager
    def appending(self) -> Iterator[Callable[[Outcome], None]]:
        """Write further lines, each of which is with the system before the next."""
        with self.path.open("ab", buffering=0) as file:

            def write(outcome: Outcome) -> None:
                with named(self.path):
                    append(file, _line(outcome))

            yield write


def is_done(job: Job, outcome: Outcome) -> bool:
    """Whether this came of the job before: the same file, run in the same way. Reads the file."""
    if outcome.status != "done" or outcome.recipe != job.recipe or outcome.name != job.name:
        return False
    try:
        return outcome.sha256 == digest_of_file(job.file)
    except OSError:  # the run will say it
        return False


def write_table(path: Path, outcomes: Sequence[Outcome]) -> None:
    """All results as CSV, UTF-8."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    writer.writerows(list(outcome.row()) for outcome in outcomes)
    replace_file(path, table.getvalue().encode())


def _line(outcome: Outcome) -> bytes:
    return msgspec.json.encode(outcome) + b"\n"
