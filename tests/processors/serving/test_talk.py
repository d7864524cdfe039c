"""The configurations with which one person talks at a desk, served as they are."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from serving_bench import buzz, served, silence, speak, talking

from processors.serving.protocol import Interrupted, Turn, Volume

CONFIGS = Path(__file__).parents[3] / "configs"
RATE = 48_000


async def test_talk(tmp_path: Path) -> None:
    shutil.copytree(CONFIGS / "quickstart", tmp_path / "quickstart")
    text = (CONFIGS / "talk.yaml").read_text().replace("vad_gate", "vad_gate\n    engine: energy")
    async with (
        served(tmp_path, text, bound={}) as server,
        talking(server.url, rate=RATE) as talk,
    ):
        assert talk.client.welcome.devices == ["loudspeaker", "microphone"]
        await speak(talk.client, silence(0.5, RATE) + buzz(1.2, RATE) + silence(2, RATE), RATE)
        await speak(talk.client, buzz(1, RATE) + silence(3, RATE), RATE)
        await talk.client.end()
        await talk.until_over()
        assert talk.turns == ["started", "interrupted", "started", "ended"]
        assert talk.of(Turn)[0].asked_ms == pytest.approx(1700, abs=50)
        assert talk.of(Volume)[0].volume < 0.2  # it is lowered before the service interrupts
        assert talk.of(Volume)[0].n < talk.of(Interrupted)[0].n
        [folder] = (tmp_path / "files").iterdir()
        assert folder.name == talk.client.welcome.session
        words = (folder / "words.jsonl").read_text()
    assert '"heard":"I heard you speak for' in words  # what came after was never played


async def test_the_client_that_the_docs_show(tmp_path: Path) -> None:
    page = (CONFIGS.parent / "docs/serving.md").read_text()
    shown = re.search(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert shown is not None
    names: dict[str, Any] = {}
    exec(shown[1], names)
    async with served(tmp_path, (CONFIGS / "chat.yaml").read_text(), bound={}) as server:
        assert await names["ask"](server.url, "What is 3 plus 4?") == ["3 plus 4 is 7."]
