"""A resumption handle in a file."""

import stat
from pathlib import Path

import pytest

from processors.live_api.handles import GOOD_FOR_S, load_handle, save_handle


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "handle.json"


def test_what_was_saved_is_loaded(path: Path) -> None:
    save_handle(path, "first", "m", 100.0)
    save_handle(path, "second", "m", 200.0)
    assert load_handle(path, "m", 201.0) == "second"
    assert [file.name for file in path.parent.iterdir()] == ["handle.json"]


def test_nobody_else_may_read_it(path: Path) -> None:
    save_handle(path, "h", "m", 0.0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("model", "now", "expected"),
    [
        ("m", 100.0 + GOOD_FOR_S - 1, "h"),
        ("m", 100.0 + GOOD_FOR_S, None),
        ("m", 99.0, None),
        ("other", 101.0, None),
    ],
)
def test_a_handle_is_for_one_model_and_a_time(
    path: Path, model: str, now: float, expected: str | None
) -> None:
    save_handle(path, "h", "m", 100.0)
    assert load_handle(path, model, now) == expected


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\x00", b'{"handle": 1}'])
def test_a_damaged_file_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "handle.json"
    assert load_handle(path, "m", 0.0) is None
    path.write_bytes(content)
    assert load_handle(path, "m", 0.0) is None
    assert load_handle(tmp_path, "m", 0.0) is None
