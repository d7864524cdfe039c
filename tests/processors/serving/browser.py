"""Chromium without a window, driven over its DevTools protocol."""

import base64
import json
import os
import re
import shutil
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import anyio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)
FLAGS = (
    "--headless=new",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--remote-debugging-port=0",
)


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self._answers: dict[int, tuple[anyio.Event, list[Any]]] = {}
        self._session = ""
        self.complaints: list[str] = []
        """What the page logged as an error, and exceptions in it."""

    async def read(self) -> None:
        with suppress(ConnectionClosed):
            async for data in self._socket:
                message = json.loads(data)
                if message.get("id") in self._answers:
                    event, answer = self._answers.pop(message["id"])
                    answer.append(message)
                    event.set()
                elif message.get("method") == "Runtime.exceptionThrown":
                    self.complaints.append(json.dumps(message["params"]["exceptionDetails"]))
                elif message.get("method") == "Log.entryAdded":
                    entry = message["params"]["entry"]
                    if entry["level"] == "error":
                        self.complaints.append(f"{entry['text']} {entry.get('url', '')}")

    async def call(self, method: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol."""
        self._number += 1
        event, answer = anyio.Event(), list[Any]()
        self._answers[self._number] = event, answer
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        await self._socket.send(json.dumps(message))
        await event.wait()
        assert "result" in answer[0], answer[0]
        return answer[0]["result"]

    async def attach(self) -> None:
        created = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call(
            "Target.attachToTarget", targetId=created["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        result = await self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def until(self, expression: str, seconds: float = 20) -> None:
        """Wait until an expression is truthy; asked ten times a second, as a person would look."""
        met = False
        with anyio.move_on_after(seconds):
            while not (met := await self.evaluate(f"Boolean({expression})")):  # noqa: ASYNC110
                await anyio.sleep(0.1)
        assert met, f"not within {seconds} s: {expression}; {self.complaints}"

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def size(self, width: int, height: int, *, dark: bool = False) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def screenshot(self, file: Path) -> None:
        taken = await self.call("Page.captureScreenshot", format="png")
        await anyio.Path(file).write_bytes(base64.b64decode(taken["data"]))

    async def click(self, selector: str) -> None:
        """With the mouse, in the middle of what is there."""
        where = await self.evaluate(
            f"(() => {{ const box = document.querySelector({selector!r}).getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=where[0],
                y=where[1],
                button="left",
                clickCount=1,
            )


@asynccontextmanager
async def chromium(folder: Path, flags: Sequence[str] = ()) -> AsyncIterator[Page]:
    """A tab of a browser of one's own; its profile is kept in `folder`."""
    assert CHROMIUM is not None
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [
        CHROMIUM,
        *FLAGS,
        *root,
        *flags,
        f"--user-data-dir={folder / 'profile'}",
        "about:blank",
    ]
    async with await anyio.open_process(command, stdout=DEVNULL, stderr=PIPE) as process:
        assert process.stderr is not None
        try:
            with anyio.fail_after(30):
                said = ""
                while (found := re.search(r"listening on (ws://\S+)\s", said)) is None:
                    said += (await process.stderr.receive()).decode(errors="replace")
            async with (
                connect(found[1], max_size=None, proxy=None, close_timeout=1) as socket,
                anyio.create_task_group() as group,
            ):
                page = Page(socket)
                group.start_soon(page.read)
                group.start_soon(_forget, process.stderr)
                await page.attach()
                yield page
                group.cancel_scope.cancel()
        finally:
            with suppress(ProcessLookupError):
                process.kill()


async def _forget(stream: AsyncIterable[bytes]) -> None:
    """A browser that nobody listens to would wait for it."""
    async for _ in stream:
        pass
