"""Tests of still pictures."""

import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import Graph, ImageFrame, Report, Run, SettingError, Sink
from pipeline.settings import convert
from pipeline.testing import Collect, VirtualTimeLoop
from processors.image.source import MAGIC, ImageSource, find_pictures, mime_type


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = b"".join(
    [
        b"\x89PNG\r\n\x1a\n",
        chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        chunk(b"IDAT", zlib.compress(b"\0\0")),
        chunk(b"IEND", b""),
    ]
)
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0"
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L"


@pytest.fixture
def anyio_backend() -> Any:
    """Trio's virtual clock does not wait for the thread that reads."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in (("c.jpg", JPEG), ("a.png", PNG), ("b.webp", WEBP), (".hidden", b"no")):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder").mkdir()
    return tmp_path


async def frames_of(source: ImageSource) -> tuple[list[Any], Report]:
    output = Collect()
    report = await Run(Graph({"pictures": source, "out": output}, ["pictures -> out"])).execute()
    return output.frames, report


async def test_a_folder_is_given_by_name_one_picture_a_second(folder: Path) -> None:
    source = ImageSource(str(folder))
    assert source.progress() == 0
    frames, report = await frames_of(source)
    assert source.progress() == 1
    assert [(frame.data, frame.mime_type) for frame in frames] == [
        (PNG, "image/png"),
        (WEBP, "image/webp"),
        (JPEG, "image/jpeg"),
    ]
    assert [frame.pts for frame in frames] == pytest.approx([0, 1e9, 2e9])
    assert report.seconds == pytest.approx(2)


async def test_the_interval_is_kept(folder: Path) -> None:
    frames, _ = await frames_of(ImageSource(str(folder), interval_s=0.25))
    assert [frame.pts for frame in frames] == pytest.approx([0, 0.25e9, 0.5e9])


async def test_a_loop_goes_on_until_it_is_told_to_finish(folder: Path) -> None:
    class Viewer(Sink):
        async def consume(self, frame: ImageFrame) -> None:
            seen.append(frame)
            if len(seen) == 7:
                run.finish()

    seen: list[ImageFrame] = []
    source = ImageSource(str(folder), loop=True)
    assert source.progress() is None
    run = Run(Graph({"pictures": source, "viewer": Viewer()}, ["pictures -> viewer"]))
    report = await run.execute()
    assert report.completed
    assert [frame.pts for frame in seen] == pytest.approx([n * 1e9 for n in range(7)])
    assert seen[6].data == seen[3].data == seen[0].data == PNG


async def test_a_file_is_one_picture(folder: Path) -> None:
    frames, report = await frames_of(ImageSource(str(folder / "c.jpg")))
    assert [frame.data for frame in frames] == [JPEG]
    assert report.seconds == pytest.approx(0)


async def test_the_name_does_not_decide_what_a_picture_is(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(PNG)
    frames, _ = await frames_of(ImageSource(str(tmp_path / "a.jpg")))
    assert frames[0].mime_type == "image/png"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("", ["a.png", "b.webp", "c.jpg"]),
        ("*.png", ["a.png"]),
        ("[bc].*", ["b.webp", "c.jpg"]),
        ("**/*.jpg", ["c.jpg", "folder/d.jpg"]),
        ("fold*/*", ["folder/d.jpg"]),
        ("a.png", ["a.png"]),
        ("folder/../*.jpg", ["c.jpg"]),
    ],
)
def test_patterns(folder: Path, pattern: str, names: list[str]) -> None:
    (folder / "folder/d.jpg").write_bytes(JPEG)
    found = [file.resolve() for file in find_pictures(folder / pattern)]
    assert found == [folder / name for name in names]


def test_a_folder_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "a[b]*").mkdir()
    (tmp_path / "a[b]*/c.png").write_bytes(PNG)
    assert find_pictures(tmp_path / "a[b]*/*.png") == [tmp_path / "a[b]*/c.png"]
    assert find_pictures(tmp_path / "a[b]*/c.png") == [tmp_path / "a[b]*/c.png"]


@pytest.mark.parametrize("data", [PNG, JPEG, WEBP])
def test_pictures_pass_the_check(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    ImageSource(str(tmp_path)).check()


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"\xff\xd8", b"RIFF\x24\0\0\0WAVEfmt ", b"....\0\0\0\0WEBP", b"%PDF"]
)
def test_other_files_are_found_before_anything_runs(folder: Path, data: bytes) -> None:
    (folder / "d.png").write_bytes(data)
    source = ImageSource(str(folder))
    (finding,) = Graph({"pictures": source, "out": Collect()}, ["pictures -> out"]).check()
    assert finding.code == "environment"
    assert finding.message == (f'"pictures": {folder}/d.png is not a JPEG, PNG or WebP picture')
    assert "pattern" in finding.hint
    ImageSource(str(folder / "*.webp")).check()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.png", "there is no file {0}/none.png"),
        ("none/*.png", "there is no file {0}/none/*.png"),
        ("folder", "there is no file in {0}/folder"),
        ("*.gif", "there is no file {0}/*.gif"),
    ],
)
def test_nothing_to_show_is_found_before_anything_runs(
    folder: Path, path: str, message: str
) -> None:
    with pytest.raises(SettingError) as caught:
        ImageSource(str(folder / path)).check()
    assert str(caught.value) == message.format(folder)
    assert caught.value.setting == "path"


async def test_a_file_that_changes_later_ends_the_run_with_the_reason(folder: Path) -> None:
    class Spoil(Sink):
        async def lifespan(self) -> AsyncIterator[None]:
            (folder / "c.jpg").write_bytes(b"no picture")
            yield

        async def consume(self, frame: ImageFrame) -> None: ...

    source = ImageSource(str(folder))
    with pytest.raises(Exception, match=r"c\.jpg is not a JPEG, PNG or WebP picture"):
        await Run(Graph({"pictures": source, "out": Spoil()}, ["pictures -> out"])).execute()


@pytest.mark.parametrize(("interval", "fits"), [(0, False), (-1, False), (0.01, True)])
def test_there_is_time_between_pictures(interval: float, fits: bool) -> None:
    _, problems = convert(ImageSource, {"path": "a.png", "interval_s": interval}, Path())
    assert (problems == []) == fits


@given(st.binary(max_size=16))
def test_no_other_bytes_are_taken_for_a_picture(head: bytes) -> None:
    found = mime_type(head)
    assert (found is None) or any(magic in head for magic, _ in MAGIC.values())


def test_what_is_no_pattern_is_refused(folder: Path) -> None:
    with pytest.raises(SettingError, match=r"a\*\*b\.png is no pattern: Invalid pattern") as caught:
        find_pictures(folder / "a**b.png")
    assert caught.value.setting == "path"
