"""Checks what the quickstart wrote: `python .ci/check_quickstart.py runs/quickstart`."""

import json
import sys
import wave
from pathlib import Path


def seconds(file: Path) -> float:
    with wave.open(str(file)) as sound:
        return sound.getnframes() / sound.getframerate()


def main() -> None:
    folder = Path(sys.argv[1])
    rows = [json.loads(line) for line in (folder / "transcript.jsonl").read_text().splitlines()]
    assert [row["speaker"] for row in rows] == ["user", "model", "user", "model"], rows
    assert [row.get("interrupted", False) for row in rows] == [False, True, False, False], rows
    assert rows[0]["text"] == "What will the weather be like in Lisbon this weekend?", rows
    assert rows[3]["text"] == "In Porto it will be cloudy, with 19 degrees.", rows
    assert all(row["start"] < row["end"] for row in rows), rows
    assert 11.936 < seconds(folder / "user.wav") < 12.2  # a stall of the machine leaves a pause
    assert 14 < seconds(folder / "model.wav") < 16
    print(f"{len(rows)} utterances and both sides' sound are as they should be")


main()
