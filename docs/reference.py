"""The site's reference, made from the code whenever the site is built: a page for each built-in
processor, one for the commands' options, for the error codes, and for the Python interface.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import yaml

import pipeline
import pipeline.testing
from pipeline import Frame, Processor
from pipeline.cli.explain import all_explanations
from pipeline.cli.main import main
from pipeline.cli.reference import facts, innermost
from pipeline.examples import example
from pipeline.reference import Entry, first_sentence, read_reference
from pipeline.registry import find_processor, installed

ROOT = Path(__file__).resolve().parent.parent


@cache
def built_in() -> dict[str, type[Processor]]:
    """The processors that come with this package, whatever else is installed."""
    return {
        name: find_processor(name, Path())
        for name, point in sorted(installed().items())
        if point.value.startswith("processors.")
    }


CONTENTS = ("processors", "commands", "errors", "python")
"""The pages that the site's contents lead to."""


def pages() -> dict[str, str]:
    """The text of each page, by the name of its file."""
    made = {f"{name}.md": processor_page(name, kind) for name, kind in built_in().items()}
    return made | {
        "processors.md": processors_page(),
        "commands.md": commands_page(),
        "errors.md": errors_page(),
        "python.md": python_page(),
    }


def cell(text: str) -> str:
    """Text within a table."""
    return " ".join(text.split()).replace("|", r"\|")


# --- processors ---


def processors_page() -> str:
    """All of them, on a line each."""
    rows = [
        f"| [`{name}`]({name}.md) | {about.role} | {cell(about.summary)} |"
        for name, kind in built_in().items()
        for about in [read_reference(kind)]
    ]
    head = "| | role | |\n| --- | --- | --- |\n"
    names = "\n".join(built_in())
    return (
        f"# Built-in processors\n\n{head}" + "\n".join(rows) + "\n\n"
        f"```{{toctree}}\n:hidden:\n\n{names}\n```\n"
    )


def processor_page(name: str, kind: type[Processor]) -> str:
    """As `pipeline describe` shows it, with links to configurations that use it."""
    about = read_reference(kind)
    parts = [f"# `{name}`\n", prose(about.text), ""]
    parts.append(f"| role | takes | gives |\n| --- | --- | --- |\n| {about.role} "
                 f"| {frames(about.takes)} | {frames(about.gives)} |\n")  # fmt: skip
    if about.settings:
        rows = [row for entry in about.settings for row in setting_rows(entry)]
        parts.append("## Settings\n\n| setting | what it may be | |\n| --- | --- | --- |")
        parts.append("\n".join(rows) + "\n")
    shown = yaml.safe_dump(
        example(name, kind, built_in()), sort_keys=False, default_flow_style=None, width=96
    )
    parts.append(f"## Example\n\n```yaml\n{shown}```\n")
    used = [f"[{path.stem}](../../configs/{path.name})" for path in using(name)]
    if used:
        parts.append(f"Used in {', '.join(used)}.\n")
    return "\n".join(parts)


def setting_rows(entry: Entry, before: str = "") -> Iterator[str]:
    """A row for a setting, and one for each that is within it."""
    name = before + entry.name
    yield f"| `{name}` | {cell(facts(entry))} | {cell(entry.meaning)} |"
    for shape in (entry.shape, *entry.shape.others):
        inside = f"{name}[]." if shape.kind == "list" else f"{name}."
        for field in innermost(shape).fields:
            yield from setting_rows(field, inside)


def using(name: str) -> list[Path]:
    """The configurations with such a node."""
    used = re.compile(rf"\buse: {name}\b")
    return [
        path for path in sorted((ROOT / "configs").glob("*.yaml")) if used.search(path.read_text())
    ]


def frames(names: tuple[str, ...]) -> str:
    """Links to frame types; only those of `pipeline` have a place to lead to."""
    known = set(pipeline.__all__)
    shown = [f"[{n}](python.md#{n.lower()})" if n in known else n for n in names]
    return ", ".join(shown) or "nothing"


def prose(text: str) -> str:
    """Docstrings as Markdown: what is indented is a block."""
    parts = [
        f"```text\n{textwrap.dedent(part)}\n```" if part.startswith("  ") else part
        for part in re.split(r"\n\n", text)
    ]
    return "\n\n".join(parts)


def listed(text: str) -> str:
    """What is said of fields and parameters, `name: meaning` on a line of its own, as a list."""
    return re.sub(r"^([a-z_]+(?:, [a-z_]+)*): ", r"\n- `\1`: ", text, flags=re.MULTILINE)


# --- commands ---


def commands_page() -> str:
    """Every command with its arguments and options, as `--help` knows them."""
    parts = ["# Commands and options\n"]
    with click.Context(main, info_name="pipeline") as above:
        for name in main.list_commands(above):
            command = main.get_command(above, name)
            if command is None or command.hidden:
                continue
            with click.Context(command, info_name=name, parent=above) as context:
                parts.append(command_section(command, context))
    return "\n".join(parts)


def command_section(command: click.Command, context: click.Context) -> str:
    """A heading, the help text, a table of options."""
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text = "\n\n".join(
        f"```text\n{part.removeprefix(chr(8)).strip()}\n```" if part.startswith("\b") else part
        for part in inspect.cleandoc(command.help or "").split("\n\n")
    )
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [f"| `{cell(name)}` | {cell(text)} |" for name, text in filter(None, records)]
    return (
        f"## `{context.command_path}`\n\n```text\n{usage}\n```\n\n{text}\n\n"
        "| option | |\n| --- | --- |\n" + "\n".join(rows) + "\n"
    )


# --- errors ---


def errors_page() -> str:
    """All that `pipeline explain` can say."""
    parts = [
        "# Error codes\n",
        "What `pipeline check` and `pipeline run` say between `error[` and `]`, and the codes\n"
        "with which the Live API closes connections. `pipeline explain CODE` shows the same.\n",
    ]
    for code, text in sorted(
        all_explanations().items(), key=lambda pair: (pair[0].isdigit(), pair[0])
    ):
        parts.append(f"## {code}\n\n{prose(text.strip())}\n")
    return "\n".join(parts)


# --- Python ---


def python_page() -> str:
    """What `pipeline` and `pipeline.testing` offer."""
    names = {name: getattr(pipeline, name) for name in pipeline.__all__}
    frame_types = {n: v for n, v in names.items() if inspect.isclass(v) and issubclass(v, Frame)}
    others = {n: v for n, v in names.items() if n not in frame_types}
    testing = {
        name: value
        for name, value in vars(pipeline.testing).items()
        if getattr(value, "__module__", "") == "pipeline.testing" and not name.startswith("_")
    }
    parts = ["# Python interface\n"]
    for title, group in (
        ("Frames", frame_types), ("Processors, graphs, runs", others), ("Testing", testing),
    ):  # fmt: skip
        parts.append(f"## {title}\n")
        parts += [section(name, value) for name, value in group.items()]
    return "\n".join(parts)


def section(name: str, value: Any) -> str:
    """A class with its fields and methods, a function, or a constant."""
    if not inspect.isclass(value) and not inspect.isfunction(value):
        code, text = assignment(name)
        return f"### {name}\n\n{text}\n\n```python\n{code}\n```\n"
    text = inspect.getdoc(value) or ""
    [code] = ast.parse(textwrap.dedent(inspect.getsource(value))).body
    lines = [stub(code)] if not isinstance(code, ast.ClassDef) else [
        f"class {name}({', '.join(map(ast.unparse, code.bases))}):".replace("()", ""),
        *(textwrap.indent(line, "    ") for line in members(code)),
    ]  # fmt: skip
    shown = "\n".join([*lines, "    ..."] if lines[-1].endswith(":") else lines)
    return f"### {name}\n\n{prose(listed(text))}\n\n```python\n{shown}\n```\n"


def assignment(name: str) -> tuple[str, str]:
    """How a constant of `pipeline` is made, and what is said of it on the next line."""
    for file in sorted((ROOT / "pipeline").rglob("*.py")):
        body = ast.parse(file.read_text("utf-8")).body
        for part, following in pairwise(body):
            if isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == name:
                said = following.value if isinstance(following, ast.Expr) else None
                text = ast.literal_eval(said) if isinstance(said, ast.Constant) else ""
                return ast.unparse(part), text
    raise LookupError(name)


def members(code: ast.ClassDef) -> Iterator[str]:
    """Public fields and methods, each method with the first sentence that is said of it."""
    for part in code.body:
        if isinstance(part, ast.AnnAssign):
            line = ast.unparse(part)
            if not line.startswith("_") and "ClassVar" not in line:
                yield line
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            said = first_sentence(ast.get_docstring(part) or "")
            if part.name == "__init__":
                yield stub(part)
            elif not part.name.startswith("_"):
                yield stub(part) + (f"\n    # {said}" if said else "")


def stub(code: ast.stmt) -> str:
    """A function without its body."""
    assert isinstance(code, ast.FunctionDef | ast.AsyncFunctionDef)
    code.body = [ast.Expr(ast.Constant(...))]
    return ast.unparse(code).replace(":\n    ...", ": ...")
