"""The documentation as a site, and the pages in it that are made from the code."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.cli.main import main
from pipeline.config import check
from pipeline.explanations import EXPLANATIONS
from pipeline.registry import installed

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "docs")
    import reference

    return reference


def test_what_the_reference_shows_is_right(reference: ModuleType) -> None:
    pages = reference.pages()
    blocks = [block for text in pages.values() for block in BLOCK.findall(text)]
    assert {kind for kind, _ in blocks} == {"python", "text", "yaml"}
    for kind, text in blocks:
        if kind == "python":
            ast.parse(text)
        if kind == "yaml":
            assert check(text, base=ROOT, offline=True) == []
    assert {f"{name}.md" for name in reference.built_in()} < set(pages)
    for command in main.commands:
        assert f"## `pipeline {command}`\n" in pages["commands.md"]
    for code in [*EXPLANATIONS, "1008"]:
        assert f"## {code}\n" in pages["errors.md"]


def test_the_reference_says_what_is_known_of_a_setting(reference: ModuleType) -> None:
    page = reference.pages()["live_api.md"]
    assert "| `vad.silence_ms` | integer, 0 to 10000 ms | silence that ends a turn" in page
    assert "[AudioFrame](python.md#audioframe)" in page
    assert "[quickstart](../../configs/quickstart.yaml)" in page
    assert set(reference.built_in()) == {
        name for name, point in installed().items() if point.value.startswith("processors.")
    }


@pytest.mark.parametrize("package", ["pipeline", "processors"])
def test_the_pictures_of_the_layout_are_those_of_the_code(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    from draw_layout import draw

    committed = (ROOT / f"docs/layout_{package}.svg").read_text()
    assert draw(package) == committed, "run: python docs/draw_layout.py"


def test_the_contents_lead_to_pages_that_exist() -> None:
    index = (ROOT / "docs/index.md").read_text()
    linked = re.findall(r"^- \[[^\]]+\]\((\w+)\.md\): \w", index, re.MULTILINE)
    assert len(linked) == len(set(linked)) > 15
    assert all((ROOT / f"docs/{name}.md").is_file() for name in linked)


@pytest.mark.slow
def test_a_site_is_made_of_it_that_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    for package in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(package, reason="the extra docs is not installed")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q"]
    subprocess.run([*command, ROOT / "docs", tmp_path], check=True, timeout=50)
    pages = list(tmp_path.rglob("*.html"))
    assert {"index", "live_api", "resampler", "errors"} <= {page.stem for page in pages}
    loaded = re.compile(r"<(?:script|img|iframe|link)\b[^>]*(?:src|href)=[\"'](https?:)?//")
    for page in pages:
        assert not loaded.search(page.read_text()), page
    for style in tmp_path.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", style.read_text()), style
