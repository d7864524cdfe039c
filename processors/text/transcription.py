"""What was said, written down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from pipeline import (
    SECOND,
    Code,
    CodeResult,
    Gap,
    Grounding,
    OutputPath,
    Playback,
    SettingError,
    Sink,
    Speaker,
    Surroundings,
    Thought,
    Transcript,
)
from processors.files import check_writable, create, named
from processors.text.documents import DOCUMENTS, Document, Entry, Said
from processors.text.timing import Utterance, words_within

PATIENCE = 5 * SECOND
"""How long a line waits for a loudspeaker that says nothing of its turn any more."""

CLOSE = SECOND // 20
"""A loudspeaker that has come so near to the end of an utterance has played all of it."""

Written = Transcript | Thought | Code | CodeResult | Grounding | Gap | Playback


class TranscriptionSink(Sink):
    """Writes what was said, as JSON, subtitles or plain text, on the run's clock.

    Every line is with the system as soon as its utterance is final, and the file is whole at any
    moment; what is not final when the run ends is written then. A speaker that is wired to it
    (`speaker -> words`) tells how much of the model's words was heard: a line of the model then
    waits until it has been heard, or cut short, and subtitles and plain text have what was heard.

    The form is that of the end of the name. In `.vtt` (WebVTT) and `.srt` cues have two lines at
    most and are shown while they are said. `.txt` is to be read: `[00:12] model: It is 5 o'clock.`
    In `.jsonl` each utterance is a line with speaker, text, start and end in seconds;
    `"interrupted": true` marks what was cut short, `"heard"` is how much of the text was heard, if
    not all, and `"unfinished": true` marks what the end of the run cut. What else there was has
    lines of its own, in the order in which it came, with the second that it happened `at`:

      {"thought": "...", "at": 1.5}                           what the model thought
      {"code": "...", "language": "PYTHON", "at": 1.5}        what it ran
      {"code_output": "...", "failed": false, "at": 1.5}      and what came of that
      {"searched": ["..."], "pages": [{"title": "...", "uri": "..."}], "at": 1.5}
      {"gap": 0.75, "speaker": "user", "at": 1.5}             seconds of sound that were lost

    path: the file (.jsonl, .vtt, .srt or .txt), replaced if it exists.
    """

    def __init__(self, path: OutputPath) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in DOCUMENTS:
            *most, last = DOCUMENTS
            raise SettingError(f"{path} must end in {', '.join(most)} or {last}", setting="path")
        self._document: Document | None = None
        self._unfinished: dict[tuple[Speaker, int], tuple[Transcript, Utterance]] = {}
        self._listens = False
        self._reports: dict[int, Playback] = {}
        self._cut: set[int] = set()
        self._waiting: list[tuple[Transcript, Utterance]] = []
        self._since = 0

    def check(self) -> None:
        check_writable(self.path, pipes=self.path.suffix.lower() == ".jsonl")

    def check_graph(self, around: Surroundings) -> None:
        self._listens = around.can_get(Playback)

    async def lifespan(self) -> AsyncIterator[None]:
        self.path = self.context.claim(self.path)
        with named(self.path), create(self.path) as file:
            self._document = DOCUMENTS[self.path.suffix.lower()](file)
            self.context.wrote(str(self.path))
            try:
                yield
            finally:
                self._settle(at_once=True)
                for frame, utterance in sorted(
                    self._unfinished.values(), key=lambda known: known[0].pts
                ):
                    self._write_line(frame, utterance)

    async def consume(self, frame: Written) -> None:
        if isinstance(frame, Playback):
            self._reports[frame.turn] = frame
            self._since = self.context.now()
        elif isinstance(frame, Transcript):
            self._take(frame)
        else:
            self._write(frame)
        if self._listens:
            self._settle(at_once=self.context.now() - self._since > PATIENCE)

    def interrupted(self, turn: int) -> None:
        self._cut.add(turn)

    def _take(self, frame: Transcript) -> None:
        _, utterance = self._unfinished.pop((frame.speaker, frame.pts), (frame, Utterance()))
        if not frame.final:
            if frame.speaker is Speaker.MODEL:  # the user's words come long after their sound
                utterance.hear(frame)
            self._unfinished[frame.speaker, frame.pts] = (frame, utterance)
        elif self._listens and frame.speaker is Speaker.MODEL and frame.end > frame.pts:
            self._waiting.append((frame, utterance))
            self._since = self.context.now()
        else:
            self._write_line(frame, utterance)

    def _settle(self, *, at_once: bool) -> None:
        """Write the lines of which it is known how much was heard, or all that wait."""
        waiting, self._waiting = self._waiting, []
        for frame, utterance in waiting:
            report = self._reports.get(frame.turn)
            later = any(turn > frame.turn for turn in self._reports)
            cut = frame.interrupted or frame.turn in self._cut
            silent = report is not None and not report.playing
            if report is not None and silent and (cut or report.heard >= frame.end - CLOSE):
                later = True
            if not (later or at_once):
                self._waiting.append((frame, utterance))
            elif report is not None:
                self._write_line(frame, utterance, report.heard)
            else:
                self._write_line(frame, utterance, frame.pts if cut and later else None)
        latest = max(self._reports, default=0)
        wanted = {latest, *(frame.turn for frame, _ in self._waiting)}
        self._reports = {turn: self._reports[turn] for turn in wanted if turn in self._reports}
        self._cut = {turn for turn in self._cut if turn >= min(wanted)}

    def _write_line(
        self, frame: Transcript, utterance: Utterance, until: int | None = None
    ) -> None:
        """Write an utterance, which has been heard `until` a media time, or to its end."""
        if until is None and frame.interrupted:  # how much was heard is not known
            utterance = Utterance()
        times = utterance.times(frame)
        heard = frame.text
        if until is not None and (frame.interrupted or until < frame.end - CLOSE):
            heard = words_within(frame.text, times.characters_by(until))
            frame = frame.replace(interrupted=True, end=max(frame.pts, min(frame.end, until)))
        self._write(Said(frame, times, heard))

    def _write(self, entry: Entry) -> None:
        assert self._document is not None
        with named(self.path):
            self._document.write(entry)
