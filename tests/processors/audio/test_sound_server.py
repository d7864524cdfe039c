"""The real thing: PortAudio, ALSA and a PulseAudio server of the test's own, without a sound card.

Its only device plays into nothing, and what it plays can be recorded as from a microphone.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.slow

ROOM = """
load-module module-native-protocol-unix
load-module module-null-sink sink_name=room rate=48000 channels=2
"""
FIND = """
import sounddevice
print([device["name"] for device in sounddevice.query_devices()])
"""
MICROPHONE = """
processors:
  microphone: {use: microphone, device: pulse, rate: 16000}
  file: {use: audio_sink, path: heard.wav}
flow: [microphone -> file]
"""
HERTZ = 640
SECONDS = 1.5


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """The environment in which the sound server is found."""
    for program in ("pulseaudio", "paplay"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} here")
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    (tmp_path / "room.pa").write_text(ROOM)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "HOME": str(tmp_path)}
    for name in ("PULSE_SERVER", "PULSE_RUNTIME_PATH", "DBUS_SESSION_BUS_ADDRESS"):
        environment.pop(name, None)
    command = ["pulseaudio", "-n", "-F", tmp_path / "room.pa", "--exit-idle-time=-1"]
    server = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while not (folder / "pulse/native").exists():
            if server.poll() is not None or time.monotonic() > until:
                pytest.skip("PulseAudio does not start here")
            time.sleep(0.05)
        found = subprocess.run(
            [sys.executable, "-c", FIND],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if "'pulse'" not in found.stdout:
            pytest.skip("sounddevice, PortAudio or ALSA's plugin for PulseAudio is missing")
        yield environment
    finally:
        server.terminate()
        server.wait(10)


def test_a_microphone_hears_what_is_played(room: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "listen.yaml").write_text(MICROPHONE)
    tone = 0.5 * np.sin(np.arange(int(SECONDS * 48_000)) * 2 * np.pi * HERTZ / 48_000)
    soundfile.write(tmp_path / "tone.wav", tone, 48_000)
    command = [sys.executable, "-m", "pipeline", "run", "listen.yaml"]
    with subprocess.Popen(
        command, env=room, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as listening:
        until = time.monotonic() + 20
        while not (tmp_path / "heard.wav").exists() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(1)  # the server takes that long to settle
        subprocess.run(["paplay", "tone.wav"], env=room, cwd=tmp_path, check=True, timeout=20)
        time.sleep(0.5)
        listening.send_signal(2)
        output, _ = listening.communicate(timeout=20)
    assert listening.returncode in (0, 130), output
    heard, rate = soundfile.read(tmp_path / "heard.wav")
    assert rate == 16_000
    loud = np.flatnonzero(np.abs(heard) > 0.1)
    assert (loud[-1] - loud[0]) / rate == pytest.approx(SECONDS, abs=0.05)
    middle = heard[loud[0] + 4000 : loud[0] + 4000 + 8000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * 2 == HERTZ
    assert np.max(np.abs(heard)) == pytest.approx(0.5, abs=0.02)
