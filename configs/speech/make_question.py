"""Makes question.wav: somebody asks a question, and later interrupts the answer with another.

48 kHz, stereo, 16-bit PCM. The words are spoken by espeak-ng, which writes 22.05 kHz mono; they
are trimmed, resampled, panned a little to the left and laid over faint room tone that lasts for
the whole file. The same versions of espeak-ng, numpy and soxr give the same bytes.

Run it again, with espeak-ng installed and numpy and soxr importable, with

    python configs/speech/make_question.py
"""

import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
import soxr  # type: ignore[import-untyped, unused-ignore]
from numpy.typing import NDArray

OUTPUT = Path(__file__).with_name("question.wav")
RATE = 48000
UTTERANCES = (  # start in seconds, words
    (0.4, "What will the weather be like in Lisbon this weekend?"),
    (8.2, "Sorry, stop. And what about Porto?"),
)
TAIL = 1.2  # seconds of room tone after the last word
SPEED = 165  # espeak-ng's words a minute
PAN = np.array([0.9, 0.7])  # left, right
PEAK = 10.0 ** (-6 / 20)
ROOM = 10.0 ** (-62 / 20)  # RMS
ROOM_SHARED = 0.7  # of the power of the room tone that both channels have in common


def speak(text: str) -> NDArray[np.float64]:
    """Returns a text spoken by espeak-ng, shape (n,), at RATE, from first to last sound, peak 1."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "speech.wav")
        command = ["espeak-ng", "-v", "en-us", "-s", str(SPEED), "-w", str(path), text]
        subprocess.run(command, check=True)
        with wave.open(str(path)) as file:
            rate = file.getframerate()
            speech = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    sounding = np.flatnonzero(np.abs(speech) > 0.005)
    speech = speech[sounding[0] : sounding[-1] + 1]
    resampled: NDArray[np.float64] = soxr.resample(speech, rate, RATE, quality="VHQ")
    return resampled / float(np.abs(resampled).max())


def room_tone(size: int) -> NDArray[np.float64]:
    """Returns noise of shape (size, 2), its channels partly alike."""
    left, right, shared = np.random.default_rng(0).standard_normal((3, size))
    own = np.stack([left, right], axis=1)
    noise = ROOM_SHARED**0.5 * shared[:, None] + (1.0 - ROOM_SHARED) ** 0.5 * own
    return np.asarray(ROOM * noise)


def main() -> None:
    """Writes OUTPUT."""
    try:
        speeches = [(round(start * RATE), speak(text)) for start, text in UTTERANCES]
    except FileNotFoundError:
        sys.exit("espeak-ng is not installed: install it to make the recording again")
    end = max(start + len(speech) for start, speech in speeches)
    signal = room_tone(end + round(TAIL * RATE))
    for start, speech in speeches:
        signal[start : start + len(speech)] += PEAK / PAN.max() * PAN * speech[:, None]
    with wave.open(str(OUTPUT), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.rint(32767 * signal).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
