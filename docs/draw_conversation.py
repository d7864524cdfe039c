"""Draws `conversation.svg`: both sides of the quickstart, as its recordings hold them.

Run from the repository's root: `python docs/draw_conversation.py`. The quickstart runs in virtual
time, so that the picture is the same every time.
"""

import json
import os
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import soundfile

from pipeline import load
from pipeline.testing import run_virtually

ROOT = Path(__file__).resolve().parent.parent
WIDTH, LEFT, LANE, PER_SECOND = 1000, 70, 110, 60
COLOURS = {"user": "#1b7f9e", "model": "#3a8f3a"}


def wave(samples: np.ndarray, rate: int, middle: float, colour: str) -> str:
    """One bar per pixel: the loudest sample in it."""
    step = rate / PER_SECOND
    bars = []
    for pixel in range(int(len(samples) / step)):
        loudest = np.abs(samples[int(pixel * step) : int((pixel + 1) * step)]).max()
        height = max(1.0, 60 * float(loudest))
        x = LEFT + pixel
        bars.append(f"M{x} {middle - height / 2:.1f}v{height:.1f}")
    return f'<path d="{"".join(bars)}" stroke="{colour}"/>'


def words(rows: list[dict], middle: float) -> list[str]:
    """What was said, under its sound, broken where the next utterance begins."""
    lines = []
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        x = LEFT + row["start"] * PER_SECOND
        room = (following["start"] - row["start"]) * PER_SECOND if following else WIDTH - x
        text, limit = row["text"], max(12, int(room / 6.2))
        if len(text) > limit:
            text = text[: limit - 1].rsplit(" ", 1)[0] + "…"
        lines.append(f'<text x="{x:.0f}" y="{middle + 48}">{escape(text)}</text>')
        if row.get("interrupted"):
            end = LEFT + row["end"] * PER_SECOND
            lines.append(
                f'<path d="M{end:.0f} 20V{2 * LANE + 20}" stroke="#b03030" stroke-dasharray="4 3"/>'
                f'<text x="{end + 5:.0f}" y="16" fill="#b03030">interrupted</text>'
            )
    return lines


def draw() -> str:
    """The picture as SVG text."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            run_virtually(load(ROOT / "configs/quickstart.yaml"))
        finally:
            os.chdir(here)
        runs = Path(folder, "runs/quickstart")
        rows = [json.loads(line) for line in (runs / "transcript.jsonl").read_text().splitlines()]
        parts = []
        for lane, speaker in enumerate(("user", "model")):
            middle = 60 + lane * LANE
            samples, rate = soundfile.read(runs / f"{speaker}.wav", dtype="float32")
            parts.append(f'<text x="8" y="{middle + 5}" font-weight="bold">{speaker}</text>')
            parts.append(wave(samples, rate, middle, COLOURS[speaker]))
            parts += words([row for row in rows if row["speaker"] == speaker], middle)
    height = 2 * LANE + 50
    for second in range(0, 16, 2):
        x = LEFT + second * PER_SECOND
        parts.append(f'<text x="{x}" y="{height - 8}" fill="#777">{second} s</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12">'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    Path(ROOT, "docs/conversation.svg").write_text(draw(), encoding="utf-8")
