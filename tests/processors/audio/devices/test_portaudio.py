"""Tests of finding and opening sound devices."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from portaudio import PortAudioError, a_device

from pipeline import SettingError
from processors.audio.devices import portaudio as devices
from processors.audio.devices.portaudio import (
    check_format,
    find_device,
    list_devices,
    load_sounddevice,
    open_stream,
)

HEADSET = a_device("USB Headset: Audio (hw:1,0)", 1, 2)
SPEAKER = a_device("HDA Intel PCH: ALC257 (hw:0,0)", 0, 2)
WEBCAM = a_device("USB Webcam", 2, 0, rate=44_100)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_devices_are_those_of_one_direction(present: Any) -> None:
    present(SPEAKER, HEADSET, WEBCAM)
    assert [(d.number, d.channels, d.rate) for d in list_devices("input")] == [
        (1, 1, 48_000),
        (2, 2, 44_100),
    ]
    assert [d.number for d in list_devices("output")] == [0, 1]


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        (None, 2),
        (1, 1),
        ("1", 1),
        ("headset", 1),
        (" usb WEB ", 2),
        ("Webcam ALSA", 2),
        ("USB Webcam", 2),
    ],
)
def test_a_device_is_found(present: Any, wanted: Any, number: int) -> None:
    present(SPEAKER, HEADSET, WEBCAM, default=(2, 0))
    assert find_device(wanted, "input").number == number


def test_a_name_in_full_goes_before_parts_of_others(present: Any) -> None:
    present(a_device("USB Audio #2"), a_device("USB Audio"))
    assert find_device("usb audio", "input").number == 1


def test_a_device_that_two_sound_systems_show_is_one(present: Any) -> None:
    twice = [a_device("Headset"), a_device("Headset", system=1)]
    present(*twice, systems=["MME", "WASAPI"])
    assert find_device("headset", "input").number == 0
    assert find_device("headset wasapi", "input").number == 1


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        (0, "there is no input device number 0", 'there are: 1 "USB Headset: Audio (hw:1,0)"'),
        ("7", 'there is no input device "7"', "there are: 1 "),
        ("usb webcan", 'there is no input device "usb webcan"', "there are: 1 "),
        ("usb", 'more than one input device is called "usb"', "name one in full or by its number"),
        ("", 'more than one input device is called ""', "name one in full or by its number"),
    ],
)
def test_what_is_not_there_is_said(present: Any, wanted: Any, message: str, hint: str) -> None:
    present(SPEAKER, HEADSET, WEBCAM)
    with pytest.raises(SettingError) as caught:
        find_device(wanted, "input")
    assert (str(caught.value), caught.value.setting) == (message, "device")
    assert caught.value.hint.startswith(hint)


def test_a_machine_without_devices_says_so(present: Any) -> None:
    present(SPEAKER, default=(-1, 0))
    with pytest.raises(SettingError, match="this machine has no input device for sound") as caught:
        find_device(None, "input")
    assert "pipeline doctor" in caught.value.hint


def test_a_machine_without_a_default_lists_what_there_is(present: Any) -> None:
    present(HEADSET, default=(-1, -1))
    with pytest.raises(SettingError, match="no default input device") as caught:
        find_device(None, "input")
    assert caught.value.hint == 'choose one: 0 "USB Headset: Audio (hw:1,0)" (ALSA)'


@pytest.mark.parametrize(
    ("cause", "message", "hint"),
    [
        (ImportError(), "need the package sounddevice", "pip install 'live-pipeline[audio]'"),
        (OSError("PortAudio library not found"), "need the library PortAudio", "apt install"),
        (PortAudioError("no  host"), "PortAudio cannot be used: no host", ""),
    ],
)
def test_what_is_not_installed_is_said(
    monkeypatch: pytest.MonkeyPatch, cause: Exception, message: str, hint: str
) -> None:
    def refuse(name: str) -> None:
        raise cause

    monkeypatch.setattr(devices, "importlib", SimpleNamespace(import_module=refuse))
    with pytest.raises(SettingError, match=message) as caught:
        load_sounddevice()
    assert caught.value.hint.startswith(hint)


def test_devices_that_cannot_be_listed(present: Any) -> None:
    stand_in = present(HEADSET)

    def broken() -> None:
        raise PortAudioError("no  driver")

    stand_in.query_devices = broken
    with pytest.raises(SettingError, match="cannot list the sound devices: no driver"):
        list_devices("input")


def test_formats_that_a_device_cannot_do(present: Any) -> None:
    present(HEADSET)
    headset = find_device(None, "input")
    check_format(headset, 44_100, 1)
    with pytest.raises(SettingError, match="cannot do 8000 Hz") as rate:
        check_format(headset, 8000, 1)
    assert rate.value.setting == "rate"
    assert "its own, 48000 Hz, and put a resampler behind it" in rate.value.hint
    with pytest.raises(SettingError, match="has no 2 channels but mono") as channels:
        check_format(headset, 48_000, 2)
    assert channels.value.setting == "channels"


@pytest.mark.parametrize(
    ("error", "setting", "message"),
    [
        (PortAudioError("", -9997), "rate", "cannot do 48000 Hz"),
        (PortAudioError("", -9998), "channels", "cannot do that many channels"),
        (PortAudioError("", -9985), "device", "is not available"),
        (PortAudioError("Host\nerror", -9999, ()), "device", "cannot be used: Host error"),
        (PortAudioError(), "device", "cannot be used"),
    ],
)
async def test_a_device_that_refuses_says_why(
    present: Any, error: Exception, setting: str, message: str
) -> None:
    present(HEADSET, refuses=error)
    with pytest.raises(SettingError, match=message) as caught:
        async with open_stream(find_device(None, "input"), 48_000, 1, 960, lambda *_: None):
            pytest.fail("it was opened")
    assert caught.value.setting == setting


async def test_a_stream_runs_while_it_is_open(present: Any) -> None:
    called = threading.Event()
    stand_in = present(HEADSET, blocks=[bytes(1920)])
    device = find_device(None, "input")
    async with open_stream(device, 48_000, 1, 960, lambda *_: called.set()) as stream:
        assert called.wait(5)
        assert not stream.closed
    assert stream.closed
    [opened] = stand_in.streams
    assert opened.settings["dtype"] == "int16"
    assert opened.settings["blocksize"] == 960


async def test_a_stream_that_does_not_start_is_closed(present: Any) -> None:
    stand_in = present(HEADSET)
    stand_in.starting = PortAudioError("Unanticipated host error", -9999)
    with pytest.raises(SettingError, match="Unanticipated host error"):
        async with open_stream(find_device(None, "output"), 48_000, 1, 960, lambda *_: None):
            pytest.fail("it was opened")
    assert stand_in.streams[0].closed
