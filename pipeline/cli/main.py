"""The `pipeline` command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import click

import pipeline
from pipeline.cli import options
from pipeline.cli.commands import Commands

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

EPILOG = """\b
Exit status: 0 done; 1 a processor failed; 2 the input is wrong, nothing was run;
130 and 143 stopped by a signal before all was delivered (INT, TERM)."""


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    pipeline.__version__, "-V", "--version", prog_name="pipeline", message="%(prog)s %(version)s"
)
def main() -> None:
    """Talk with a machine in real time: run graphs of frame processors, wired in YAML."""


def _later(name: str) -> Callable[..., list[CompletionItem]]:
    """What completes a word, imported only when a shell asks."""

    def complete(
        context: click.Context, parameter: click.Parameter, word: str
    ) -> list[CompletionItem]:
        from pipeline.cli import completion

        completed: list[CompletionItem] = getattr(completion, name)(context, parameter, word)
        return completed

    return complete


@main.command()
@options.config
@click.option(
    "--view",
    type=click.Choice(["auto", "live", "lines", "json", "none"]),
    default="auto",
    show_default=True,
    help="What is seen while it runs. auto: live at a terminal, else lines.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks and debugging messages.")
@options.seconds(
    "--drain", 10.0, "How long what is under way may take to end after the first Ctrl-C."
)
@click.option(
    "--report",
    type=click.Path(),
    metavar="FILE.html",
    help="Write a page of the session when it is over: timeline, sound, words, waits.",
)
@options.otel
@options.otel_content
@options.control
@options.watchdog
def run(
    config: str,
    overrides: tuple[str, ...],
    view: Literal["auto", "live", "lines", "json", "none"],
    debug: bool,
    drain: float,
    report: str | None,
    otel: bool | None,
    otel_content: bool,
    control: bool,
    watchdog: float,
) -> None:
    """Run the graph that CONFIG describes.

    All that is seen goes to standard error, but for the events of `--view json`. The first Ctrl-C
    lets what is under way come to its end, the second stops at once.
    """
    from pipeline.cli.run import run_config
    from pipeline.cli.streams import outlet
    from pipeline.observing.installed import wants_telemetry

    observing: dict[str, dict[str, Any]] = {}
    if wants_telemetry() if otel is None else otel:
        observing["otel"] = {"title": config, "content": otel_content}
    if report is not None:
        observing["report"] = {"path": report, "title": config}
    with outlet(sys.stderr) as words:
        status = run_config(
            config,
            words,
            debug=debug,
            drain_seconds=drain,
            overrides=overrides,
            view=view,
            observing=observing,
            control=control,
            watchdog_s=watchdog,
        )
    raise SystemExit(status)


_PID = click.option(
    "--pid", type=int, metavar="NUMBER", help="The process that runs it, where several go on."
)


@main.command()
@_PID
@click.option("--session", default="", metavar="NAME", help="Of a server: this session alone.")
@click.option("--once", is_flag=True, help="Print it once.")
def top(pid: int | None, session: str, once: bool) -> None:
    """Look at a run that goes on: rates, what waits, what is dropped, turns and tokens.

    Of `pipeline serve` it shows a line for each session. NAME may have wildcards: 'a1b2*'.
    """
    from pipeline.cli.watching import top

    raise SystemExit(top(pid, once=once, session=session))


@main.command()
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN...")
@_PID
def tap(patterns: tuple[str, ...], pid: int | None) -> None:
    """Print frames of a run that goes on, one JSON object to a line.

    PATTERN is where, and of which type: 'gemini.*' for all that gemini gives, '*.Transcript',
    'mic -> gate' or '* -> gemini.AudioFrame' for what goes there. Of `pipeline serve` it is for
    all sessions, those that begin later included; 'a1b2*/gemini.*' is for one.
    """
    from pipeline.cli.watching import tap

    raise SystemExit(tap(patterns, pid))


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="FILE|DIR|PAGE.md...")
@options.overrides
@options.env
@options.no_code
@click.option("--offline", is_flag=True, help="Ask nothing of the machine: no files, no keys.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
)
@click.option("--strict", is_flag=True, help="Let warnings count as errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say which files were checked and skipped.")
def check(
    paths: tuple[str, ...],
    overrides: tuple[str, ...],
    offline: bool,
    format_: str,
    strict: bool,
    verbose: bool,
) -> None:
    """Say everything that is wrong with configurations, without running them.

    Of a folder, every YAML file below it that has `processors:` at its top is checked; of a
    Markdown page, every such block.
    """
    from pipeline.cli.check import check_paths

    status = check_paths(
        paths,
        offline=offline,
        form=format_,
        verbose=verbose,
        overrides=overrides,
        strict=strict,
    )
    raise SystemExit(status)


@main.command()
@click.argument("code", shell_complete=_later("codes"))
def explain(code: str) -> None:
    """Explain CODE: of an error, or of the end of a connection, such as 1008."""
    from pipeline.cli.explain import explain_code

    raise SystemExit(explain_code(code))


_FORM = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


@main.command("list")
@_FORM
def list_(form: str) -> None:
    """List the processors that are installed."""
    from pipeline.cli.reference import list_processors

    raise SystemExit(list_processors(form))


@main.command()
@click.argument("processor", shell_complete=_later("processors"))
@_FORM
def describe(processor: str, form: str) -> None:
    """Describe PROCESSOR: what it takes and gives, its settings, an example.

    PROCESSOR is a name that `pipeline list` shows, ./file.py:Class, package.module:Class, or a
    fragment, ./file.yaml.
    """
    from pipeline.cli.reference import describe

    raise SystemExit(describe(processor, form))


@main.command()
def schema() -> None:
    """Print the JSON Schema of configurations, for editors."""
    from pipeline.cli.reference import print_schema

    raise SystemExit(print_schema())


@main.command()
@options.config
def expand(config: str, overrides: tuple[str, ...]) -> None:
    """Print CONFIG with variables and all defaults put in, and secrets left out."""
    from pipeline.cli.expand import expand

    raise SystemExit(expand(config, overrides))


@main.command()
@options.config
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "mermaid", "dot", "svg"]),
    default="terminal",
    show_default=True,
)
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw for the terminal without Unicode.")
def graph(config: str, overrides: tuple[str, ...], form: str, ascii_only: bool) -> None:
    """Draw the graph that CONFIG describes: what flows where, and what waits in which inbox."""
    from pipeline.cli.graph import draw_graph

    raise SystemExit(draw_graph(config, form, ascii_only=ascii_only, overrides=overrides))


@main.command()
@click.argument("chains", nargs=-1, metavar="CHAIN...", shell_complete=_later("chain"))
@click.option("--processor", metavar="NAME", help="Write a processor of your own and its test.")
@click.option(
    "--role",
    type=click.Choice(["source", "transform", "sink", "duplex"]),
    default="transform",
    show_default=True,
    help="Of that processor.",
)
@click.option(
    "-o", "--output", type=click.Path(), help="A new file; for a processor, an existing folder."
)
def new(chains: tuple[str, ...], processor: str | None, role: str, output: str | None) -> None:
    """Begin a configuration from a CHAIN of processors, or a processor of your own.

    \b
    pipeline new audio_source/resampler,vad_gate/live_api/audio_sink -o talk.yaml
    pipeline new "audio_source -> live_api <-> tool_dispatcher"
    pipeline new --processor MoodMeter
    """
    from pipeline.cli.new import new_config, new_processor

    if (processor is None) == (not chains):
        raise click.UsageError("give either a chain of processors or --processor with a name")
    if processor is not None:
        raise SystemExit(new_processor(processor, role, output))
    raise SystemExit(new_config(chains, output))


@main.command()
@click.option("--online", is_flag=True, help="Also try to reach the services.")
def doctor(online: bool) -> None:
    """Look at this machine: what is installed, what is missing, what to do about it."""
    from pipeline.cli.doctor import doctor

    raise SystemExit(doctor(online=online))


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script by which SHELL completes this command.

    \b
    bash  eval "$(pipeline completion bash)"      in ~/.bashrc
    zsh   eval "$(pipeline completion zsh)"       in ~/.zshrc
    fish  pipeline completion fish | source       in ~/.config/fish/config.fish
    """
    from pipeline.cli.completion import print_script

    print_script(shell, main)
