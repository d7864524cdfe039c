"""The forms in which a transcript is written down, by the end of the file's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any, NamedTuple, Protocol

import msgspec

from pipeline import (
    SECOND,
    Code,
    CodeResult,
    Gap,
    Grounding,
    Speaker,
    Thought,
    Transcript,
)
from processors.files import append
from processors.text.cues import Cue, one_line, split
from processors.text.ordered import OrderedFile
from processors.text.timing import WordTimes

CUT = " \N{EM DASH}"
"""After the last word that was heard of an utterance that was cut short."""


class Said(NamedTuple):
    """An utterance, when its words were said, and of a model's, how much was heard of it."""

    frame: Transcript
    times: WordTimes
    heard: str

    @property
    def was_cut(self) -> bool:
        """Whether it ended before its end."""
        return self.frame.interrupted or self.heard != self.frame.text


Entry = Said | Thought | Code | CodeResult | Grounding | Gap


class Document(Protocol):
    """A transcript in a file; what was given to `write` is with the system when it returns."""

    def write(self, entry: Entry) -> None:
        """Put an entry in its place. Raises OSError."""


class JsonLines:
    """One object per line, in the order in which the entries came."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, entry: Entry) -> None:
        append(self._file, msgspec.json.encode(_row(entry)) + b"\n")


class WebVtt:
    """Subtitles with voices, as the W3C's WebVTT has them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = OrderedFile(file, "WEBVTT\n", lambda _, cue: f"\n{cue}\n")

    def write(self, entry: Entry) -> None:
        for voice, cue in _cues(entry):
            escaped = [_escape(line) for line in cue.lines]
            times = f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}"
            self._file.add(cue.start, f"{times}\n<v {voice}>" + "\n".join(escaped))


class SubRip:
    """Subtitles with numbers, as every player reads them; a speaker's name comes before a cue."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = OrderedFile(file, "", lambda number, cue: f"{number}\n{cue}\n\n")

    def write(self, entry: Entry) -> None:
        for voice, cue in _cues(entry):
            times = f"{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}"
            self._file.add(cue.start, f"{times}\n{voice}: " + "\n".join(cue.lines))


class Plain:
    """To be read: `[00:12] model: It will be sunny.`"""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = OrderedFile(file, "", lambda _, line: f"{line}\n")

    def write(self, entry: Entry) -> None:
        time = entry.frame.pts if isinstance(entry, Said) else entry.pts
        minutes, seconds = divmod(time // SECOND, 60)
        hours, minutes = divmod(minutes, 60)
        clock = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
        self._file.add(time, f"[{clock}] {_sentence(entry)}")


DOCUMENTS: dict[str, Callable[[IO[bytes]], Document]] = {
    ".jsonl": JsonLines,
    ".vtt": WebVtt,
    ".srt": SubRip,
    ".txt": Plain,
}


def _row(entry: Entry) -> dict[str, Any]:
    """A line of JSON."""
    row: dict[str, Any]
    if isinstance(entry, Said):
        frame = entry.frame
        row = {"speaker": frame.speaker.value, "text": frame.text}
        if entry.heard != frame.text:
            row["heard"] = entry.heard
        row |= {"start": _seconds(frame.pts), "end": _seconds(frame.end)}
        if frame.interrupted:
            row["interrupted"] = True
        if not frame.final:
            row["unfinished"] = True
        return row
    if isinstance(entry, Thought):
        row = {"thought": entry.text}
    elif isinstance(entry, Code):
        row = {"code": entry.code, "language": entry.language}
    elif isinstance(entry, CodeResult):
        row = {"code_output": entry.output, "failed": entry.failed}
    elif isinstance(entry, Grounding):
        pages = [{"title": page.title, "uri": page.uri} for page in entry.pages]
        row = {"searched": entry.queries, "pages": pages}
    else:
        row = {"gap": _seconds(entry.duration), "speaker": entry.speaker.value}
    return {**row, "at": _seconds(entry.pts)}


def _cues(entry: Entry) -> list[tuple[str, Cue]]:
    """What subtitles have of an entry, with the name of who speaks."""
    if isinstance(entry, Said):
        voice = _name(entry.frame.speaker)
        cues = split(one_line(entry.heard), entry.times)
        if cues and entry.was_cut:
            *lines, last = cues[-1].lines
            cues[-1] = cues[-1]._replace(lines=(*lines, last + CUT))
        return [(voice, cue) for cue in cues]
    if isinstance(entry, Gap):
        lost = f"[{_seconds(entry.duration):g} s lost]"
        return [(_name(entry.speaker), Cue(entry.pts, entry.pts + entry.duration, (lost,)))]
    return []


def _sentence(entry: Entry) -> str:
    if isinstance(entry, Said):
        heard = one_line(entry.heard) or "(not heard)"
        return f"{entry.frame.speaker.value}: {heard}{CUT if entry.heard and entry.was_cut else ''}"
    if isinstance(entry, Thought):
        return f"(the model thinks: {one_line(entry.text)})"
    if isinstance(entry, Code):
        return "(the model runs:)" + _indented(entry.code)
    if isinstance(entry, CodeResult):
        return f"({'it failed' if entry.failed else 'it gave'}:)" + _indented(entry.output)
    if isinstance(entry, Grounding):
        pages = ", ".join(page.uri for page in entry.pages)
        return f"(searched: {', '.join(entry.queries)}; found: {pages or 'nothing'})"
    return f"({_seconds(entry.duration):g} s of the {entry.speaker.value}'s sound were lost)"


def _indented(text: str) -> str:
    return "".join(f"\n    {line}" for line in text.strip().splitlines())


def _name(speaker: Speaker) -> str:
    return speaker.value.title()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(nanoseconds: int, point: str) -> str:
    """Hours, minutes, seconds and milliseconds."""
    seconds, milliseconds = divmod((nanoseconds + 500_000) // 1_000_000, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{milliseconds:03}"


def _seconds(nanoseconds: int) -> float:
    return round(nanoseconds / SECOND, 3)
