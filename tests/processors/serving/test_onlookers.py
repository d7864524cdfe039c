"""Those who look at the sessions of a server, over real sockets."""

import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from click.testing import CliRunner
from serving_bench import served, talking

from pipeline import SettingError
from pipeline.cli.main import main
from pipeline.observing.control import runtime_folder
from processors.serving.application import Application
from processors.serving.binding import Offer
from processors.serving.onlookers import Watching, _prune


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


async def converse(url: str, line: str) -> str:
    """The name of the session in which it was said."""
    async with talking(url) as talk:
        await talk.client.type(line)
        await talk.until(lambda: "ended" in talk.turns)
        await talk.client.end()
        await talk.until_over()
        return talk.client.welcome.session


async def test_each_session_leaves_a_page_under_its_name(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    async with served(tmp_path, watching=Watching(pages=pages)) as server:
        names = [await converse(server.url, f"My name is {name}.") for name in ("Ada", "Otto")]
    assert sorted(path.name for path in pages.iterdir()) == sorted(f"{n}.html" for n in names)
    for name, said, other in zip(names, ("Ada", "Otto"), ("Otto", "Ada"), strict=True):
        text = (pages / f"{name}.html").read_text(encoding="utf-8")
        assert said in text
        assert other not in text
        assert name in re.search("<title>(.*)</title>", text)[1]  # type: ignore[index]
        assert '"type":"audio/ogg' in text


@pytest.mark.parametrize("leaves", [True, False])
async def test_who_just_goes_leaves_a_page_too(tmp_path: Path, leaves: bool) -> None:
    settings = {"watching": Watching(pages=tmp_path / "pages"), "limits": {"grace_s": 1}}
    async with served(tmp_path, **settings) as server:  # type: ignore[arg-type]
        async with talking(server.url) as talk:
            await talk.client.type("My name is Ada.")
            await talk.until(lambda: "ended" in talk.turns)
            await (talk.client.leave() if leaves else anyio.lowlevel.checkpoint())
        with anyio.fail_after(20):
            while server.lobby.open:  # noqa: ASYNC110
                await anyio.sleep(0.1)
        [page] = (tmp_path / "pages").iterdir()
        assert "Ada" in page.read_text(encoding="utf-8")


async def test_the_oldest_pages_go_and_nothing_else(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    mine = pages / "notes.html"
    mine.write_text("mine")
    os.utime(mine, (0, 0))
    async with served(tmp_path, watching=Watching(pages=pages, keep=1)) as server:
        names = []
        for number in range(2):
            names.append(await converse(server.url, f"Number {number}."))
            os.utime(pages / f"{names[-1]}.html", (number + 1, number + 1))
    assert {path.name for path in pages.iterdir()} == {"notes.html", f"{names[1]}.html"}


def test_pages_of_a_cluster_go_like_others(tmp_path: Path) -> None:
    names = ["0a1b2c3d-0123456789ab.html", "0123456789ab.html", "0123456789ab-2.html"]
    for number, name in enumerate([*names, "index.html", "0123456789.html"]):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (number, number))
    _prune(tmp_path, 1)
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {names[-1], "index.html", "0123456789.html"}


async def test_no_page_is_written_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = tmp_path / "pages"
    monkeypatch.setattr("processors.serving.session.secrets.token_hex", lambda _: "0123456789ab")
    async with served(tmp_path, watching=Watching(pages=pages)) as server:
        for name in ("Ada", "Otto"):
            await converse(server.url, f"My name is {name}.")
    assert "Ada" in (pages / "0123456789ab.html").read_text(encoding="utf-8")
    assert "Otto" in (pages / "0123456789ab-2.html").read_text(encoding="utf-8")


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pages").write_text("")
    offer = Offer(tmp_path / "talk.yaml", {}, tmp_path)
    with pytest.raises(SettingError, match="is not a folder"):
        Application(offer, watching=Watching(pages=tmp_path / "pages"))


async def test_sessions_tell_opentelemetry_who_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="the extra `otel` is not installed")
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from processors.observability.telemetry import CONTENT, Providers

    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    traces, metrics = TracerProvider(), MeterProvider([reader])
    traces.add_span_processor(SimpleSpanProcessor(exporter))
    closed: list[int] = []

    def close() -> None:
        closed.append(len(exporter.get_finished_spans()))

    monkeypatch.setattr(
        "processors.observability.exporters.providers",
        lambda _: Providers(traces, metrics, close),
    )
    async with served(tmp_path, watching=Watching(telemetry=True)) as server:
        names = [await converse(server.url, "My name is Ada.") for _ in range(2)]
        assert closed == []
    spans = exporter.get_finished_spans()
    assert closed == [len(spans)]  # once, when all of them are over
    assert {span.name for span in spans} == {"pipeline.run", "session", "turn"}
    for name in names:
        mine = [span for span in spans if (span.attributes or {})["session.id"] == name]
        assert len(mine) == len(spans) / 2
        assert len({span.context.trace_id for span in mine}) == 1
    attributes = [key for span in spans for key in span.attributes or {}]
    assert not any(key.startswith(CONTENT) for key in attributes)
    data = reader.get_metrics_data()
    assert data is not None
    found = {
        metric.name: metric.data.data_points
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert sum(point.value for point in found["pipeline.turns"]) == 2
    assert all(point.value == 0 for point in found["pipeline.inbox.frames"])
    assert "pipeline.inbox.fill" not in found
    traces.shutdown()
    metrics.shutdown()


# --- by other processes of the user ---

unix = pytest.mark.skipif(sys.platform == "win32", reason="there are no Unix sockets")


@unix
@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # in real time: the command waits, too
async def test_top_shows_all_sessions_or_one(tmp_path: Path) -> None:
    async with (
        served(tmp_path, watching=Watching(control=True)) as server,
        talking(server.url) as ada,
        talking(server.url) as otto,
    ):
        names = {talk.client.welcome.session for talk in (ada, otto)}
        await ada.client.type("Hello.")
        await ada.until(lambda: "started" in ada.turns)
        first, *rows = (await pipeline("top", "--once")).splitlines()
        assert first.startswith("2 sessions of ")
        assert {row.split()[0] for row in rows} == names
        mine = ada.client.welcome.session
        assert [row for row in rows if "1 turn" in row] == [r for r in rows if r.startswith(mine)]
        one = await pipeline("top", "--once", "--session", f"{mine[:8]}*")
        assert {"gemini", "speaker"} < {row.split()[0] for row in one.splitlines()}
        none = await pipeline("top", "--once", "--session", "nobody", status=2)
        assert none.startswith('no session is called "nobody"; there are: ')


@unix
async def test_nobody_looks_where_it_is_not_wanted(tmp_path: Path) -> None:
    async with served(tmp_path):
        assert (await pipeline("top", status=2)).startswith("no run can be seen")


@unix
async def test_tap_shows_sessions_that_begin_later_too(tmp_path: Path) -> None:
    async with (
        served(tmp_path, watching=Watching(control=True)) as server,
        tapping("gemini.Transcript") as rows,
    ):
        names = [await converse(server.url, f"I am {name}.") for name in ("Ada", "Otto")]
        found = [await rows.next()]
        while found[-1]["session"] != names[1]:
            found.append(await rows.next())
    assert found[0]["session"] == names[0]
    assert {(row["place"], row["type"]) for row in found} == {("gemini", "transcript")}
    assert "Ada" in json.dumps(found)


@unix
async def test_tap_of_one_session_shows_no_other_and_ends_with_it(tmp_path: Path) -> None:
    async with (
        served(tmp_path, watching=Watching(control=True)) as server,
        talking(server.url) as ada,
        talking(server.url) as otto,
    ):
        mine = ada.client.welcome.session
        async with tapping(f"{mine}/typed") as rows:
            for talk, name in ((otto, "Otto"), (ada, "Ada")):
                await talk.client.type(f"I am {name}.")
                await talk.until(lambda talk=talk: "ended" in talk.turns)
            row = await rows.next()
            assert (row["session"], row["text"]) == (mine, "I am Ada.")
            await ada.client.leave()
            with anyio.fail_after(60), pytest.raises(anyio.IncompleteRead):
                await rows.next()
        async with tapping(f"{mine}/typed") as rows:
            assert str((await rows.next())["error"]).startswith("no session is called")
        async with tapping(f"{otto.client.welcome.session}/tiped") as rows:
            assert (await rows.next())["error"] == (
                'no processor is called "tiped"; did you mean "typed"?'
            )


async def pipeline(*arguments: str, status: int = 0) -> str:
    """What the command prints; in a thread, as the server is in this one."""
    result = await anyio.to_thread.run_sync(CliRunner().invoke, main, arguments)
    assert result.exit_code == status, result.output
    return str(result.output)


class Rows:
    def __init__(self, stream: SocketStream) -> None:
        self._lines = BufferedByteReceiveStream(stream)

    async def next(self) -> dict[str, object]:
        row: dict[str, object] = json.loads(await self._lines.receive_until(b"\n", 1 << 20))
        return row


@asynccontextmanager
async def tapping(pattern: str) -> AsyncIterator[Rows]:
    """What `pipeline tap` asks, over its socket."""
    path = runtime_folder() / f"{os.getpid()}.sock"
    await anyio.sleep(1)  # of virtual time: when there is nothing else to do
    async with await anyio.connect_unix(path) as stream:
        rows = Rows(stream)
        assert (await rows.next())["pid"] == os.getpid()
        await stream.send(json.dumps({"tap": [pattern]}).encode() + b"\n")
        await anyio.sleep(1)
        yield rows
