"""Whether a file is whole: what a reader finds in it is all that there is."""

import json
import re
import wave
from pathlib import Path
from typing import Any

import numpy as np

CUE = re.compile(r"(\d+\n)?[\d:.,]{12} --> [\d:.,]{12}\n(.+\n)+")


def wav_samples(path: Path) -> np.ndarray:
    """Samples of a WAV file whose header tells its length."""
    with wave.open(str(path), "rb") as file:
        width = file.getnchannels() * file.getsampwidth()
        assert path.stat().st_size == 44 + file.getnframes() * width
        data = file.readframes(file.getnframes())
        return np.frombuffer(data, "<i2").reshape(-1, file.getnchannels())


def json_rows(path: Path) -> list[Any]:
    """Rows of a file of JSON lines, each of which is whole."""
    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def check(path: Path) -> None:
    """Assert that a file is what its name says."""
    if path.suffix == ".wav":
        wav_samples(path)
    elif path.suffix == ".jsonl":
        json_rows(path)
    elif path.suffix in (".srt", ".vtt"):
        text = path.read_text(encoding="utf-8").removeprefix("WEBVTT\n").strip("\n")
        assert all(CUE.fullmatch(f"{cue}\n") for cue in text.split("\n\n") if text), text[-300:]
    elif path.suffix == ".txt":
        text = path.read_text(encoding="utf-8")
        assert text == "" or text.endswith("\n")
    else:
        raise AssertionError(f"nothing is known of {path}")
