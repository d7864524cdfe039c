import json
import os
from pathlib import Path
from typing import IO

import pytest

from pipeline import SettingError
from pipeline.errors import describe
from processors.files import append, check_writable, create, replace_file
from tests.full_disk import room_in_each_file


def test_a_file_that_can_be_made_or_replaced(tmp_path: Path) -> None:
    (tmp_path / "old.wav").write_text("x")
    for path in (tmp_path / "new.wav", tmp_path / "a/b/new.wav", tmp_path / "old.wav"):
        check_writable(path)
    assert os.listdir(tmp_path) == ["old.wav"]


def test_paths_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingError, match=r"is a folder$"):
        check_writable(tmp_path)
    with pytest.raises(SettingError, match=r"file is not a folder$"):
        check_writable(tmp_path / "file/x.wav")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SettingError, match="permission denied"):
        check_writable(tmp_path / "x.wav")


def test_a_line_that_finds_no_room_leaves_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb", buffering=0) as file:
        with room_in_each_file(100):
            for number in range(6):
                line = json.dumps({"number": number, "text": "x" * 20}).encode() + b"\n"
                if number < 2:
                    append(file, line)
                else:
                    with pytest.raises(OSError, match="too large"):
                        append(file, line)
        append(file, line)
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [0, 1, 5]


def test_of_samples_whole_ones_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    limited = room_in_each_file(10)
    error = pytest.raises(OSError, match="too large")
    with path.open("wb", buffering=0) as file, limited, error:
        append(file, bytes(range(16)), unit=4)
    assert path.read_bytes() == bytes(range(8))


def test_a_pipe_without_a_reader_is_an_error_as_it_is() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as file, pytest.raises(BrokenPipeError):
        append(file, b"x")


def test_a_file_is_replaced_in_one_step_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.html"
    replace_file(path, b"one")
    with room_in_each_file(100), pytest.raises(OSError, match=r"too large: .*a\.html'"):
        replace_file(path, b"x" * 200)
    assert path.read_bytes() == b"one"
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["a.html"]


def test_a_file_that_is_replaced_is_for_whom_it_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.with_name("a.json.part").write_bytes(b"left by a process that was killed")
    replace_file(path, b"secret", mode=0o600)
    assert path.read_bytes() == b"secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a.json"]


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "null"
    path.symlink_to(os.devnull)
    replace_file(path, b"x")
    assert path.is_symlink()
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no named pipes")
    os.mkfifo(tmp_path / "pipe.jsonl")
    return tmp_path / "pipe.jsonl"


def test_a_pipe_that_nobody_reads_is_not_waited_for(pipe: Path) -> None:
    with pytest.raises(OSError, match=r"No such device or address: .*pipe\.jsonl") as caught:
        create(pipe)
    assert "nobody reads the other end: start what does so first" in describe(caught.value)


def test_a_reader_that_does_not_keep_up_is_not_waited_for(pipe: Path) -> None:
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    line = b"x" * 999 + b"\n"
    written = 0

    def write(file: IO[bytes]) -> None:
        nonlocal written
        while True:
            append(file, line)
            written += 1

    with create(pipe) as file, open(reader, "rb", buffering=0) as read:
        with pytest.raises(BlockingIOError) as caught:
            write(file)
        assert "what reads the other end does not keep up" in describe(caught.value)
        assert 10 < written < 10_000
        data = b""
        while (piece := read.read(1 << 16)) is not None:
            data += piece
    assert data == line * written


def test_what_has_to_go_back_in_its_file_takes_no_pipe(pipe: Path) -> None:
    check_writable(pipe, pipes=True)
    with pytest.raises(SettingError, match="is a pipe"):
        check_writable(pipe)
