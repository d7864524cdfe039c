"""The benchmark suite, in one command: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from inspect import cleandoc
from pathlib import Path

from msgspec.structs import replace

from benchmarks.harness import machine
from benchmarks.harness.report import summary, table
from benchmarks.harness.results import Results, Section, read
from benchmarks.harness.rounds import Rounds, SubjectError

NAMES = (
    "chain",
    "backlog",
    "latency",
    "sessions",
    "interruption",
    "slow_sink",
    "audio",
    "resampling",
    "vad",
    "wire",
    "live_sessions",
    "local_live_api",
    "serving",
    "start",
    "scaling",
)
"""The benchmarks, each a module with a `measure`."""


def measure(name: str, rounds: Rounds) -> Section:
    """Run one benchmark; its docstring becomes the notes."""
    module = importlib.import_module(f"benchmarks.{name}")
    title, _, notes = cleandoc(module.__doc__ or "").partition("\n")
    section = Section(name, title.rstrip("."), " ".join(notes.split()))
    section.rounds, section.quick = rounds.rounds, rounds.quick
    began = time.perf_counter()
    module.measure(rounds, section)
    section.seconds = round(time.perf_counter() - began, 1)
    return section


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; 1 if something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; all, if none is given")
    parser.add_argument("--rounds", type=int, help="default 5, with --quick 2")
    parser.add_argument("--quick", action="store_true", help="small sizes, within a minute each")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the results here; if names are given, beside those that it has of others",
    )
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw the results here")
    parser.add_argument(
        "--patience",
        type=int,
        help="how often a round is tried again in which others had the processor; default 3",
    )
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: there are {', '.join(NAMES)}")
    rounds = Rounds(
        chosen.rounds or (2 if chosen.quick else 5),
        chosen.quick,
        chosen.patience if chosen.patience is not None else 0 if chosen.quick else 3,
    )
    results = Results(machine.describe(), machine.versions())
    others = []
    if chosen.json and chosen.names and chosen.json.exists():
        others = [s for s in read(chosen.json.read_bytes()).sections if s.name not in chosen.names]
    machine.pin(sorted(machine.cores())[-1:])
    failed = False
    for name in chosen.names or NAMES:
        try:
            section = measure(name, rounds)
        except SubjectError as error:
            print(f"\n{name}: {error}", file=sys.stderr)
            failed = True
            continue
        results.sections.append(section)
        print(table(section), flush=True)
        if chosen.json:  # after each, so that nothing is lost
            found = sorted([*others, *results.sections], key=lambda s: NAMES.index(s.name))
            chosen.json.write_bytes(replace(results, sections=found).encode())
    print(summary(results))
    if chosen.plots:
        from benchmarks.harness.plots import draw

        draw(results, chosen.plots)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
