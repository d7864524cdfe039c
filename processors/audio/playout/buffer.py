"""What is yet to be played, and what has been: a jitter buffer without a device or a clock.

One side fills it from an event loop, the other takes blocks from it in the thread of a sound
device, which must never wait. There is no lock: a deque takes in at one end and gives at the other,
and every other value is written by one of the two sides only.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from processors.audio.fade import FADE_MS, Fade
from processors.audio.pcm import Samples, nanoseconds_of, silence

DUCK_MS = 40
JOINT = 1_000_000
"""Nanoseconds by which sound may miss the end of the one before and still continue it."""
MOST_NOTES = 4096


class Stretch(NamedTuple):
    """Sound of a turn that was handed to the device: that of media time `pts` to `end` is heard
    from `at` until `until` on the device's clock (nanoseconds, all of them)."""

    turn: int
    at: int
    until: int
    pts: int
    end: int


class _Chunk(NamedTuple):
    turn: int
    samples: Samples
    pts: int
    span: int
    joins: bool


class PlayoutBuffer:
    """Holds sound until a device takes it, block by block, and says what it has taken.

    Every sample is taken once and in order, or counted in `dropped`. Where there is nothing to play
    there is silence, and between sound and silence always a fade of 5 ms: at both ends of a turn,
    at an interruption, where the sound itself has a gap, and where it does not come in time. What
    is of one turn is played without a break, however late it came; sound of no turn (0) breaks
    where its media time does.

    rate, channels: of the device. longest: the most samples it holds. prebuffer: samples that it
    waits for, or for as long as they would take to play, before it begins or goes on.
    """

    def __init__(self, rate: int, channels: int = 1, *, longest: int, prebuffer: int = 0) -> None:
        self.rate = rate
        self.channels = channels
        self.longest = longest
        self.played: deque[Stretch] = deque(maxlen=MOST_NOTES)
        """What was handed to the device, in order, for the filling side to take away."""
        self.underruns: deque[int] = deque(maxlen=MOST_NOTES)
        """Nanoseconds of silence where sound did not come in time, to be taken away as well."""
        self._fade = max(1, rate * FADE_MS // 1000)
        self._enough = max(prebuffer, self._fade + 1)
        self._chunks: deque[_Chunk] = deque()
        # The filling side writes these.
        self._put = 0
        self._refused = 0
        self._refused_chunks = 0
        self._end = (0, 0)
        self._cut: set[int] = set()
        self._complete: set[int] = set()
        self._paused = False
        self._volume = 1.0
        # The playing side writes these.
        self._taken = 0
        self._skipped = 0
        self._skipped_chunks = 0
        self._offset = 0
        self._sounding = False
        self._waited = 0
        self._turn = 0
        self._dry_since: int | None = None
        self._envelope = Fade(0.0)
        self._loudness = Fade()

    # --- the filling side ---

    @property
    def held(self) -> int:
        """Samples that wait."""
        return self._put - self._taken

    @property
    def next_turn(self) -> int | None:
        """The turn of what is played next; None if nothing waits."""
        try:
            return self._chunks[0].turn
        except IndexError:
            return None

    @property
    def dropped(self) -> int:
        """Samples that are not played, since their turn was cut short."""
        return self._skipped + self._refused

    @property
    def dropped_chunks(self) -> int:
        """How many of the pieces that were put it has dropped in whole or in part."""
        return self._skipped_chunks + self._refused_chunks

    def put(self, samples: Samples, turn: int, pts: int, span: int | None = None) -> bool:
        """Add sound of shape (n, channels). False, and nothing is taken, while it holds too much.

        span: the media time that it stands for, if that is not its length at `rate`.
        """
        if turn in self._cut:
            self._refused += len(samples)
            self._refused_chunks += 1
            return True
        if self.held and self.held + len(samples) > self.longest:
            return False
        if not len(samples):
            return True
        if span is None:
            span = nanoseconds_of(len(samples), self.rate)
        last_turn, last_end = self._end
        joins = turn == last_turn and (turn > 0 or abs(pts - last_end) < JOINT)
        self._end = (turn, pts + span)
        self._put += len(samples)
        self._chunks.append(_Chunk(turn, samples, pts, span, joins))
        return True

    def complete(self, turn: int) -> None:
        """Nothing more comes of this turn."""
        self._complete.add(turn)

    def is_complete(self, turn: int) -> bool:
        """Whether nothing more comes of this turn."""
        return turn in self._complete or turn in self._cut

    def cut(self, turn: int) -> None:
        """Fall silent within the next block, if this turn is playing, and drop the rest of it."""
        self._cut.add(turn)

    def pause(self, paused: bool) -> None:
        """Fall silent without losing what is yet to come, or go on."""
        self._paused = paused

    def set_volume(self, gain: float) -> None:
        """Go to a volume, 1.0 being that of the sound itself, within 40 ms."""
        self._volume = gain

    # --- the playing side ---

    def take(self, count: int, at: int) -> Samples:
        """The next block, of shape (count, channels); its first sample is heard at `at`."""
        block = silence(count, self.channels)
        position = 0
        while position < count:
            now = at + nanoseconds_of(position, self.rate)
            if not self._sounding and not self._begin(count - position, now):
                break
            length = self._shape(count - position)
            if length:
                self._play(block[position : position + length], now)
                position += length
            else:
                self._sounding = False
                self._dry_since = None if self._is_closing() else now
        if self._loudness.target != self._volume:
            self._loudness.to(self._volume, self.rate * DUCK_MS // 1000)
        return self._loudness.apply(block)

    def _begin(self, wanted: int, now: int) -> bool:
        """Begin to sound if there is enough to do so."""
        self._skip_cut()
        if self._paused or not self._chunks:
            self._waited = 0
            return False
        head = self._chunks[0]
        ahead, ends = self._ahead(self._enough)
        ready = ends or ahead >= self._enough or head.turn in self._complete
        if not ready and self._waited < self._enough:
            self._waited += wanted
            return False
        if self._dry_since is not None and head.joins and now > self._dry_since:
            self.underruns.append(now - self._dry_since)
        self._dry_since = None
        self._sounding, self._waited, self._envelope = True, 0, Fade(0.0)
        return True

    def _skip_cut(self) -> None:
        """Drop what is next as far as its turn was cut short: a minute of it in a millisecond."""
        chunks, cut = self._chunks, self._cut
        samples, count = -self._offset, 0
        while chunks and chunks[0].turn in cut:
            samples += len(chunks.popleft().samples)
            count += 1
        if count:
            self._offset = 0
            self._taken += samples
            self._skipped += samples
            self._skipped_chunks += count

    def _is_closing(self) -> bool:
        return self._paused or bool(self._chunks and self._chunks[0].turn in self._cut)

    def _shape(self, wanted: int) -> int:
        """Set the envelope for what comes next, and say for how many samples it holds; 0 if this
        stretch of sound is over."""
        fade, envelope = self._fade, self._envelope
        ahead, _ = self._ahead(wanted + fade)
        if self._is_closing():
            if envelope.target:
                envelope.to(0.0, min(fade, ahead))
            return min(wanted, ahead, envelope.left)
        if ahead > fade:
            if not envelope.target:
                envelope.to(1.0, fade)
            return min(wanted, ahead - fade)
        if envelope.target or envelope.left != ahead:
            envelope.to(0.0, ahead)
        return min(wanted, ahead)

    def _ahead(self, enough: int) -> tuple[int, bool]:
        """How many samples follow without a break, if fewer than `enough`; whether it breaks."""
        found = -self._offset
        for index in range(len(self._chunks)):  # it may grow meanwhile, which an iterator forbids
            chunk = self._chunks[index]
            if index and not chunk.joins:
                return found, True
            found += len(chunk.samples)
            if found >= enough:
                break
        return max(found, 0), False

    def _play(self, block: Samples, now: int) -> None:
        """Fill `block` from the chunks that are first."""
        done = 0
        while done < len(block):
            chunk, offset = self._chunks[0], self._offset
            count = min(len(block) - done, len(chunk.samples) - offset)
            block[done : done + count] = self._envelope.apply(
                chunk.samples[offset : offset + count]
            )
            self._advance(count)
            times = (nanoseconds_of(n, self.rate) for n in (done, done + count))
            media = (chunk.span * n // len(chunk.samples) for n in (offset, offset + count))
            self.played.append(
                Stretch(chunk.turn, *(now + t for t in times), *(chunk.pts + t for t in media))
            )
            done += count

    def _advance(self, count: int) -> None:
        self._offset += count
        self._taken += count
        if self._offset == len(self._chunks[0].samples):
            self._chunks.popleft()
            self._offset = 0
