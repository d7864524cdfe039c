"""The `pipeline` command."""

from __future__ import annotations

import click

import pipeline
from pipeline.cli.commands import Commands

EPILOG = """\b
Exit status: 0 done; 1 a processor failed; 2 the input is wrong, nothing was run;
130 and 143 stopped by a signal before all was delivered (INT, TERM)."""


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    pipeline.__version__, "-V", "--version", prog_name="pipeline", message="%(prog)s %(version)s"
)
def main() -> None:
    """Talk with a machine in real time: run graphs of frame processors, wired in YAML."""


@main.command()
@click.argument("config", type=click.Path())
@click.option("--debug", is_flag=True, help="Show tracebacks and debugging messages.")
@click.option(
    "--drain",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long what is under way may take to end after the first Ctrl-C.",
)
def run(config: str, debug: bool, drain: float) -> None:
    """Run the graph that CONFIG describes.

    Words and the summary go to standard error. The first Ctrl-C lets what is under way come to
    its end, the second stops at once.
    """
    from pipeline.cli.run import run_config

    raise SystemExit(run_config(config, debug=debug, drain_seconds=drain))
