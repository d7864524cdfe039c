"""Pictures from OpenCV, in a thread: the newest one, whenever one is asked for."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from threading import Event, Thread
from time import monotonic, perf_counter_ns
from typing import Any, NamedTuple

import anyio

from pipeline import PipelineError, SettingError, waker

INSTALL = "pip install 'live-pipeline[camera]'"
FAILURES = 20
"""Pictures in a row that a camera may fail to give, 50 ms apart."""
USUAL_RATE = 25.0
"""Pictures a second of a file that does not tell."""
BEHIND_S = 1.0
"""How much of a file is made up for at once, after something has held it up."""
QUALITY_STEP = 20
STOP_WITHIN_S = 3.0


class CameraError(PipelineError):
    """A camera cannot be opened, or gives nothing more."""


class Picture(NamedTuple):
    """A JPEG. taken: `perf_counter_ns` when the camera gave it."""

    data: bytes
    taken: int


class Limits(NamedTuple):
    """What becomes of a picture.

    longest_side: in pixels; larger ones are made smaller. quality: of the JPEG, 1 to 100; lowered,
    and then the picture made smaller, until it has at most `most_bytes`.
    """

    longest_side: int
    quality: int
    most_bytes: int


class Grabber:
    """Reads a camera without a pause, so that what it gives is no old picture out of a queue, and
    encodes only what is asked for.

    source: the number of a camera, or a video file, which plays in real time. All of its work is
    done in a thread of its own.
    """

    def __init__(self, source: int | Path, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._wake = waker()
        self._wanted = Event()
        self._stopped = Event()
        self._answered = anyio.Event()
        self._picture: Picture | None = None
        self._failure: Exception | None = None
        self._ended = False
        self._thread = Thread(target=self._run, name=f"camera {source}", daemon=True)
        self._thread.start()

    async def take(self) -> Picture | None:
        """The next picture that the camera gives; None when a file has ended.

        Raises CameraError, and SettingError where OpenCV is missing.
        """
        self._picture, self._answered = None, anyio.Event()
        if not self._ended:
            self._wanted.set()
            await self._answered.wait()
        if self._failure is not None:
            raise self._failure
        return self._picture

    def stop(self) -> None:
        """Let go of the camera; blocks until the picture that is being taken is there."""
        self._stopped.set()
        self._thread.join(STOP_WITHIN_S)

    # --- in the event loop ---

    def _answer(self, picture: Picture) -> None:
        self._picture = picture
        self._answered.set()

    def _end(self, failure: Exception | None) -> None:
        self._ended, self._failure = True, failure
        self._answered.set()

    # --- in the thread ---

    def _run(self) -> None:
        failure: Exception | None = None
        try:
            self._read(load_opencv())
        except Exception as error:
            failure = error
        self._wake(partial(self._end, failure))

    def _read(self, cv2: Any) -> None:
        plays = isinstance(self._source, Path)
        capture = cv2.VideoCapture(str(self._source) if plays else self._source)
        try:
            if not capture.isOpened():
                raise CameraError(_cannot_open(self._source))
            pause = 1 / (capture.get(cv2.CAP_PROP_FPS) or USUAL_RATE) if plays else 0.0
            due, failures = monotonic(), 0
            while not self._stopped.is_set():
                if capture.grab():
                    failures = 0
                    if self._wanted.is_set():
                        self._give(cv2, capture)
                elif plays:
                    return
                else:
                    failures += 1
                    if failures == FAILURES:
                        raise CameraError(
                            f"camera {self._source} gives no more pictures: has it been unplugged?"
                        )
                    self._stopped.wait(0.05)
                due = max(due + pause, monotonic() - BEHIND_S)  # after a sleep it goes on from here
                self._stopped.wait(max(0.0, due - monotonic()) if plays else 0)
        finally:
            capture.release()

    def _give(self, cv2: Any, capture: Any) -> None:
        taken = perf_counter_ns()
        there, image = capture.retrieve()
        if there:
            self._wanted.clear()
            picture = Picture(encode(cv2, image, self._limits), taken)
            self._wake(partial(self._answer, picture))


def load_opencv() -> Any:
    """The module `cv2`. Raises SettingError where it is missing."""
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError)
        why = "is not installed" if missing else f"cannot be used: {error}"
        raise SettingError(
            f"a camera needs the package opencv-python-headless, which {why}", hint=INSTALL
        ) from None
    cv2.utils.logging.setLogLevel(
        cv2.utils.logging.LOG_LEVEL_SILENT
    )  # what is wrong is said once, by whoever asked
    return cv2


def encode(cv2: Any, image: Any, limits: Limits) -> bytes:
    """A picture as OpenCV has it, of shape (height, width, channels), as a JPEG within limits.

    Raises CameraError if it cannot be encoded.
    """
    longest = min(limits.longest_side, max(image.shape[:2]))
    while True:
        scale = longest / max(image.shape[:2])
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        fitting = (
            image if scale == 1 else cv2.resize(image, (width, height), None, 0, 0, cv2.INTER_AREA)
        )
        for quality in range(limits.quality, 0, -QUALITY_STEP):
            done, data = cv2.imencode(".jpg", fitting, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if not done:
                raise CameraError("OpenCV cannot encode the picture")
            if len(data) <= limits.most_bytes or longest == 1:
                return bytes(data)
        longest = max(1, longest // 2)


def _cannot_open(source: int | Path) -> str:
    if isinstance(source, Path):
        return f"{source} is no video that OpenCV can read"
    return f"camera {source} cannot be opened: is it there, and used by no other program?"
