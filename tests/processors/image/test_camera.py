"""Tests of the camera: a stand-in for OpenCV's, and videos where OpenCV is installed."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import numpy as np
import pytest

from pipeline import (
    Graph,
    ImageFrame,
    InboxSettings,
    ProcessorFailure,
    Report,
    Run,
    SettingError,
    Sink,
)
from pipeline.testing import Collect
from processors.image import camera, grabber
from processors.image.camera import Camera, list_cameras
from processors.image.grabber import CameraError, Limits, encode


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """In real time: the thread that reads the camera knows no other."""
    return request.param


class Capture:
    """A camera that shows the number of each picture; it has `count` of them, or no end."""

    def __init__(self, count: int | None = None, opened: bool = True) -> None:
        self.count = count
        self.opened = opened
        self.shown = 0
        self.released = threading.Event()

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def get(self, _: int) -> float:
        return 100.0

    def grab(self) -> bool:
        time.sleep(0.005)
        if self.shown == self.count:
            return False
        self.shown += 1
        return True

    def retrieve(self) -> tuple[bool, Any]:
        return True, np.full((4, 8, 3), self.shown % 256, np.uint8)

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> Callable[[Capture], Capture]:
    """A machine that has that camera, as number 0."""

    def make(capture: Capture) -> Capture:
        opencv = SimpleNamespace(
            VideoCapture=lambda source: capture,
            CAP_PROP_FPS=5,
            IMWRITE_JPEG_QUALITY=1,
            imencode=lambda kind, image, options: (True, image[0, 0, :1]),
        )
        monkeypatch.setattr(grabber, "load_opencv", lambda: opencv)
        monkeypatch.setattr(Camera, "check", lambda self: None)
        return capture

    return make


class Eyes(Sink):
    """Sees so many pictures, then ends the run; takes its time over each."""

    def __init__(self, enough: int, pause: float = 0) -> None:
        self.frames: list[ImageFrame] = []
        self.enough = enough
        self.pause = pause

    async def consume(self, frame: ImageFrame) -> None:
        self.frames.append(frame)
        await anyio.sleep(self.pause)
        if len(self.frames) == self.enough:
            self.run.finish()


async def see(source: Camera, enough: int = 10**6, pause: float = 0) -> tuple[list[Any], Report]:
    eyes = Eyes(enough, pause)
    eyes.run = run = Run(Graph({"camera": source, "eyes": eyes}, ["camera -> eyes"]))
    with anyio.fail_after(10):
        report = await run.execute()
    return eyes.frames, report


async def test_pictures_come_at_most_so_often(present: Any) -> None:
    capture = present(Capture())
    frames, report = await see(Camera(interval_s=0.1), 4)
    assert {frame.mime_type for frame in frames} == {"image/jpeg"}
    assert np.all(np.diff([frame.pts for frame in frames]) >= 0.1e9)
    assert report.seconds >= 0.3
    assert capture.released.is_set()


async def test_each_picture_is_new_however_long_the_last_one_took(present: Any) -> None:
    capture = present(Capture())
    behind = []

    class Slow(Sink):
        async def consume(self, frame: ImageFrame) -> None:
            behind.append(capture.shown - frame.data[0])
            await anyio.sleep(0.2)
            if len(behind) == 3:
                run.finish()

    graph = Graph(
        {"camera": Camera(interval_s=0.05), "slow": Slow()},
        ["camera -> slow"],
        inboxes={"slow": InboxSettings(policy="latest")},
    )
    run = Run(graph)
    with anyio.fail_after(10):
        await run.execute()
    assert max(behind) <= 20  # it gives one every 10 pictures, and this takes one every 40


async def test_a_camera_that_cannot_be_opened_says_so(present: Any) -> None:
    capture = present(Capture(opened=False))
    with pytest.raises(ProcessorFailure, match="camera 0 cannot be opened"):
        await see(Camera())
    assert capture.released.is_set()


async def test_a_camera_that_goes_away_ends_the_run_with_a_reason(
    present: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grabber, "FAILURES", 3)
    present(Capture(count=5))
    with pytest.raises(
        ProcessorFailure, match="camera 2 gives no more pictures: has it been unplu"
    ):
        await see(Camera(device=2, interval_s=0.05))


async def test_without_opencv_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera.importlib.util, "find_spec", lambda name: None)
    (finding,) = Graph({"camera": Camera(), "out": Collect()}, ["camera -> out"]).check()
    assert "needs the package opencv-python-headless" in finding.message
    assert finding.hint == "pip install 'live-pipeline[camera]'"
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(SettingError, match="which is not installed"):
        grabber.load_opencv()


def test_cameras_are_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(camera, "LISTED", tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(camera.importlib.util, "find_spec", lambda name: name)
    with pytest.raises(SettingError, match="this machine has no camera"):
        Camera().check()
    for number, name in ((10, "Capture card"), (2, "Webcam")):
        (tmp_path / f"video{number}").mkdir()
        (tmp_path / f"video{number}/name").write_text(f"{name}\n")
    assert list_cameras() == {2: "Webcam", 10: "Capture card"}
    Camera(device=10).check()
    with pytest.raises(SettingError, match="there is no camera 0") as caught:
        Camera().check()
    assert caught.value.hint == 'there are: 2 "Webcam", 10 "Capture card"'
    monkeypatch.setattr(sys, "platform", "darwin")
    assert list_cameras() is None
    Camera().check()


# --- with OpenCV ---


@pytest.fixture
def cv2() -> Any:
    return pytest.importorskip("cv2", reason="opencv-python-headless is not installed")


@pytest.fixture
def video(cv2: Any, tmp_path: Path) -> str:
    """Half a second, 20 pictures a second, each brighter than the one before."""
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, (320, 240))
    for number in range(10):
        writer.write(np.full((240, 320, 3), number * 25, np.uint8))
    writer.release()
    return str(path)


def opened(cv2: Any, data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


async def test_a_video_plays_in_real_time(cv2: Any, video: str) -> None:
    source = Camera(path=video, interval_s=0.1, longest_side=160)
    source.check()
    frames, report = await see(source)
    assert report.completed
    assert 3 <= len(frames) <= 5
    images = [opened(cv2, frame.data) for frame in frames]
    assert {image.shape for image in images} == {(120, 160, 3)}
    for frame, image in zip(frames[1:], images[1:], strict=True):
        since = (frame.pts - frames[0].pts) / 1e9
        assert float(image.mean()) - float(images[0].mean()) == pytest.approx(since * 500, abs=80)


async def test_what_is_no_video_is_refused(cv2: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    path.write_text("This is no video.")
    with pytest.raises(ProcessorFailure, match=r"a\.avi is no video that OpenCV can read"):
        await see(Camera(path=str(path)))
    with pytest.raises(SettingError, match="there is no file"):
        Camera(path=str(tmp_path / "b.avi")).check()


@pytest.mark.parametrize(
    ("limits", "longest"), [(Limits(640, 90, 10**6), 640), (Limits(2000, 90, 10**6), 800)]
)
def test_pictures_are_no_larger_than_asked_for(cv2: Any, limits: Limits, longest: int) -> None:
    image = opened(cv2, encode(cv2, noise(600, 800), limits))
    assert image.shape == (longest * 3 // 4, longest, 3)


@pytest.mark.parametrize("most_bytes", [50_000, 5000, 1000, 1])
def test_what_is_too_large_becomes_coarser_and_then_smaller(cv2: Any, most_bytes: int) -> None:
    data = encode(cv2, noise(600, 800), Limits(800, 90, most_bytes))
    assert len(data) <= max(most_bytes, 700)
    assert opened(cv2, data).size >= 3


def test_what_cannot_be_encoded_is_refused() -> None:
    opencv = SimpleNamespace(imencode=lambda *_: (False, None), IMWRITE_JPEG_QUALITY=1)
    with pytest.raises(CameraError, match="cannot encode"):
        encode(opencv, noise(8, 8), Limits(8, 90, 100))


def noise(height: int, width: int) -> Any:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
