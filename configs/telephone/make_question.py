"""Makes question.ulaw: the question of speech/question.wav as a telephone carries it.

8 kHz, mono, G.711 µ-law, without a header. The same version of soxr gives the same bytes. Run it
again with

    python configs/telephone/make_question.py
"""

from pathlib import Path

import numpy as np
import soundfile  # type: ignore[import-untyped, unused-ignore]
import soxr  # type: ignore[import-untyped, unused-ignore]

from processors.audio.codecs import encode
from processors.audio.pcm import from_float

HERE = Path(__file__).parent
RATE = 8000


def main() -> None:
    """Writes it."""
    sound, rate = soundfile.read(HERE.parent / "speech/question.wav", dtype="float32")
    mono = soxr.resample(sound.mean(axis=1), rate, RATE, quality="VHQ").astype(np.float32)
    (HERE / "question.ulaw").write_bytes(encode(from_float(mono[:, None]), "mulaw"))


if __name__ == "__main__":
    main()
