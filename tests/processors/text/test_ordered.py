"""Tests of files whose entries are in order."""

import errno
import io

from hypothesis import given
from hypothesis import strategies as st

from processors.text import ordered
from processors.text.ordered import OrderedFile


class Watched(io.BytesIO):
    """Counts the calls by which it is written."""

    calls = 0

    def write(self, data: object) -> int:
        self.calls += 1
        return super().write(data)  # type: ignore[arg-type]


def render(number: int, entry: str) -> str:
    return f"{number}: {entry}\n"


@given(st.lists(st.tuples(st.integers(0, 9), st.text("aé\N{GRINNING FACE}", max_size=9))))
def test_it_is_whole_and_in_order_after_each_entry(entries: list[tuple[int, str]]) -> None:
    file = Watched()
    document = OrderedFile(file, "Köpfe\n", render)
    for count, (time, entry) in enumerate(entries, 1):
        document.add(time, entry)
        assert file.calls == count + 1  # a process may be killed between two of them
        known = sorted(entries[:count], key=lambda known: known[0])
        lines = [render(number, text) for number, (_, text) in enumerate(known, 1)]
        assert file.getvalue().decode() == "Köpfe\n" + "".join(lines)


def test_what_comes_in_order_is_only_added() -> None:
    file = Watched()
    document = OrderedFile(file, "", render)
    for number in range(2000):
        document.add(number, "x")
    assert len(document._entries) <= 2 * ordered.REMEMBERED
    document.add(0, "very late")
    lines = file.getvalue().decode().splitlines()
    assert [int(line.partition(":")[0]) for line in lines] == list(range(1, 2002))
    place = lines.index(next(line for line in lines if line.endswith("very late")))
    assert ordered.REMEMBERED <= 2001 - place <= 2 * ordered.REMEMBERED


class Full(io.BytesIO):
    """Has room for so many bytes, and takes a part of what is too much."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: object) -> int:
        part = bytes(data)[: self.room - self.tell()]  # type: ignore[call-overload]
        if not part:
            raise OSError(errno.ENOSPC, "full")
        return super().write(part)


@given(st.lists(st.tuples(st.integers(0, 9), st.text("ab", max_size=9))), st.integers(1, 90))
def test_what_finds_no_room_changes_nothing(entries: list[tuple[int, str]], room: int) -> None:
    file = Full(room)
    document = OrderedFile(file, "", render)
    kept: list[tuple[int, str]] = []
    for time, entry in entries:
        try:
            document.add(time, entry)
        except OSError:
            pass
        else:
            kept.append((time, entry))
        known = sorted(kept, key=lambda known: known[0])
        lines = [render(number, text) for number, (_, text) in enumerate(known, 1)]
        assert file.getvalue().decode() == "".join(lines)
    file.room = 10**6
    document.add(10, "last")
    assert file.getvalue().decode() == "".join(lines if entries else []) + render(
        len(kept) + 1, "last"
    )


class Short(io.BytesIO):
    """Takes three bytes at a time, as a file may."""

    def write(self, data: object) -> int:
        return super().write(bytes(data)[:3])  # type: ignore[call-overload]


def test_what_was_written_in_part_is_completed() -> None:
    file = Short()
    OrderedFile(file, "a head", render).add(0, "an entry")
    assert file.getvalue() == b"a head1: an entry\n"
