"""The architecture, as rules that the imports must keep."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = [
    {
        "pipeline.frames",
        "pipeline.errors",
        "pipeline.wakeup",
        "pipeline.deferring",
        "pipeline.wording",
        "pipeline.explanations.explanation",
    },
    {"pipeline.supervision", "pipeline.files"},
    {"pipeline.flow"},
    {"pipeline.explanations.text", "pipeline.explanations.graph"},
    {"pipeline.ports", "pipeline.inbox"},
    {"pipeline.processor", "pipeline.settings"},
    {"pipeline.cycles", "pipeline.registry", "pipeline.reference"},
    {"pipeline.schema"},
    {"pipeline.checks"},
    {"pipeline.formats", "pipeline.explanations"},
    {"pipeline.environment"},
    {"pipeline.graph"},
    {"pipeline.drawing", "pipeline.drawing.sketch", "pipeline.drawing.groups"},
    {"pipeline.drawing.bands"},
    {"pipeline.drawing.layout"},
    {"pipeline.drawing.tree", "pipeline.drawing.markup", "pipeline.drawing.svg"},
    {"pipeline.drawing.picture"},
    {"pipeline.examples"},
    {"pipeline.config.syntax", "pipeline.config.problems", "pipeline.config.secrets"},
    {"pipeline.config.document"},
    {"pipeline.config.shape"},
    {"pipeline.draft"},
    {"pipeline.config.typed", "pipeline.config.pages", "pipeline.config.node"},
    {"pipeline.config.overrides", "pipeline.config.dotenv"},
    {"pipeline.config.fragments"},
    {"pipeline.config.reading"},
    {"pipeline.config.loader", "pipeline.runtime.report", "pipeline.runtime.clock"},
    {"pipeline.runtime.station"},
    {
        "pipeline.config",
        "pipeline.runtime",
        "pipeline.runtime.wiring",
        "pipeline.runtime.lives",
        "pipeline.runtime.waker",
        "pipeline.runtime.checking",
        "pipeline.runtime.closing",
    },
    {"pipeline.runtime.blame", "pipeline.runtime.tasks", "pipeline.runtime.observer"},
    {"pipeline.runtime.context", "pipeline.runtime.ending"},
    {"pipeline.runtime.run", "pipeline.runtime.watchdog"},
    {
        "pipeline.observing",
        "pipeline.observing.installed",
        "pipeline.observing.sampling",
        "pipeline.observing.tally",
        "pipeline.observing.peeking",
    },
    {"pipeline.observing.control"},
    {"pipeline"},
    {"pipeline.testing", "pipeline.cli"},
    {"pipeline.cli.streams", "pipeline.cli.status"},
    {
        "pipeline.cli.garbage",
        "pipeline.cli.stopping",
        "pipeline.cli.talk",
        "pipeline.cli.summary",
        "pipeline.cli.commands",
        "pipeline.cli.findings",
    },
    {"pipeline.cli.screen"},
    {"pipeline.cli.views"},
    {"pipeline.cli.json_lines"},
    {"pipeline.cli.watching"},
    {"pipeline.cli.run", "pipeline.cli.check", "pipeline.cli.explain", "pipeline.cli.given"},
    {"pipeline.cli.fragment_page", "pipeline.cli.options"},
    {"pipeline.cli.reference", "pipeline.cli.expand"},
    {"pipeline.cli.graph", "pipeline.cli.templates", "pipeline.cli.doctor"},
    {"pipeline.cli.new", "pipeline.cli.completion"},
    {"pipeline.cli.main"},
    {"pipeline.__main__"},
]
"""From the bottom up: a module imports from layers below its own only."""

LIVE_API = [
    {"messages.base"},
    {"messages.content"},
    {"messages.setup", "messages.server"},
    {"messages.client"},
    {"messages"},
    {
        "models",
        "settings",
        "utterance",
        "endings",
        "patience",
        "parts",
        "tokens",
        "calls",
        "response_parts",
    },
    {"setup", "dialogue", "replay", "backoff", "explanations"},
    {"capabilities", "session"},
    {"input", "intake"},
    {"handles", "limit", "tools", "backends", "recording"},
    {"closing"},
    {"handle_keeper", "connection"},
    {"link"},
    {"frame_types"},
    {"conversation"},
    {"checks"},
    {"transport"},
]
"""The Live transport, from the bottom up; what is below `handles` does no input and output."""

PURE = {
    f"processors.live_api.{name}"
    for layer in LIVE_API[: next(n for n, layer in enumerate(LIVE_API) if "handles" in layer)]
    for name in layer
}
HEAVY = {"numpy", "websockets", "soxr", "soundfile", "google"}
IO = {"anyio", "asyncio", "socket", "websockets", "time", "threading", "trio"}


def modules(package: str) -> dict[str, Path]:
    names = {}
    for file in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        names[name.removesuffix(".__init__")] = file
    return names


def imports(file: Path, *, at_run_time_only: bool = True) -> Iterator[str]:
    """Names of imported modules; what is under `if TYPE_CHECKING:` does not run."""
    tree = ast.parse(file.read_text())
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped.update(child for part in node.body for child in ast.walk(part))
    for node in ast.walk(tree):
        if node in skipped and at_run_time_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            known = modules("pipeline") | modules("processors")
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else str(node.module)


def test_pipeline_never_imports_processors() -> None:
    for name, file in modules("pipeline").items():
        used = [m for m in imports(file, at_run_time_only=False) if m.startswith("processors")]
        assert not used, f"{name} imports {used}"


FOR_COMMANDS = {
    f"pipeline.cli.{name}"
    for name in ("options", "findings", "garbage", "status", "stopping", "streams")
}
"""What commands of other packages share with those of `pipeline`: the only public modules in it."""


def test_what_commands_share_is_in_the_docs() -> None:
    page = (ROOT / "docs/command_line.md").read_text()
    table = page.split("\n| module of `pipeline.cli` |")[1].split("\n\n")[0]
    listed = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert {f"pipeline.cli.{name}" for name in listed} == FOR_COMMANDS


def test_processors_use_only_the_public_interface() -> None:
    for name, file in modules("processors").items():
        used = set(imports(file, at_run_time_only=False)) - FOR_COMMANDS
        inner = sorted(module for module in used if module.startswith("pipeline."))
        assert not inner, f"{name} reaches into {inner}"


def test_what_processors_of_sound_are_made_of_knows_none_of_them() -> None:
    base = {f"processors.audio.{name}" for name in ("pcm", "codecs", "fade", "resampler")}
    for name, file in modules("processors/audio").items():
        if name.count(".") > 2:  # in a folder of parts
            above = {m for m in imports(file) if m.startswith("processors.audio.")} - base
            assert all(m.count(".") > 2 for m in above), f"{name} imports {above}"


def test_layers_import_downwards_only() -> None:
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    files = modules("pipeline")
    assert set(level) == set(files), "a module belongs to exactly one layer"
    for name, file in files.items():
        for used in imports(file):
            if used in level and used != "pipeline":
                assert level[used] < level[name], f"{name} imports {used}, which is not below it"


def test_session_logic_is_free_of_io() -> None:
    files = modules("processors")
    for name in PURE:
        used = {module.partition(".")[0] for module in imports(files[name])}
        assert not used & IO, f"{name} imports {used & IO}"


def test_the_live_api_is_usable_layer_by_layer() -> None:
    package = "processors.live_api"
    level = {f"{package}.{name}": n for n, layer in enumerate(LIVE_API) for name in layer}
    files = {name: file for name, file in modules("processors").items() if name in level}
    assert set(level) == {
        name for name in modules("processors") if name.startswith(f"{package}.")
    }, "a module belongs to exactly one layer"
    for name, file in files.items():
        for used in imports(file):
            if used in level:
                assert level[used] < level[name], f"{name} imports {used}, which is not below it"


def test_a_handle_file_is_all_that_handles_touch() -> None:
    used = set(imports(modules("processors")["processors.live_api.handles"]))
    assert used <= {"__future__", "pathlib", "msgspec", "processors.files"}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        (
            "pipeline",
            {
                "yaml",
                "importlib.metadata",
                "numpy",
                "rich",
                "click",
                "websockets",
                "soxr",
                "soundfile",
                "google",
            },
        ),
        ("pipeline.cli.main", {"numpy", "rich", "websockets", "soxr", "soundfile", "google"}),
        ("processors.serving.command", {"numpy", "starlette", "uvicorn", "websockets"}),
        ("processors.live_api.messages", {"anyio._backends._asyncio", "websockets"}),
        ("processors.live_api.transport", {"google", "processors.local_live_api.server"}),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(module: str, absent: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout.split()
    assert not absent & set(loaded)


def test_a_check_imports_nothing_that_only_a_run_needs() -> None:
    code = """
import sys
from pipeline.cli.main import main
try:
    main(["check", "--offline", "configs"], standalone_mode=False)
finally:
    print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    assert "processors.audio.vad_gate" in loaded
    assert not loaded & {*HEAVY, "asyncio", "anyio._backends._asyncio", "rich"}


def test_modules_are_of_a_size_that_one_can_read() -> None:
    for name, file in (modules("pipeline") | modules("processors")).items():
        lines = len(file.read_text().splitlines())
        assert lines <= 400, f"{name} has {lines} lines: does it still hold one idea?"


def test_all_names_of_the_public_interface_exist() -> None:
    import pipeline

    assert pipeline.__all__ == sorted(
        pipeline.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
    defined = {
        alias.name: import_module(str(node.module))
        for node in ast.walk(ast.parse((ROOT / "pipeline/__init__.py").read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pipeline.")
        for alias in node.names
    }
    assert sorted(defined) == sorted(pipeline.__all__)
    for name, module in defined.items():
        assert getattr(pipeline, name) is getattr(module, name)
    assert set(pipeline.__all__) <= set(dir(pipeline))
    with pytest.raises(AttributeError, match="'pipeline' has no attribute 'Grpah'"):
        _ = pipeline.Grpah
