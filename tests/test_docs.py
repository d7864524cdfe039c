"""Every code block of the README and the docs is run or checked."""

import importlib.util
import re
import shutil
import sys
import tomllib
from pathlib import Path
from textwrap import indent
from types import ModuleType

import msgspec
import pytest
from click import Context, Option

from pipeline import ConfigError, Sink, Transcript, load
from pipeline.cli.main import main
from pipeline.config import check, loads
from pipeline.testing import run_virtually
from processors.local_live_api.faults import FaultFile
from processors.local_live_api.scenario import Scenario

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LOOKED_UP = [page for page in PAGES if "\n<!-- walk -->\n" not in page.read_text()]
"""The others, whose blocks belong together, are walked through by `test_walks`."""
AROUND_GEMINI = """
processors:
  typed: {{use: text_source, lines: [hello]}}
{}flow: [typed -> gemini]
"""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


def all_blocks(language: str) -> list[pytest.param]:
    return [
        pytest.param(text, id=f"{page.stem}-{number}")
        for page in LOOKED_UP
        for number, text in enumerate(blocks(page, language))
    ]


def script(name: str) -> ModuleType:
    """A script of the docs, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_languages_that_are_checked_are_used() -> None:
    kinds = {kind for page in PAGES for kind, _ in BLOCK.findall(page.read_text())}
    assert kinds == {"sh", "yaml", "python", "text"}


@pytest.mark.parametrize("text", all_blocks("yaml"))
def test_configurations_pass_the_check(text: str) -> None:
    if text.startswith(("turns:", "setup:")):
        assert msgspec.yaml.decode(text, type=Scenario).turns
    elif text.startswith("# faults"):
        assert msgspec.yaml.decode(text, type=FaultFile).faults
    elif text.startswith("gemini:"):
        assert loads(AROUND_GEMINI.format(indent(text, "  ")), base=ROOT).check() == []
    elif not text.startswith("# excerpt"):
        needs_device = any(f"use: {name}" in text for name in ("camera", "microphone", "speaker"))
        assert check(text, base=ROOT, offline=needs_device) == []


@pytest.mark.parametrize("text", all_blocks("python"))
def test_python_runs(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if text.startswith("# excerpt"):
        compile(text, "excerpt", "exec")
        return
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (gain,) = [
        block for block in blocks(ROOT / "docs/processors.md", "python") if "class Gain" in block
    ]
    (tmp_path / "gain.py").write_text(gain)
    (tmp_path / "example.py").write_text(text)
    spec = importlib.util.spec_from_file_location("__main__", tmp_path / "example.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "__main__", module)
    monkeypatch.delitem(sys.modules, "gain", raising=False)
    spec.loader.exec_module(module)
    if "print(" in text and "class " not in text:
        assert re.match(r"\d+ frames of speech\n", capsys.readouterr().out)


def test_the_readmes_processor_works_in_the_readmes_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = ROOT / "README.md"
    graph, excerpt = blocks(readme, "yaml")
    entry, wiring = re.fullmatch(r"# excerpt\n(.*)\n# \.\.\.\n(.*)\n", excerpt, re.DOTALL).groups()  # type: ignore[union-attr]
    scenario = "scenario: configs/quickstart/scenario.yaml, vad: {silence_ms: 500}, voice: Kore"
    graph = graph.replace("voice: Kore", scenario).replace("  - gemini -> words", wiring)
    graph = graph.replace("flow:\n", f"{entry}\nflow:\n")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "redact.py").write_text(blocks(readme, "python")[0])
    (tmp_path / "talk.yaml").write_text(graph)
    monkeypatch.chdir(tmp_path)
    run_virtually(load("talk.yaml"))
    words = Path("runs/words.jsonl").read_text()
    assert "In Porto it will be cloudy, with ** degrees." in words


def test_the_docs_sink_writes_what_was_said(tmp_path: Path) -> None:
    (code,) = [b for b in blocks(ROOT / "docs/processors.md", "python") if "class Notes" in b]
    (tmp_path / "notes.py").write_text(code)
    graph = loads(
        "processors:\n"
        "  typed: {use: text_source, lines: [hello]}\n"
        "  gemini: {use: live_api, modality: text}\n"
        f"  notes: {{use: ./notes.py:Notes, path: {tmp_path}/notes.txt}}\n"
        "flow: [typed -> gemini -> notes]\n",
        base=tmp_path,
    )
    sink = graph.nodes["notes"].processor
    assert isinstance(sink, Sink)
    assert type(sink).ports().takes == (Transcript,)
    run_virtually(graph)
    assert (tmp_path / "notes.txt").read_text() == (
        "user: hello\n"
        "model: Hello! This is the simulated Live API. What would you like to talk about?\n"
    )


def test_the_error_messages_in_the_readme_are_the_real_ones(tmp_path: Path) -> None:
    shown = blocks(ROOT / "README.md", "text")[0].splitlines()
    graph = blocks(ROOT / "README.md", "yaml")[0]
    with pytest.raises(ConfigError) as caught:
        loads(graph.replace("use: resampler", "use: reampler"), file="talk.yaml", base=ROOT)
    assert str(caught.value) == shown[0]
    straight = graph.replace("question -> to_16k -> gate -> gemini", "question -> gemini")
    for name in ("to_16k", "gate"):
        straight = re.sub(rf"  {name}:.*\n", "", straight)
    [finding] = loads(straight, file="talk.yaml", base=ROOT).check()
    assert str(finding) == shown[1]


def test_commands_exist() -> None:
    for text in (text for page in LOOKED_UP for text in blocks(page, "sh")):
        for line in re.split(r"&&|\n", text.strip()):
            words = line.split()
            if words[0] == "pipeline":
                command = main.get_command(Context(main), words[1])
                assert command is not None
                options = {option for parameter in command.params for option in parameter.opts}
                for word in words[2:]:
                    file = Path(word).suffix in {".md", ".py", ".yaml"} and "=" not in word
                    assert not file or (ROOT / word).is_file(), word
                    assert not word.startswith("-") or word in options, word
                command.make_context(words[1], words[2:])
            elif words[:2] == ["python", "-m"]:
                assert importlib.util.find_spec(words[2]) is not None
            else:
                assert words[0] in {"pip", "pytest"}


def test_every_option_is_in_the_docs() -> None:
    text = "".join(page.read_text() for page in PAGES)
    missing = {
        f"{name} {option.opts[0]}"
        for name, command in main.commands.items()
        for option in command.params
        if isinstance(option, Option)
        if not any(
            re.search(rf"(?<![\w-]){spelling}(?![\w-])", text)
            for spelling in option.opts + option.secondary_opts
        )
    }
    assert missing == set()


def test_every_extra_is_in_the_docs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "docs/deploying.md").read_text()
    table = re.search(r"^\| extra \|.*?\n\n", text, re.MULTILINE | re.DOTALL)
    assert table is not None
    cells = re.findall(r"^\| (`[^|]*) \|", table[0], re.MULTILINE)
    listed = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(listed) == sorted(project["optional-dependencies"])
    named = {
        extra
        for page in PAGES
        for extras in re.findall(r"(?:live-pipeline|\.)\[([\w,]+)\]'", page.read_text())
        for extra in extras.split(",")
    }
    assert named <= set(listed)


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            if not target.startswith("https://"):
                file, _, heading = target.partition("#")
                there = page.parent / file
                assert there.exists(), f"{page.name}: {target}"
                prose = BLOCK.sub("", there.read_text()) if heading else ""
                titles = re.findall(r"^#+ (.*)", prose, re.MULTILINE)
                assert not heading or heading in {t.lower().replace(" ", "-") for t in titles}


def test_files_that_are_named_are_there() -> None:
    named = re.compile(r"`((?:benchmarks|configs|docs|pipeline|processors|tests)/[\w./-]+)`")
    for page in (*PAGES, ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"):
        for file in named.findall(page.read_text()):
            assert (ROOT / file).exists(), f"{page.name}: {file}"


def test_every_built_in_processor_is_in_the_docs() -> None:
    from pipeline.registry import installed

    text = (ROOT / "docs/configuration.md").read_text()
    listed = set(
        re.findall(r"^\| `(\w+)` \| (?:source|transform|duplex|sink) ", text, re.MULTILINE)
    )
    assert listed == {n for n, p in installed().items() if p.value.startswith("processors.")}


def test_the_tables_in_the_docs_are_those_of_the_code() -> None:
    written = script("write_settings")
    for name in written.TABLES:
        text = (ROOT / "docs" / name).read_text()
        assert written.page(name, text) == text, "run: python docs/write_settings.py"


def test_the_schema_in_the_docs_is_that_of_the_code() -> None:
    committed = (ROOT / "docs/pipeline.schema.json").read_text()
    assert script("write_settings").schema() == committed


def test_every_small_configuration_is_in_the_docs() -> None:
    text = "".join(page.read_text() for page in PAGES)
    linked = set(re.findall(r"\]\(\.\./configs/(\w+)\.yaml\)", text))
    assert linked == {path.stem for path in (ROOT / "configs").glob("*.yaml")}


def test_the_picture_shows_the_quickstart() -> None:
    texts = re.compile(r"<text[^>]*>([^<]*)")
    committed = (ROOT / "docs/conversation.svg").read_text()
    assert texts.findall(script("draw_conversation").draw()) == texts.findall(committed)
