"""The page in a real browser, with a microphone that plays a WAV file."""

import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import numpy as np
import pytest
from browser import CHROMIUM, Page, chromium
from network import Network, network
from serving_bench import TALK, Served, buzz, served, silence

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
    pytest.mark.slow,
    pytest.mark.timeout(120),
]
MICROPHONE_RATE = 48_000
SCENARIO = """
turns:
  - expect: speech
    then:
      - transcript: What is the weather like?
      - say: It is sunny in Lisbon, and it will stay sunny for the whole of the week, I am sure.
  - expect: speech
    then:
      - transcript: Stop, thank you.
      - say: Goodbye.
"""
CHAT = """
processors:
  typed: {use: text_source, path: "-"}
  gemini: {use: live_api, modality: text}
flow:
  - typed -> gemini
"""
OUTPUT = """
(() => {
  // what any audio context of the page plays, as blocks of samples with their time
  window.played = [];
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode && !this.isTap) {
      const tap = this.context.createScriptProcessor(1024, 1, 1);
      tap.isTap = true;
      tap.onaudioprocess = ({ inputBuffer, playbackTime }) => {
        const samples = inputBuffer.getChannelData(0);
        let peak = 0;
        let sum = 0;
        for (const sample of samples) {
          peak = Math.max(peak, Math.abs(sample));
          sum += sample * sample;
        }
        window.played.push([performance.now(), peak, sum / samples.length]);
      };
      connect.call(this, tap);
      connect.call(tap, target);
    }
    return connect.call(this, target, ...rest);
  };
})();
"""
"""So that the page's own counters are not what is believed."""


CONTRASTS = {
    "#status": 4.5,
    "#log .user": 4.5,
    "#log .model": 4.5,
    "#talk-label": 4.5,
    "#mute": 4.5,
    "#you": 4.5,
    "#line": 4.5,
}
"""The least ratios of luminance of WCAG 2.2, level AA."""
CONTRAST = """
(selector) => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => {
      const c = part / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let behind = document.querySelector(selector);
  const text = luminance(getComputedStyle(behind).color);
  const isClear = () => /, 0\\)$/.test(getComputedStyle(behind).backgroundColor);
  while (isClear()) behind = behind.parentElement;
  const back = luminance(getComputedStyle(behind).backgroundColor);
  return (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
}
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Visit(NamedTuple):
    page: Page
    server: Served
    between: Network

    async def press(self) -> None:
        await self.page.evaluate("document.querySelector('#processing').checked = false")
        await self.page.click("#talk")
        await self.page.until("document.body.dataset.state === 'open'")

    async def lines(self) -> list[list[str]]:
        """Who, and what, of the conversation that is shown."""
        found: list[list[str]] = await self.page.evaluate(
            "[...document.querySelectorAll('#log li')].map((li) => [li.className, li.textContent])"
        )
        return found

    async def loudness(self, since: float, until: float = 1e12) -> float:
        """Of what has come out of the page, in dB below full scale."""
        blocks = np.array(await self.page.evaluate("window.played"))
        part = blocks[(blocks[:, 0] >= since) & (blocks[:, 0] < until), 2]
        return float(10 * np.log10(part.mean() + 1e-12)) if len(part) else -120.0

    async def now(self) -> float:
        return float(await self.page.evaluate("performance.now()"))


@asynccontextmanager
async def visiting(
    folder: Path, microphone: bytes, *, scenario: str = "", text: str = TALK, **settings: Any
) -> AsyncIterator[Visit]:
    with wave.open(str(folder / "microphone.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(MICROPHONE_RATE)
        file.writeframes(microphone)
    if scenario:
        await anyio.Path(folder / "scenario.yaml").write_text(scenario)
        text = text.replace("use: live_api\n", "use: live_api\n    scenario: scenario.yaml\n")
    flags = [f"--use-file-for-fake-audio-capture={folder / 'microphone.wav'}%noloop"]
    async with (
        served(folder, text, **settings) as server,
        network(int(server.http.rpartition(":")[2])) as between,
        chromium(folder, flags) as page,
    ):
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=OUTPUT)
        await page.size(390, 844)
        await page.open(f"http://127.0.0.1:{between.port}/")
        yield Visit(page, server, between)
        assert page.complaints == []


def recording(*parts: tuple[str, float]) -> bytes:
    makers = {"speech": buzz, "silence": silence}
    return b"".join(makers[kind](seconds, MICROPHONE_RATE) for kind, seconds in parts)


async def test_a_conversation_with_an_interruption(tmp_path: Path) -> None:
    sound = recording(
        ("silence", 1.0), ("speech", 1.0), ("silence", 2.5), ("speech", 1.0), ("silence", 60.0)
    )
    async with visiting(tmp_path, sound, scenario=SCENARIO) as visit:
        page = visit.page
        await visit.press()
        silent = await visit.now()
        await page.until("document.querySelector('#status').textContent === 'Hearing you'")
        assert await visit.loudness(silent) < -90
        await page.until("document.querySelector('#status').textContent === 'Answering'")
        answered = await visit.now()
        await page.until("document.querySelector('#log .cut')")
        cut = await visit.now()
        assert await visit.loudness(answered + 200, cut - 300) > -40
        assert await visit.loudness(cut, cut + 250) < -60  # what was queued is not heard
        await page.until("document.querySelectorAll('#log .model').length === 2")
        await page.until("document.querySelectorAll('#log .draft').length === 0")
        lines = await visit.lines()
        assert [who.split()[0] for who, _ in lines] == ["user", "model", "user", "model"]
        assert lines[0][1] == "What is the weather like?"
        assert lines[1][1].startswith("It is sunny")
        assert lines[1][0] == "model cut"
        assert [text for _, text in lines[2:]] == ["Stop, thank you.", "Goodbye."]
        latency = await page.evaluate("document.querySelector('#latency-value').textContent")
        assert 300 < int(latency.removesuffix(" ms")) < 3000
        spoken = await page.evaluate("document.querySelector('#spoken').textContent")
        assert spoken == "Model: Goodbye."
        await page.click("#talk")
        await page.until("document.body.dataset.state === 'over'")
        with anyio.fail_after(5):
            while visit.server.lobby.open:  # noqa: ASYNC110
                await anyio.sleep(0.05)


async def test_the_network_drops_and_comes_back(tmp_path: Path) -> None:
    async with visiting(tmp_path, recording(("silence", 60.0))) as visit:
        page = visit.page
        await visit.press()
        await type_line(page, "My name is Ada.")
        await page.until("document.querySelectorAll('#log .model:not(.draft)').length === 1")
        for connection in list(visit.server.connections):
            connection.transport.abort()
        await page.until("document.body.dataset.state === 'away'")
        await page.until("document.body.dataset.state === 'open'")
        await type_line(page, "What is my name?")
        await page.until("document.querySelectorAll('#log .model:not(.draft)').length === 2")
        assert "Ada" in (await visit.lines())[-1][1]
        assert visit.server.lobby.open == 1

        await page.call("Page.reload")  # the page forgets, the server does not
        await page.until("document.querySelector('#talk-label')?.textContent === 'Continue'")
        await visit.press()
        await page.until("document.querySelectorAll('#log .model').length === 2")
        assert [text for who, text in await visit.lines() if who == "user"] == [
            "My name is Ada.",
            "What is my name?",
        ]
        assert visit.server.lobby.open == 1


async def test_a_network_that_swallows_everything_loses_no_words(tmp_path: Path) -> None:
    """Speech and a typed line, while nothing gets through and nobody is told."""
    sound = recording(("silence", 6.0), ("speech", 1.0), ("silence", 60.0))
    async with visiting(tmp_path, sound) as visit:
        page = visit.page
        await visit.press()
        session = await page.evaluate("JSON.parse(sessionStorage.conversation).session")
        visit.between.cut()
        cut = await visit.now()
        await type_line(page, "My name is Ada.")  # while the page still believes in the way
        await page.until("document.body.dataset.state === 'away'")
        assert await visit.now() - cut < 8000
        assert "What you say meanwhile is kept." in await shown(page, "#notice")
        while await visit.now() - cut < 9000:  # noqa: ASYNC110 - until all has been said
            await anyio.sleep(0.1)
        assert await visit.lines() == [["user draft unsent", "My name is Ada."]]
        visit.between.mend()
        mended = await visit.now()
        await page.until("document.body.dataset.state === 'open'")
        assert await visit.now() - mended < 6000
        assert await page.evaluate("document.querySelector('#notice').hidden")
        await page.until(
            "document.querySelector('#log').textContent.includes('heard you speak for 1 second')"
        )
        assert [text for who, text in await visit.lines() if who == "user"] == ["My name is Ada."]
        assert await page.evaluate("JSON.parse(sessionStorage.conversation).session") == session
        assert visit.server.lobby.open == 1


async def test_a_token_is_asked_for_and_a_place_waited_for(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"token": "secret", "limits": {"sessions": 1, "queue": 1}}
    async with visiting(tmp_path, recording(("silence", 60.0)), **settings) as visit:
        page = visit.page
        await page.click("#talk")
        await page.until("document.body.dataset.state === 'over'")
        assert (await shown(page, "#notice")) == "The token is missing or wrong."
        assert await page.evaluate("document.activeElement.id") == "token"
        await page.call("Input.insertText", text="secret")
        await visit.press()


async def test_who_only_types_is_not_asked_for_a_microphone(tmp_path: Path) -> None:
    settings = {"text": CHAT, "bound": {"typed": "keyboard"}}
    async with visiting(tmp_path, b"", **settings) as visit:
        page = visit.page
        await page.evaluate("delete Navigator.prototype.mediaDevices")
        await page.until("document.querySelector('#talk-label').textContent === 'Begin'")
        await visit.press()
        await type_line(page, "My name is Ada.")
        await page.until("document.querySelectorAll('#log .model:not(.draft)').length === 1")
        assert "Ada" in (await visit.lines())[1][1]


INSECURE = """
Object.defineProperty(BaseAudioContext.prototype, "audioWorklet", { value: undefined });
delete Navigator.prototype.mediaDevices;
"""
"""What a page that comes by http from another machine does without."""


async def test_without_https_one_is_told_what_is_missing(tmp_path: Path) -> None:
    async with visiting(tmp_path, b"") as visit:
        page = visit.page
        await page.evaluate(INSECURE)
        await page.click("#talk")
        await page.until("document.body.dataset.state === 'over'")
        said = await shown(page, "#notice-text")
        assert said == "Browsers allow microphones and sound at https and localhost only."
        assert await page.evaluate("document.querySelector('#without').hidden")


async def test_without_https_one_can_type_where_nothing_sounds(tmp_path: Path) -> None:
    settings = {"text": CHAT, "bound": {"typed": "keyboard"}}
    async with visiting(tmp_path, b"", **settings) as visit:
        page = visit.page
        await page.evaluate(INSECURE)
        await visit.press()
        await type_line(page, "My name is Ada.")
        await page.until("document.querySelectorAll('#log .model:not(.draft)').length === 1")
        await page.click("#talk")
        await page.until("document.body.dataset.state === 'over'")


async def test_who_unplugs_the_microphone_is_told(tmp_path: Path) -> None:
    async with visiting(tmp_path, recording(("silence", 60.0))) as visit:
        page = visit.page
        await page.evaluate(
            "navigator.mediaDevices.getUserMedia = async (wanted) =>"
            " (window.stream = await MediaDevices.prototype.getUserMedia"
            ".call(navigator.mediaDevices, wanted))"
        )
        await visit.press()
        await page.evaluate("stream.getTracks()[0].dispatchEvent(new Event('ended'))")
        assert "The microphone is gone." in await shown(page, "#log")


async def test_who_has_no_microphone_is_told_and_can_type(tmp_path: Path) -> None:
    async with visiting(tmp_path, b"") as visit:
        page = visit.page
        await page.evaluate("navigator.mediaDevices.getUserMedia = () => Promise.reject(none)")
        await page.evaluate("window.none = new DOMException('', 'NotAllowedError')")
        await page.click("#talk")
        await page.until("document.body.dataset.state === 'over'")
        said = await shown(page, "#notice-text")
        assert said == "The microphone is not allowed. Allow it in the browser, and try again."
        assert await shown(page, "#status") == "Not connected"
        await page.evaluate("window.none = new DOMException('', 'NotFoundError')")
        await page.click("#talk")
        await page.until("document.querySelector('#notice').innerText.startsWith('No microphone')")
        await page.click("#without")
        await page.until("document.body.dataset.state === 'open'")
        assert await page.evaluate("document.activeElement.id") == "talk"
        assert await page.evaluate("document.querySelector('#mute').hidden")
        await type_line(page, "My name is Ada.")
        await page.until("document.querySelectorAll('#log .model:not(.draft)').length === 1")


async def test_texts_can_be_read_on_their_backgrounds(tmp_path: Path) -> None:
    async with visiting(tmp_path, recording(("silence", 60.0))) as visit:
        page = visit.page
        await visit.press()
        await type_line(page, "Hello.")
        await page.until("document.querySelectorAll('#log .model:not(.draft)').length === 1")
        for dark in (False, True):
            await page.size(390, 844, dark=dark)
            for selector, least in CONTRASTS.items():
                found = await page.evaluate(f"({CONTRAST})({selector!r})")
                assert found >= least, (selector, dark, found)


@pytest.mark.parametrize(
    ("width", "height", "dark"),
    [(390, 844, False), (1280, 800, True), (320, 568, False), (844, 390, True)],
)
async def test_it_fits_the_screen_and_all_can_be_found_by_name(
    tmp_path: Path, width: int, height: int, dark: bool
) -> None:
    async with visiting(tmp_path, recording(("silence", 60.0))) as visit:
        page = visit.page
        await page.size(width, height, dark=dark)
        await visit.press()
        await type_line(page, "Tell me something long, please: " + "word " * 40)
        await page.click("#camera")
        await page.until("document.querySelector('#log .model') && !preview.hidden")
        outside = await page.evaluate(
            "[...document.querySelectorAll('button, input, video, [role], output')]"
            ".filter((e) => e.getClientRects().length && e.id !== 'spoken')"
            ".filter((e) => { const b = e.getBoundingClientRect();"
            " return b.left < 0 || b.top < 0 || b.right > innerWidth || b.bottom > innerHeight })"
            ".map((e) => e.id)"
        )
        assert outside == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        share = await page.evaluate("document.querySelector('#log').clientHeight / innerHeight")
        assert share > 0.25  # of the screen is for the conversation, with the camera on
        background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(20, 23, 27)") is dark
        nodes = (await page.call("Accessibility.getFullAXTree"))["nodes"]
        named = {
            (node["role"]["value"], node["name"]["value"])
            for node in nodes
            if node["role"]["value"] in ("button", "textbox", "checkbox", "meter", "list")
            and not node["ignored"]
        }
        assert named == {
            ("button", "Stop"),
            ("button", "Send"),
            ("button", "Mute"),
            ("button", "Camera"),
            ("textbox", "Type instead of speaking"),
            ("meter", "You"),
            ("meter", "Model"),
            ("list", "Conversation"),
        }


async def type_line(page: Page, text: str) -> None:
    await page.click("#line")
    await page.call("Input.insertText", text=text)
    await page.click("#typing button")


async def shown(page: Page, selector: str) -> str:
    return str(await page.evaluate(f"document.querySelector({selector!r}).innerText"))
