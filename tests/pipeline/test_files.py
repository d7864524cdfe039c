"""Files that are not there."""

from pathlib import Path

import pytest

from pipeline import no_file
from pipeline.files import nearest_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("question.wav", "answer.wav", "talk.yaml"):
        (tmp_path / name).touch()
    return tmp_path


def test_the_nearest_one_is_named(folder: Path) -> None:
    error = no_file(folder / "questoin.wav", "path")
    assert str(error) == f"there is no file {folder}/questoin.wav"
    assert error.setting == "path"
    assert error.hint == f'did you mean "{folder}/question.wav"?'


def test_nothing_is_guessed(folder: Path) -> None:
    assert nearest_file(folder / "zebra.wav") == ""
    assert nearest_file(folder / "none" / "question.wav") == ""
    (folder / "a.wav").touch()
    assert nearest_file(folder / "b.wav") == ""


def test_a_folder_is_called_a_folder(folder: Path) -> None:
    error = no_file(folder, "path")
    assert (str(error), error.hint) == (f"{folder} is a folder", "name a file in it")
