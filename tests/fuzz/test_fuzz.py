"""The targets of the fuzzer take what they begin with, and what has once been found."""

import random

import pytest

pytest.importorskip("starlette", reason="needs the extra `serve`")

from fuzz import TARGETS, seeds

FOUND = (b"", b"7", b"\xff\xfe", b"[" * 60_000, b"a: 0x" + b"f" * 5_000, b"{" * 5_000, b"\0")


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_anything(name: str) -> None:
    chance = random.Random(1)
    for seed in seeds(name):
        TARGETS[name](seed)
        for _ in range(5):
            data = bytearray(seed)
            data[chance.randrange(len(data))] = chance.randrange(256)
            TARGETS[name](bytes(data))
    for data in FOUND:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_begins_with_something(name: str) -> None:
    assert all(seeds(name))
