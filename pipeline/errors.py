"""What can go wrong, as one small tree.

    PipelineError
    ├── ConfigError       the input is wrong: findings with places; exit status 2
    ├── SettingError      raised by a processor that cannot accept a setting or its environment
    └── ProcessorFailure  a processor raised while the graph ran; exit status 1

A `ConfigError` is for people who write configurations and never needs a traceback. A
`SettingError` is what a processor raises from its constructor or `check`; the loader turns it into
a finding at the right line.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

Severity = Literal["error", "warning"]


class Place(NamedTuple):
    """A position in a file; lines and columns count from 1.

    What comes from elsewhere, such as an option of the command line, is at line 0 of that.
    """

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


def nearest_place(places: Mapping[str, Place], setting: str | None) -> Place | None:
    """Where a setting such as `vad.silence_ms` stands; if it is not there, what is around it."""
    while setting:
        if setting in places:
            return places[setting]
        setting = setting.rpartition(".")[0]
    return None


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong, where, and what to do about it.

    severity: an error keeps a graph from running; a warning is advice.
    """

    code: str
    message: str
    place: Place | None = None
    hint: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}{self.severity}[{self.code}] {self.message}{hint}"


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """Those that are no warnings."""
    return [finding for finding in findings if finding.severity == "error"]


REMEDIES = {
    errno.ENOSPC: "make room on that disk, or write elsewhere",
    errno.EFBIG: "the file may not grow any further: begin a new one, or raise the limit",
    errno.EPIPE: "what read the other end has gone",
    errno.ENXIO: "nobody reads the other end: start what does so first",
    errno.EAGAIN: "what reads the other end does not keep up",
    errno.ENODEV: "the device is gone: is it plugged in?",
    errno.EMFILE: "too many files are open: raise the limit, `ulimit -n`",
}
"""What to do about an error of the system while a graph runs."""


class PipelineError(Exception):
    """Base of every error that this package raises on purpose.

    passing: another attempt may succeed, with nothing changed.
    """

    passing = False


class ConfigError(PipelineError):
    """A graph or its configuration is wrong; `findings` holds every reason found."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class SettingError(PipelineError):
    """A processor cannot work with a setting, or with the machine it is on.

    setting: the constructor argument at fault, if it is one; `vad.silence_ms` is within `vad`.
    severity: `warning` for advice, which a check may raise too; then the graph runs all the same.
    """

    def __init__(
        self,
        message: str,
        *,
        setting: str | None = None,
        hint: str = "",
        severity: Severity = "error",
    ) -> None:
        self.setting = setting
        self.hint = hint
        self.severity: Severity = severity
        super().__init__(message)


class FrameTimeoutError(PipelineError):
    """A processor took longer for one frame than `frame_timeout_s`."""


class TooManyFramesError(PipelineError):
    """A plain transform gave more frames for one than can be: nothing else runs meanwhile."""


class ProcessorFailure(PipelineError):
    """A processor raised while the graph ran.

    processor: its name in the graph. frame: the type of the frame in hand, if there was one.
    place: where the configuration defines it. what: the message without all that.
    The exception itself is `__cause__`; failures of connections and time limits are `passing`.
    """

    def __init__(
        self,
        processor: str,
        cause: BaseException,
        *,
        frame: type | None = None,
        place: Place | None = None,
    ) -> None:
        self.processor = processor
        self.frame = frame
        self.place = place
        self.passing = _may_pass(cause)
        where = f"{place}: " if place else ""
        doing = f" on {frame.__name__}" if frame else ""
        what = str(cause) if isinstance(cause, PipelineError) else describe(cause)
        if isinstance(cause, SettingError) and cause.hint:
            what += f"; {cause.hint}"
        self.what = what
        super().__init__(f'{where}processor "{processor}" failed{doing}: {what}')


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, PipelineError):
        return error.passing
    return isinstance(error, ConnectionError | TimeoutError)


def describe(error: BaseException) -> str:
    """An error that nobody expected, in a line, with what to do about it if that is known."""
    text = " ".join(str(error).split())
    hint = REMEDIES.get(error.errno or 0, "") if isinstance(error, OSError) else ""
    if "can't start new thread" in text:
        hint = "too many threads run: raise the limit, `ulimit -u`"
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"{what}; {hint}" if hint else what


def innermost(error: BaseException) -> BaseException:
    """What was raised, without the groups that task groups put around it; of several the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def error_code(error: BaseException | None) -> str:
    """A stable word for programs: the name of the system's error, or of the exception."""
    number = error.errno if isinstance(error, OSError) else None
    return errno.errorcode.get(number or 0, type(error).__name__)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "..."?` for the nearest known word, or the list of them, or nothing."""
    import difflib

    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"there are: {', '.join(choices)}" if choices else ""
