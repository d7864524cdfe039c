"""The functions that the model calls: run, timed, withdrawn, and always answered."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NoReturn, TypedDict

import anyio
import msgspec
import numpy as np
import pytest

from pipeline import SECOND, Frame, Graph, Run, Source, ToolCall, ToolCallCancelled, ToolResult
from pipeline.frames import ToolsDeclared
from pipeline.processor import Processor
from pipeline.runtime.report import Report
from pipeline.settings import convert
from pipeline.testing import Collect, Given, VirtualTimeLoop, feed
from processors.tools.dispatcher import MOST_BYTES, ToolDispatcher

LONGEST_WAIT = 30
"""Seconds after which a thread gives up waiting for what must come at once."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


class Script(Source):
    """A source whose frames are an async generator's."""

    def __init__(self, script: Callable[[], AsyncGenerator[Frame, None]]) -> None:
        self._script = script

    async def frames(self) -> AsyncIterator[ToolCall | ToolCallCancelled]:
        async for frame in self._script():
            assert isinstance(frame, ToolCall | ToolCallCancelled)
            yield frame


def dispatcher(*functions: Callable[..., Any], **settings: Any) -> ToolDispatcher:
    names = [f"{__name__}:{function.__name__}" for function in functions]
    return ToolDispatcher(names, **settings)


def call(function: Callable[..., Any], id: str = "1", **arguments: Any) -> ToolCall:
    return ToolCall(id, function.__name__, arguments)


async def run(tools: ToolDispatcher, source: Source) -> tuple[list[ToolResult], Report]:
    output = Collect()
    processors: dict[str, Processor] = {"calls": source, "tools": tools, "output": output}
    report = await Run(Graph(processors, ["calls -> tools -> output"])).execute()
    return [frame for frame in output.frames if isinstance(frame, ToolResult)], report


async def answers(tools: ToolDispatcher, calls: Iterable[ToolCall]) -> dict[str, dict[str, Any]]:
    """The responses by call id."""
    results, _ = await run(tools, Given(calls))
    responses = {result.id: result.response for result in results}
    assert len(responses) == len(results)
    return responses


async def answer(function: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    return (await answers(dispatcher(function), [call(function, **arguments)]))["1"]


# --- running ---


def thread_of_function(a: int) -> list[int]:
    return [a, threading.get_ident()]


async def thread_of_coroutine(a: int) -> list[int]:
    await anyio.sleep(1)
    return [a, threading.get_ident()]


async def test_a_plain_function_runs_in_a_thread() -> None:
    a, thread = (await answer(thread_of_function, a=7))["output"]
    assert a == 7
    assert thread != threading.get_ident()


async def test_a_coroutine_function_runs_in_the_event_loop() -> None:
    assert await answer(thread_of_coroutine, a=7) == {"output": [7, threading.get_ident()]}


async def test_the_declarations_come_first() -> None:
    tools = dispatcher(thread_of_function, thread_of_coroutine)
    declared, *_ = await feed(tools, [call(thread_of_coroutine, a=1)])
    assert isinstance(declared, ToolsDeclared)
    assert [each["name"] for each in declared.declarations] == [
        "thread_of_function",
        "thread_of_coroutine",
    ]
    assert declared.declarations[0]["parameters"]["required"] == ["a"]


async def test_a_result_says_which_call_it_answers() -> None:
    asked = ToolCall("function-call-1", "thread_of_coroutine", {"a": 1}, turn=3)
    (result,), report = await run(dispatcher(thread_of_coroutine), Given([asked]))
    assert (result.id, result.name, result.turn) == ("function-call-1", "thread_of_coroutine", 3)
    assert result.pts == SECOND
    assert report.measurements["tool"] == [SECOND]


barrier = threading.Barrier(2)


def meet() -> str:
    barrier.wait(LONGEST_WAIT)
    return "met"


arrived: dict[str, anyio.Event] = {}


async def meet_async(name: str, other: str) -> str:
    arrived[name].set()
    await arrived[other].wait()
    return "met"


async def test_threads_run_at_once() -> None:
    barrier.reset()
    responses = await answers(dispatcher(meet), [call(meet, "1"), call(meet, "2")])
    assert responses == {"1": {"output": "met"}, "2": {"output": "met"}}


async def test_coroutines_run_at_once() -> None:
    arrived.update(a=anyio.Event(), b=anyio.Event())
    calls = [
        call(meet_async, "1", name="a", other="b"),
        call(meet_async, "2", name="b", other="a"),
    ]
    responses = await answers(dispatcher(meet_async), calls)
    assert responses == {"1": {"output": "met"}, "2": {"output": "met"}}


at_work: list[int] = []


async def work() -> int:
    at_work.append(1)
    busy = len(at_work)
    await anyio.sleep(1)
    at_work.pop()
    return busy


@pytest.mark.parametrize("at_once", [1, 3])
async def test_only_so_many_calls_run_at_once(at_once: int) -> None:
    tools = dispatcher(work, at_once=at_once, timeout_s=1.5)
    responses = await answers(tools, [call(work, str(number)) for number in range(6)])
    assert max(response["output"] for response in responses.values()) == at_once
    assert len(responses) == 6


# --- results ---


@dataclass
class Point:
    lat: float
    place_name: str


class Sky(msgspec.Struct, rename="camel"):
    cloud_cover: int


class Forecast(TypedDict):
    high: int


RESULTS: dict[str, tuple[Any, Any]] = {
    "nothing": (None, None),
    "text": ("é", "é"),
    "dataclass": (Point(1.5, "Porto"), {"lat": 1.5, "place_name": "Porto"}),
    "struct": (Sky(3), {"cloudCover": 3}),
    "dict": (Forecast(high=24), {"high": 24}),
    "keys": ({1: "a"}, {"1": "a"}),
    "nested": ([(Point(1, "a"), {2})], [[{"lat": 1, "place_name": "a"}, [2]]]),
    "date": (date(2026, 11, 22), "2026-11-22"),
    "bytes": (b"ab", "YWI="),
}
NO_RESULTS: dict[str, tuple[Any, str]] = {
    "numpy": (np.int64(3), "int64"),
    "object": (object(), "object"),
    "surrogate": ("\udcff", "UnicodeEncodeError"),
}


def give(what: str) -> Any:
    return {**RESULTS, **NO_RESULTS}[what][0]


@pytest.mark.parametrize("what", RESULTS)
async def test_results_become_what_json_can_hold(what: str) -> None:
    assert await answer(give, what=what) == {"output": RESULTS[what][1]}


@pytest.mark.parametrize("what", NO_RESULTS)
async def test_a_result_that_json_cannot_hold_is_an_error(what: str) -> None:
    response = await answer(give, what=what)
    assert list(response) == ["error"]
    assert NO_RESULTS[what][1] in response["error"]


# --- errors ---


def fail(message: str) -> NoReturn:
    raise LookupError(message)


async def fail_async(message: str) -> NoReturn:
    raise LookupError(message)


async def time_out_inside() -> None:
    with anyio.fail_after(1):
        await anyio.sleep_forever()


@pytest.mark.parametrize("function", [fail, fail_async])
async def test_an_exception_is_an_error(
    function: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert await answer(function, message="no forecast") == {"error": "LookupError: no forecast"}
    assert caplog.messages == [f"{function.__name__} failed: LookupError: no forecast"]


def much(size: int) -> str:
    return "x" * size


async def much_async(size: int) -> str:
    return "x" * size


def fails_at_length() -> NoReturn:
    raise ValueError("x" * 10_000_000)


@pytest.mark.parametrize("function", [much, much_async])
async def test_a_result_that_no_session_has_room_for_is_an_error(
    function: Callable[..., Any],
) -> None:
    most = MOST_BYTES - 2  # with its quotation marks
    calls = [call(function, "1", size=most), call(function, "2", size=most + 1)]
    calls.append(call(function, "3", size=50_000_000))
    results, _ = await run(dispatcher(much, much_async), Given(calls))
    responses = {result.id: result.response for result in results}
    assert len(responses["1"]["output"]) == most
    for id, size in (("2", "1,048,577"), ("3", "50,000,002")):
        assert responses[id] == {
            "error": f"the result of {function.__name__} has {size} bytes as JSON, "
            "and at most 1,048,576 can be sent"
        }


async def test_the_message_of_an_error_is_cut() -> None:
    [result], _ = await run(dispatcher(fails_at_length), Given([call(fails_at_length)]))
    assert result.response["error"].startswith("ValueError: xxx")
    assert len(result.response["error"]) < 2100


async def test_an_error_can_always_be_sent() -> None:
    response = await answer(fail, message="\udcff.txt")
    assert response == {"error": "LookupError: ?.txt"}
    msgspec.json.encode(response)


def leave() -> NoReturn:
    raise SystemExit(2)


async def leave_the_loop() -> NoReturn:
    raise SystemExit("no such option")


async def test_a_function_that_wants_to_end_the_program_has_failed() -> None:
    calls = [call(leave, "1"), call(leave_the_loop, "2")]
    assert await answers(dispatcher(leave, leave_the_loop), calls) == {
        "1": {"error": "SystemExit: 2"},
        "2": {"error": "SystemExit: no such option"},
    }


async def test_a_function_that_is_not_there_is_an_error() -> None:
    responses = await answers(dispatcher(work, fail), [ToolCall("1", "wrok", {})])
    assert responses["1"] == {"error": 'there is no function "wrok"; there are: fail, work'}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, 'fail: missing argument "message"'),
        ({"message": 7}, 'fail: argument "message": expected str, got int 7'),
        ({"message": "a", "mood": 1}, 'fail: unknown argument "mood"'),
    ],
)
async def test_arguments_that_do_not_fit_are_an_error(
    arguments: dict[str, Any], error: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert await answer(fail, **arguments) == {"error": error}
    assert caplog.records == []


async def test_the_others_are_answered_all_the_same() -> None:
    calls = [call(fail, "1", message="a"), call(thread_of_coroutine, "2", a=1)]
    responses = await answers(dispatcher(fail, thread_of_coroutine), calls)
    assert set(responses) == {"1", "2"}
    assert "output" in responses["2"]


# --- time limits ---


async def sleep() -> None:
    await anyio.sleep_forever()


release = threading.Event()


def block() -> None:
    assert release.wait(LONGEST_WAIT)


async def test_a_coroutine_that_takes_too_long_is_stopped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    results, report = await run(dispatcher(sleep, timeout_s=5), Given([call(sleep)]))
    assert results[0].response == {"error": "sleep took more than 5 s"}
    assert report.measurements["tool"] == [5 * SECOND]
    assert caplog.messages == ["sleep took more than 5 s"]


def test_a_thread_that_takes_too_long_is_left_alone() -> None:
    """In real time: the clock of virtual time stands still while a thread is at work."""
    release.clear()
    tools = dispatcher(block, timeout_s=0.01)
    try:
        responses = anyio.run(answers, tools, [call(block)])
    finally:
        release.set()
    assert responses == {"1": {"error": "block took more than 0.01 s"}}


async def test_a_timeout_of_its_own_is_an_error_like_others() -> None:
    response = await answer(time_out_inside)
    assert response["error"].startswith("TimeoutError")


async def test_waiting_for_a_turn_does_not_count() -> None:
    responses = await answers(
        dispatcher(thread_of_coroutine, at_once=1, timeout_s=1.5),
        [call(thread_of_coroutine, id, a=1) for id in "12345"],
    )
    assert all("output" in response for response in responses.values())


async def test_a_function_can_have_a_limit_of_its_own() -> None:
    tools = dispatcher(sleep, thread_of_coroutine, timeout_s=0.5, timeouts={"sleep": 3})
    asked = [call(sleep, "1"), call(thread_of_coroutine, "2", a=1)]
    results, _ = await run(tools, Given(asked))
    assert {(result.pts, result.response["error"]) for result in results} == {
        (3 * SECOND, "sleep took more than 3 s"),
        (SECOND // 2, "thread_of_coroutine took more than 0.5 s"),
    }


# --- in the background ---


@pytest.mark.parametrize("scheduling", ["when_idle", "interrupt", "silent"])
async def test_a_function_in_the_background_is_declared_and_answered_as_such(
    scheduling: Any,
) -> None:
    tools = dispatcher(work, thread_of_coroutine, background={"work": scheduling})
    asked = [call(work, "1"), call(thread_of_coroutine, "2", a=1)]
    declared, *results = await feed(tools, asked)
    assert isinstance(declared, ToolsDeclared)
    behaviors = {each["name"]: each.get("behavior") for each in declared.declarations}
    assert behaviors == {"work": "NON_BLOCKING", "thread_of_coroutine": None}
    schedulings = {r.id: r.scheduling for r in results if isinstance(r, ToolResult)}
    assert schedulings == {"1": scheduling, "2": None}


async def test_what_goes_wrong_in_the_background_is_answered_too() -> None:
    tools = dispatcher(sleep, timeout_s=1, background={"sleep": "silent"})
    (result,), _ = await run(tools, Given([call(sleep)]))
    assert result.scheduling == "silent"
    assert "took more than" in result.response["error"]


# --- withdrawal ---

stopped: list[str] = []
began: list[anyio.Event] = []


async def listen() -> None:
    stopped.append("no")
    try:
        await anyio.sleep_forever()
    finally:
        stopped[-1] = "yes"


loops: list[asyncio.AbstractEventLoop] = []


def begin_and_block() -> None:
    loops[-1].call_soon_threadsafe(began[-1].set)
    assert release.wait(LONGEST_WAIT)


async def test_a_withdrawn_coroutine_is_stopped_and_not_answered() -> None:
    stopped.clear()

    async def script() -> AsyncGenerator[Frame, None]:
        yield call(listen, "1")
        yield call(thread_of_coroutine, "2", a=1)
        await anyio.sleep(0.5)
        assert stopped == ["no"]
        yield ToolCallCancelled(("1", "unknown"))

    tools = dispatcher(listen, thread_of_coroutine)
    results, report = await run(tools, Script(script))
    assert stopped == ["yes"]
    assert [result.id for result in results] == ["2"]
    assert len(report.measurements["tool"]) == 1


async def test_a_withdrawn_thread_is_not_answered() -> None:
    release.clear()
    began.append(anyio.Event())
    loops.append(asyncio.get_running_loop())

    async def script() -> AsyncGenerator[Frame, None]:
        yield call(begin_and_block)
        await began[-1].wait()
        yield ToolCallCancelled(("1",))

    try:
        results, _ = await run(dispatcher(begin_and_block), Script(script))
    finally:
        release.set()
    assert results == []


async def test_a_call_that_waits_for_its_turn_can_be_withdrawn() -> None:
    async def script() -> AsyncGenerator[Frame, None]:
        for id in "123":
            yield call(thread_of_coroutine, id, a=1)
        await anyio.sleep(0.5)
        yield ToolCallCancelled(("2",))

    results, _ = await run(dispatcher(thread_of_coroutine, at_once=1), Script(script))
    assert [(result.id, result.pts) for result in results] == [("1", SECOND), ("3", 2 * SECOND)]


async def test_the_withdrawal_of_an_answered_call_is_ignored() -> None:
    async def script() -> AsyncGenerator[Frame, None]:
        yield call(thread_of_coroutine, "1", a=1)
        await anyio.sleep(2)
        yield ToolCallCancelled(("1",))
        yield call(thread_of_coroutine, "1", a=2)

    results, report = await run(dispatcher(thread_of_coroutine), Script(script))
    assert [result.response["output"][0] for result in results] == [1, 2]
    assert report.measurements["tool"] == [SECOND, SECOND]


# --- where functions come from ---

TOOLS = '''
import math
from math import sqrt
from dataclasses import dataclass

@dataclass
class Point:
    x: float

constant = 3

def add(a: int, b: int) -> int:
    """Adds."""
    return a + b

async def negate(a: int) -> int:
    return -a

def _hidden() -> None: ...
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tools.py"
    path.write_text(TOOLS)
    return path


def names(*references: str) -> list[str]:
    tools = ToolDispatcher(list(references))
    tools.check()
    return list(tools.tools)


def test_all_public_functions_that_a_file_defines(file: Path) -> None:
    assert names(str(file)) == ["add", "negate"]


def test_one_function_of_a_file(file: Path) -> None:
    assert names(f"{file}:negate") == ["negate"]
    assert names(f"{file}:_hidden") == ["_hidden"]


def test_functions_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tools_on_the_path.py").write_text(TOOLS)
    monkeypatch.syspath_prepend(tmp_path)
    assert names("tools_on_the_path") == ["add", "negate"]
    assert names("tools_on_the_path:add") == ["add"]


async def test_functions_of_a_file_run(file: Path) -> None:
    calls = [ToolCall("1", "add", {"a": 1, "b": 2}), ToolCall("2", "negate", {"a": 1})]
    responses = await answers(ToolDispatcher([str(file)]), calls)
    assert responses == {"1": {"output": 3}, "2": {"output": -1}}


def findings(*references: str) -> list[str]:
    """What `Graph.check` finds."""
    tools = ToolDispatcher(list(references))
    graph = Graph({"calls": Given([]), "tools": tools}, ["calls -> tools"])
    return [str(finding) for finding in graph.check()]


def test_nothing_is_wrong_with_good_functions(file: Path) -> None:
    tools = ToolDispatcher([str(file)])
    graph = Graph({"calls": Given([]), "tools": tools}, ["calls -> tools"])
    for _ in range(2):
        assert graph.check() == []


@pytest.mark.parametrize(
    ("settings", "fit"),
    [
        ({"functions": []}, False),
        ({"functions": "tools.py"}, False),
        ({"timeout_s": 0}, False),
        ({"timeout_s": 0.1}, True),
        ({"at_once": 0}, False),
        ({"at_once": 1}, True),
        ({"at_once": 1000}, True),
        ({"at_once": 1001}, False),
    ],
)
def test_settings_have_bounds(settings: dict[str, Any], fit: bool) -> None:
    values = {"functions": ["module"], **settings}
    _, problems = convert(ToolDispatcher, values, Path())
    assert (problems == []) == fit


@pytest.mark.parametrize(
    ("text", "reference", "what"),
    [
        ("def f(a) -> None: ...", "", 'f: parameter "a" has no annotation'),
        ("def f(*a: int) -> None: ...", "", 'f: parameter "a" is variadic positional, not named'),
        ("def f(a: object) -> None: ...", "", 'parameter "a" cannot become a schema'),
        ("def f() -> None: ...", ":g", 'there is no "g" in'),
        ("f = 1", "", "defines no public function"),
        ("f = 1", ":f", "f"),
        ("1 / 0", "", "failed: ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_wrong_with_functions_is_found_by_check(
    tmp_path: Path, text: str, reference: str, what: str
) -> None:
    path = tmp_path / "tools.py"
    path.write_text(text)
    (finding,) = findings(f"{path}{reference}")
    assert finding.startswith('error[environment] "tools": ')
    assert what in finding


def test_a_file_that_is_not_there_is_found_by_check(tmp_path: Path) -> None:
    (finding,) = findings(str(tmp_path / "none.py"))
    assert "there is no file" in finding


def test_two_functions_of_one_name_are_found_by_check(file: Path) -> None:
    (finding,) = findings(str(file), f"{file}:add")
    assert 'two functions are named "add"' in finding


@pytest.mark.parametrize(
    ("settings", "finding"),
    [
        ({"timeouts": {"ad": 1}}, 'timeouts: there is no function "ad"; did you mean "add"?'),
        (
            {"background": {"negated": "silent"}},
            'background: there is no function "negated"; did you mean "negate"?',
        ),
        (
            {"background": {"xyz": "silent"}},
            'background: there is no function "xyz"; there are: add, negate',
        ),
    ],
)
def test_settings_for_functions_that_are_not_there_are_found_by_check(
    file: Path, settings: dict[str, Any], finding: str
) -> None:
    tools = ToolDispatcher([str(file)], **settings)
    found = Graph({"calls": Given([]), "tools": tools}, ["calls -> tools"]).check()
    assert [str(each) for each in found] == [f'error[environment] "tools": {finding}']


@pytest.mark.parametrize(
    ("settings", "fit"),
    [
        ({"timeouts": {"add": 0}}, False),
        ({"timeouts": {"add": 0.1}}, True),
        ({"background": {"add": "later"}}, False),
        ({"background": {"add": "when_idle"}}, True),
    ],
)
def test_settings_for_single_functions(settings: dict[str, Any], fit: bool) -> None:
    _, problems = convert(ToolDispatcher, {"functions": ["module"], **settings}, Path())
    assert (problems == []) == fit
