"""Whose work a thread does, found from outside."""

import selectors
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from pipeline import TextFrame, Transform
from pipeline.runtime.blame import any_work, is_at_rest, work_of

ME = threading.get_ident
OTHER = ThreadPoolExecutor(1)


class Reporter(Transform):
    """Says what it is found to be doing."""

    def process(self, frame: TextFrame) -> Iterator[TextFrame]:
        yield TextFrame(OTHER.submit(work_of, ME()).result().where)
        yield TextFrame(helper())


def helper() -> str:
    return OTHER.submit(work_of, ME()).result().where


def made(reporter: Reporter) -> Reporter:
    reporter.context = object()  # type: ignore[assignment]
    return reporter


def test_a_processor_is_found_and_the_innermost_line_that_is_of_no_library() -> None:
    lines = [frame.text for frame in made(Reporter()).process(TextFrame(""))]
    assert [line.partition(" in ")[2] for line in lines] == ["process", "helper"]
    assert all(line.startswith("test_blame.py:") for line in lines)


def test_what_has_no_context_yet_is_at_no_work() -> None:
    found = []

    class Other(Transform):
        def process(self, frame: TextFrame) -> Iterator[TextFrame]:
            found.append(OTHER.submit(work_of, ME()).result())
            yield frame

    assert list(Other().process(TextFrame("")))
    assert found[0].processor is None
    assert found[0].where.endswith(" in process")
    assert any_work(ME()) is None


def test_another_threads_work_is_found_if_this_one_has_none() -> None:
    begun, over = threading.Event(), threading.Event()

    class Waits(Transform):
        def process(self, frame: TextFrame) -> Iterator[TextFrame]:
            begun.set()
            over.wait()
            yield frame

    waits = Waits()
    waits.context = object()  # type: ignore[assignment]
    thread = threading.Thread(target=lambda: list(waits.process(TextFrame(""))))
    thread.start()
    begun.wait()
    work = any_work(ME())
    over.set()
    thread.join()
    assert work is not None
    assert work.processor is waits
    assert work.where.endswith(" in process")  # not the line of `threading`
    assert work_of(thread.ident or 0).where == "a thread that has ended"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_event_loop_that_waits_is_at_rest_and_one_that_works_is_not(backend: str) -> None:
    async def main() -> None:
        thread, found = ME(), []

        def look() -> None:
            while not found or not found[-1]:  # until it waits for this thread
                found.append(is_at_rest(thread))

        assert not is_at_rest(thread)
        with anyio.fail_after(5):
            await anyio.to_thread.run_sync(look)

    anyio.run(main, backend=backend)


def test_who_waits_for_a_selector_of_his_own_is_not_at_rest() -> None:
    """As `subprocess` does, on the event loop."""
    found = []
    with selectors.DefaultSelector() as selector:
        thread = threading.Thread(target=selector.select, args=(0.2,))
        thread.start()
        while thread.is_alive():
            found.append(is_at_rest(thread.ident or 0))
            thread.join(0.02)
    assert len(found) > 2
    assert not any(found[1:-1])
