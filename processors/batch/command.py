"""`pipeline batch`: one configuration for many files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from pipeline.cli import options as shared


@click.command(
    epilog="""\b
Exit status: 0 all done; 1 some have failed; 2 the input is wrong, nothing was run;
130 and 143 stopped by a signal (INT, TERM)."""
)
@shared.config
@click.argument("files", nargs=-1, type=click.Path(), metavar="[FILE|'PATTERN']...")
@click.option(
    "--inputs",
    multiple=True,
    metavar="'PATTERN'",
    help="Files, such as 'recordings/**/*.wav'; repeatable. They may be arguments as well.",
)
@click.option(
    "--input-node",
    metavar="NAME",
    help="The source that reads the files; needed where several read some.",
)
@click.option(
    "--realtime",
    is_flag=True,
    help="Leave `realtime` as the configuration has it; otherwise nothing is played in real time.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Files at a time, at most as many as `limit` of live_api has sessions for. "
    "Left out, four for each core.",
)
@shared.number("--retries", 2, "Further attempts after a failure that may pass.", least=0)
@shared.seconds("--longest", 3600.0, "One attempt takes no longer.", min=0, min_open=True)
@click.option(
    "--files",
    "folder",
    type=click.Path(path_type=Path),
    default="runs/batch",
    show_default=True,
    metavar="FOLDER",
    help="Each file has a folder in it for what its run writes.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    metavar="FILE.jsonl",
    help="A line for each file; what is done in it is not done again. "
    "Left out, results.jsonl in the folder of --files.",
)
@click.option(
    "--csv",
    "table",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Write the results as a table, too.",
)
@click.option("--again", is_flag=True, help="Do again what is done.")
@click.option("--on", type=click.Choice(["ray"]), help="Run the files on a Ray cluster.")
@click.option(
    "--address",
    envvar="RAY_ADDRESS",
    metavar="HOST:PORT",
    help="Of the cluster; also RAY_ADDRESS. Left out, Ray is started on this machine.",
)
def batch(
    config: str,
    files: tuple[str, ...],
    inputs: tuple[str, ...],
    input_node: str | None,
    overrides: tuple[str, ...],
    realtime: bool,
    workers: int | None,
    retries: int,
    longest: float,
    folder: Path,
    results: Path | None,
    table: Path | None,
    again: bool,
    on: Literal["ray"] | None,
    address: str | None,
) -> None:
    """Run the graph that CONFIG describes once for each file, as fast as they and the service
    allow.

    Each run is a process of its own. What it writes is put into a folder of the file's name. A
    batch that was interrupted goes on where it stopped, when it is called again. The first signal
    lets the files under way come to their end, the second stops at once.
    """
    if on == "ray":
        with shared.extra("ray"):
            import ray  # noqa: F401
    from processors.batch.run import Options, run_batch

    if not files and not inputs:
        raise click.UsageError("which files? --inputs 'recordings/*.wav'")
    options = Options(
        inputs=(*inputs, *files),
        input_node=input_node,
        overrides=overrides,
        realtime=realtime,
        workers=workers,
        retries=retries,
        longest_s=longest,
        folder=folder,
        results=results,
        table=table,
        again=again,
        on=on,
        address=address,
    )
    raise SystemExit(run_batch(config, options))
