"""Both sides of a conversation as one sound, each sample where the clock had it."""

from __future__ import annotations

from collections.abc import Callable

from pipeline import SECOND, AudioFrame, Playback, Speaker
from processors.audio.pcm import Samples, count_of
from processors.audio.recording.heard import Unheard
from processors.audio.recording.timeline import Timeline
from processors.audio.recording.track import Piece, Track

TAIL = SECOND // 5
"""More than a resampler holds back: what does not go on must be had before it is taken."""

Placed = Callable[[Speaker, Piece], None]


class BothSides:
    """Frames of any rate become sound at `rate` Hz: in stereo the user left, the model right.

    Of the model it has what was heard. Where `reported`, a loudspeaker says what that is (`hear`);
    otherwise a turn is taken to be heard as it comes, until it is `cut`. What overlaps on one side
    is added and clipped. Positions count samples from the beginning of the run.

    placed: told of each piece when its place is known.
    """

    def __init__(
        self, rate: int, channels: int, *, reported: bool, placed: Placed | None = None
    ) -> None:
        self.rate = rate
        self._timeline = Timeline(rate, channels)
        self._unheard = Unheard(rate) if reported else None
        self._placed = placed
        self._tracks: list[Track] = []

    @property
    def taken(self) -> int:
        """How far it has been taken."""
        return self._timeline.taken

    @property
    def end(self) -> int:
        """Where the last sound ends."""
        return self._timeline.end

    def add(self, frame: AudioFrame) -> bool:
        """Take a frame; false if some of it came too late, for what had been taken already."""
        return self._place(frame.speaker, self._track(frame).take(frame))

    def hear(self, report: Playback) -> bool:
        """A loudspeaker has played; false as for `add`."""
        if self._unheard is None:
            return True
        on_time = self.flush(report.heard + TAIL, Speaker.MODEL)
        for piece in self._unheard.hear(report):
            on_time = self._put(Speaker.MODEL, piece) and on_time
        return on_time

    def cut(self, turn: int, now: int) -> None:
        """The model's turn was interrupted at media time `now` (nanoseconds).

        Where a loudspeaker reports, it knows better what was heard.
        """
        if self._unheard is None:
            for speaker in (Speaker.MODEL, Speaker.TONE):
                self._timeline.cut((speaker, turn), count_of(now, self.rate))

    def flush(self, before: int | None = None, speaker: Speaker | None = None) -> bool:
        """Get what the resamplers hold of sound that has ended, all or before a media time."""
        on_time = True
        for track in list(self._tracks):
            if (before is None or track.end <= before) and speaker in (None, track.speaker):
                self._tracks.remove(track)
                on_time = self._place(track.speaker, track.finish()) and on_time
        return on_time

    def take(self, until: int) -> Samples:
        """What there is from `taken` up to a position, of shape (n, channels)."""
        return self._timeline.take(until)

    def _place(self, speaker: Speaker, piece: Piece) -> bool:
        if speaker is Speaker.MODEL and self._unheard is not None:
            self._unheard.put(piece)
            return True
        return self._put(speaker, piece)

    def _put(self, speaker: Speaker, piece: Piece) -> bool:
        if self._placed is not None:
            self._placed(speaker, piece)
        channel = 0 if speaker is Speaker.USER else self._timeline.channels - 1
        late = self._timeline.put(channel, piece.start, piece.samples, (speaker, piece.turn))
        return not late

    def _track(self, frame: AudioFrame) -> Track:
        """The one that the frame continues, or a new one: two sources may speak at once."""
        near = [(track.distance(frame), track) for track in self._tracks]
        joined = [(distance, track) for distance, track in near if distance is not None]
        if joined:
            return min(joined, key=lambda pair: pair[0])[1]
        self._tracks.append(Track(self.rate, frame))
        return self._tracks[-1]
