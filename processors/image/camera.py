"""Pictures from a camera."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter_ns
from typing import Annotated

import anyio
from anyio import to_thread
from msgspec import Meta

from pipeline import SECOND, ImageFrame, InputPath, SettingError, Source, no_file
from processors.image.grabber import INSTALL, Grabber, Limits

LISTED = Path("/sys/class/video4linux")


class Camera(Source):
    """Gives pictures from a camera as JPEG, until the run is told to finish; each is as new as can
    be when it is given.

    It needs the extra `camera`: pip install 'live-pipeline[camera]'.

    device: the number of the camera; 0 is the system's first.
    path: a video file that plays in the camera's place; it ends with it.
    interval_s: seconds from one picture to the next, at least.
    longest_side: in pixels; larger pictures are made smaller.
    quality: of the JPEG, from 1 to 100.
    max_kb: largest picture, in thousands of bytes; quality, then size are lowered to meet it.
    """

    device = "camera"

    def __init__(
        self,
        device: Annotated[int, Meta(ge=0)] = 0,
        path: InputPath | None = None,
        interval_s: Annotated[float, Meta(ge=0.05)] = 1.0,
        longest_side: Annotated[int, Meta(ge=16, le=8192)] = 768,
        quality: Annotated[int, Meta(ge=1, le=100)] = 80,
        max_kb: Annotated[int, Meta(ge=1, le=7000)] = 500,
    ) -> None:
        self.number = device
        self.path = path
        self.interval_s = interval_s
        self.limits = Limits(longest_side, quality, max_kb * 1000)
        self._grabber: Grabber | None = None

    def check(self) -> None:
        if importlib.util.find_spec("cv2") is None:
            raise SettingError(
                "a camera needs the package opencv-python-headless, which is not installed",
                hint=INSTALL,
            )
        if self.path is not None:
            if not Path(self.path).is_file():
                raise no_file(self.path, "path")
        elif (cameras := list_cameras()) is not None and self.number not in cameras:
            listed = ", ".join(f'{number} "{name}"' for number, name in cameras.items())
            raise SettingError(
                f"there is no camera {self.number}" if cameras else "this machine has no camera",
                setting="device",
                hint=f"there are: {listed}" if cameras else "connect one",
            )

    async def lifespan(self) -> AsyncIterator[None]:
        source = self.number if self.path is None else Path(self.path)
        self._grabber = Grabber(source, self.limits)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._grabber.stop)

    async def frames(self) -> AsyncIterator[ImageFrame]:
        assert self._grabber is not None
        offset = self.context.now() - perf_counter_ns()
        while (picture := await self._grabber.take()) is not None:
            pts = max(0, picture.taken + offset)
            yield ImageFrame(picture.data, "image/jpeg", pts=pts, born=picture.taken)
            due = pts / SECOND + self.interval_s
            await anyio.sleep(max(0.0, due - self.context.now() / SECOND))


def list_cameras() -> dict[int, str] | None:
    """Number and name of each camera; None where the system gives no list without opening them."""
    if sys.platform != "linux":
        return None
    numbers = {
        int(folder.name.removeprefix("video")): folder
        for folder in LISTED.glob("video*")
        if folder.name.removeprefix("video").isdecimal()
    }
    return {number: _name(numbers[number]) for number in sorted(numbers)}


def _name(folder: Path) -> str:
    try:
        return (folder / "name").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return folder.name
