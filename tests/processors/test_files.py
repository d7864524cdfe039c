import os
from pathlib import Path

import pytest

from pipeline import SettingError
from processors.files import check_writable


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
