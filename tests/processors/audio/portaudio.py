"""A stand-in for the package sounddevice, for machines without a sound card.

Its streams call back from a thread of their own, as PortAudio does, with the memory that they own
and write over at once; the blocks are given by the test.
"""

from collections.abc import Callable, Iterable
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

LATENCY = 0.03
"""Seconds."""


class PortAudioError(Exception):
    pass


class Flags:
    """What is set of `sounddevice.CallbackFlags`."""

    def __init__(self, *names: str) -> None:
        for name in ("input_overflow", "input_underflow", "output_overflow", "output_underflow"):
            setattr(self, name, name in names)
        self._names = names

    def __bool__(self) -> bool:
        return bool(self._names)


def a_device(
    name: str, inputs: int = 1, outputs: int = 0, rate: int = 48_000, system: int = 0
) -> Any:
    return {
        "name": name,
        "hostapi": system,
        "max_input_channels": inputs,
        "max_output_channels": outputs,
        "default_samplerate": float(rate),
    }


class StandIn:
    """What `import sounddevice` gives.

    rates: what the devices can do. blocks: what an input stream gives: bytes, with flags or not.
    refuses: raised where a stream is opened.
    """

    PortAudioError = PortAudioError

    def __init__(
        self,
        *devices: Any,
        default: tuple[int, int] = (0, 0),
        systems: Iterable[str] = ("ALSA",),
        rates: Iterable[int] = (44_100, 48_000),
        blocks: Iterable[bytes | tuple[bytes, Flags]] = (),
        refuses: Exception | None = None,
    ) -> None:
        self.devices = list(devices)
        self.default = SimpleNamespace(device=default)
        self.streams: list[Stream] = []
        self.blocks = blocks
        self.refuses = refuses
        self.starting: Exception | None = None
        self._systems = systems
        self._rates = set(rates)

    def query_devices(self) -> list[Any]:
        return self.devices

    def query_hostapis(self) -> list[Any]:
        return [{"name": name} for name in self._systems]

    def check_input_settings(
        self, *, device: int, channels: int, dtype: str, samplerate: int
    ) -> None:
        assert dtype == "int16"
        if samplerate not in self._rates:
            raise PortAudioError("Invalid sample rate", -9997)

    check_output_settings = check_input_settings

    def RawInputStream(self, **settings: Any) -> "Stream":  # noqa: N802
        if self.refuses:
            raise self.refuses
        self.streams.append(Stream(settings, self.blocks, self.starting))
        return self.streams[-1]

    RawOutputStream = RawInputStream


class Stream:
    def __init__(
        self,
        settings: Any,
        blocks: Iterable[bytes | tuple[bytes, Flags]],
        starting: Exception | None,
    ) -> None:
        self.settings = settings
        self._starting = starting
        self.closed = False
        self.started = False
        self.exhausted = Event()
        self._closing = Event()
        self._callback: Callable[..., None] = settings["callback"]
        self._thread = Thread(target=self._run, args=(blocks,), daemon=True)

    def start(self) -> None:
        if self._starting:
            raise self._starting
        self.started = True
        self._thread.start()

    def close(self) -> None:
        self.closed = True
        self._closing.set()
        if self.started:
            self._thread.join()

    def _run(self, blocks: Iterable[bytes | tuple[bytes, Flags]]) -> None:
        """What is given to it as a block that is empty is a pause until the stream is closed."""
        clock = 1000.0
        for block in blocks:
            data, flags = block if isinstance(block, tuple) else (block, Flags())
            if not data:
                self.exhausted.set()
                self._closing.wait(10)
            if self._closing.is_set():
                break
            memory = bytearray(data)
            count = len(data) // 2 // self.settings["channels"]
            clock += count / self.settings["samplerate"]
            times = SimpleNamespace(
                inputBufferAdcTime=clock - LATENCY,
                currentTime=clock,
                outputBufferDacTime=clock + LATENCY,
            )
            self._callback(memoryview(memory), count, times, flags)
            memory[:] = b"\x55" * len(memory)
        if finished := self.settings["finished_callback"]:
            finished()
