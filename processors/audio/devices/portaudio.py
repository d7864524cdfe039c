"""Microphones and loudspeakers, through PortAudio.

The package sounddevice is an extra; where it, the library PortAudio or a device is missing, a
`SettingError` says what to do. Nothing is imported before it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, NamedTuple

import anyio
from anyio import to_thread

from pipeline import SettingError

Direction = Literal["input", "output"]

CHANNELS = {1: "mono", 2: "stereo"}
INSTALL = "pip install 'live-pipeline[audio]'"
INSTALL_LIBRARY = "apt install libportaudio2, or the package of your system that brings it"


class SoundDevice(NamedTuple):
    """What PortAudio says of a device, for one direction.

    channels: the most it has. rate: the one that it prefers, in Hz.
    """

    number: int
    name: str
    system: str
    channels: int
    rate: int
    direction: Direction

    def __str__(self) -> str:
        return f'{self.direction} device {self.number} "{self.name}"'


def list_devices(direction: Direction) -> list[SoundDevice]:
    """The devices of one direction, in the order of their numbers; none is no error.

    Raises SettingError where sounddevice or PortAudio is missing.
    """
    sounddevice = load_sounddevice()
    try:
        systems = [api["name"] for api in sounddevice.query_hostapis()]
        found = list(sounddevice.query_devices())
    except sounddevice.PortAudioError as error:
        raise SettingError(f"PortAudio cannot list the sound devices: {_reason(error)}") from None
    return [
        SoundDevice(
            number,
            device["name"],
            systems[device["hostapi"]],
            device[f"max_{direction}_channels"],
            round(device["default_samplerate"]),
            direction,
        )
        for number, device in enumerate(found)
        if device[f"max_{direction}_channels"] > 0
    ]


def find_device(wanted: str | int | None, direction: Direction) -> SoundDevice:
    """The device that a setting `device` names.

    wanted: its number, or words of its name and sound system in whatever case (`usb`, `Headset
    WASAPI`); None is the system's default. A name that is given in full goes before parts of names.
    Raises SettingError where there is none, or where several fit.
    """
    devices = list_devices(direction)
    if not devices:
        raise SettingError(
            f"this machine has no {direction} device for sound",
            setting="device",
            hint="connect one, and see whether `pipeline doctor` finds it",
        )
    if wanted is None:
        return _default(devices, direction)
    if isinstance(wanted, int) or wanted.strip().isdecimal():
        fitting = [device for device in devices if device.number == int(wanted)]
    else:
        fitting = _fitting(devices, wanted)
    if not fitting:
        named = f'"{wanted}"' if isinstance(wanted, str) else f"number {wanted}"
        raise SettingError(
            f"there is no {direction} device {named}",
            setting="device",
            hint=f"there are: {_listed(devices)}",
        )
    if len(fitting) > 1:
        raise SettingError(
            f'more than one {direction} device is called "{wanted}"',
            setting="device",
            hint=f"name one in full or by its number: {_listed(fitting)}",
        )
    return fitting[0]


def check_format(device: SoundDevice, rate: int, channels: int) -> None:
    """Raise SettingError where the device cannot do 16-bit sound of that rate and that many
    channels, or is in use by a program that does not share it."""
    if channels > device.channels:
        have = CHANNELS.get(device.channels, f"{device.channels} channels")
        raise SettingError(
            f"{device} has no {channels} channels but {have}",
            setting="channels",
            hint=f"at most `channels: {device.channels}`",
        )
    sounddevice = load_sounddevice()
    check = getattr(sounddevice, f"check_{device.direction}_settings")
    try:
        check(device=device.number, channels=channels, dtype="int16", samplerate=rate)
    except sounddevice.PortAudioError as error:
        raise refusal(error, device, rate) from None


@asynccontextmanager
async def open_stream(
    device: SoundDevice,
    rate: int,
    channels: int,
    block: int,
    callback: Callable[..., None],
    finished: Callable[[], None] | None = None,
    latency: float | None = None,
) -> AsyncIterator[Any]:
    """A stream of the device that runs; it is stopped at once where the context ends.

    block: samples of one channel to a callback. callback: as `sounddevice.RawInputStream` or
    `RawOutputStream` call it, in a thread of PortAudio's. finished: called there when the stream
    has stopped, by itself or because the context ends. latency: the device's own delay, in
    seconds; None for the lowest that it offers. Yields the stream.
    Raises SettingError where it cannot be opened.
    """
    sounddevice = load_sounddevice()
    make = (
        sounddevice.RawInputStream if device.direction == "input" else sounddevice.RawOutputStream
    )

    def start() -> Any:
        stream = make(
            samplerate=rate,
            blocksize=block,
            device=device.number,
            channels=channels,
            dtype="int16",
            latency="low" if latency is None else latency,
            callback=callback,
            finished_callback=finished,
        )
        try:
            stream.start()
        except BaseException:
            stream.close()
            raise
        return stream

    try:
        with anyio.CancelScope(shield=True):  # what was opened must come to be closed
            stream = await to_thread.run_sync(start)
    except sounddevice.PortAudioError as error:
        raise refusal(error, device, rate) from None
    try:
        yield stream
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(stream.close)  # of a running stream: aborts it


def refusal(error: Exception, device: SoundDevice, rate: int) -> SettingError:
    """What PortAudio refused, in words. Its codes are those of PaErrorCode in portaudio.h."""
    code = error.args[1] if len(error.args) > 1 else None
    if code == -9997:  # paInvalidSampleRate
        side = "behind" if device.direction == "input" else "before"
        return SettingError(
            f"{device} cannot do {rate} Hz",
            setting="rate",
            hint=f"leave `rate` out for its own, {device.rate} Hz, and put a resampler {side} it",
        )
    if code == -9998:  # paInvalidChannelCount
        return SettingError(
            f"{device} cannot do that many channels",
            setting="channels",
            hint=f"it has {device.channels}; some give no fewer",
        )
    if code == -9985:  # paDeviceUnavailable
        return SettingError(
            f"{device} is not available",
            setting="device",
            hint="close the program that uses it, or choose another",
        )
    return SettingError(f"{device} cannot be used: {_reason(error)}", setting="device")


def load_sounddevice() -> Any:
    """The module. Raises SettingError where it or the library that it wraps is missing."""
    try:
        return importlib.import_module("sounddevice")
    except ImportError:
        raise SettingError(
            "sound devices need the package sounddevice, which is not installed", hint=INSTALL
        ) from None
    except OSError:  # what sounddevice raises without the library
        raise SettingError(
            "sound devices need the library PortAudio, which is not installed",
            hint=INSTALL_LIBRARY,
        ) from None
    except Exception as error:  # PortAudio begins to work where it is imported
        raise SettingError(f"PortAudio cannot be used: {_reason(error)}") from None


def _default(devices: list[SoundDevice], direction: Direction) -> SoundDevice:
    """The default of the first sound system that has one, which is the system's own choice."""
    sounddevice = load_sounddevice()
    chosen = sounddevice.default.device[0 if direction == "input" else 1]
    for device in devices:
        if device.number == chosen:
            return device
    raise SettingError(
        f"this machine has no default {direction} device for sound",
        setting="device",
        hint=f"choose one: {_listed(devices)}",
    )


def _fitting(devices: list[SoundDevice], wanted: str) -> list[SoundDevice]:
    text = wanted.strip().casefold()
    exact = [device for device in devices if device.name.casefold() == text]
    words = text.split()
    parts = [
        device
        for device in devices
        if all(word in f"{device.name} {device.system}".casefold() for word in words)
    ]
    fitting = exact or parts
    return fitting[:1] if _are_one(fitting) else fitting


def _are_one(devices: list[SoundDevice]) -> bool:
    """One device as several sound systems show it; the first one's goes before the others'."""
    return len({d.name.casefold() for d in devices}) == 1 and len({d.system for d in devices}) == (
        len(devices)
    )


def _listed(devices: list[SoundDevice]) -> str:
    return ", ".join(f'{device.number} "{device.name}" ({device.system})' for device in devices)


def _reason(error: Exception) -> str:
    return " ".join(str(error.args[0] if error.args else error).split())
