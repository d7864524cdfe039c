"""From a configuration and files to jobs, or to what is wrong with them."""

from __future__ import annotations

import glob
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import ConfigError, Finding, Graph, Source, did_you_mean, load
from processors.batch.job import Job, digest_of, names_of
from processors.files import names_of_files


@dataclass(frozen=True)
class Plan:
    """jobs: one for each file. findings: what keeps them from being run, or advice.

    sessions: how many of the jobs may run at a time for the `limit` of the configuration's Live API
    sessions; None where there are none.
    """

    jobs: tuple[Job, ...]
    findings: tuple[Finding, ...]
    sessions: int | None


def find_files(patterns: Sequence[str]) -> list[Path]:
    """Files that patterns such as `recordings/**/*.wav` stand for, in order, each once.

    Raises ConfigError.
    """
    found: dict[str, Path] = {}
    for pattern in patterns:
        files = [name for name in glob.glob(pattern, recursive=True) if Path(name).is_file()]
        if Path(pattern).is_file():  # a name may look like a pattern
            files.append(pattern)
        if not files:
            is_folder = Path(pattern).is_dir()
            message = (
                f"{pattern} is {'a folder' if is_folder else 'no file, and no pattern of any'}"
            )
            hint = f"write '{Path(pattern) / '*.wav'}'" if is_folder else ""
            raise ConfigError([Finding("inputs", message, hint=hint)])
        for path in map(Path, sorted(files)):
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def make_plan(
    config: str,
    files: Sequence[Path],
    *,
    folder: Path,
    input_node: str | None = None,
    overrides: Sequence[str] = (),
    realtime: bool = False,
) -> Plan:
    """Jobs for all files. Raises ConfigError where the configuration cannot be read.

    folder: each job has one in it for what it writes.
    """
    graph = load(config, overrides=overrides)
    setting, findings = _find_input(graph, input_node)
    if setting is None:
        return Plan((), tuple(findings), None)
    findings += _check_nodes(graph)
    settings = list(overrides)
    if not realtime:
        timed = (n.name for n in graph.nodes.values() if getattr(n.processor, "realtime", False))
        settings += [f"{name}.realtime=false" for name in timed]
    recipe = digest_of([Path(config).read_text(encoding="utf-8"), setting, *settings])
    written = list(names_of_files(graph))
    jobs = []
    for file, name in zip(files, names_of(files), strict=True):
        own = folder / name
        moved = [_setting(key, own / as_) for key, as_ in written]
        job = Job(
            file=str(file),
            name=name,
            config=config,
            overrides=(*settings, _setting(setting, file), *moved),
            folder=str(own),
            recipe=recipe,
            is_timed=realtime,
        )
        jobs.append(job)
    checked = load(config, overrides=jobs[0].overrides).check()
    findings += (finding for finding in checked if not _is_about_the_file(finding, setting))
    return Plan(tuple(jobs), tuple(findings), _runs_at_a_time(graph))


def _is_about_the_file(finding: Finding, setting: str) -> bool:
    """It is said of that file when its turn comes, and keeps no others from being run."""
    is_there = finding.place is not None and finding.place.file == f"--set {setting}"
    return is_there or finding.code == "format-mismatch"


def _setting(key: str, path: Path) -> str:
    return f"{key}={os.path.abspath(path)}".replace("$", "$$")


def _find_input(graph: Graph, wanted: str | None) -> tuple[str | None, list[Finding]]:
    """The setting that names the input: `question.path`."""
    settings = {
        node.name: f"{node.name}.{setting}"
        for nodes in graph.files_read().values()
        for node, setting in nodes
        if isinstance(node.processor, Source)
    }
    if wanted is not None and wanted in settings:
        return settings[wanted], []
    if wanted is not None:
        message = f'--input-node: "{wanted}" is no source that reads a file'
        return None, [Finding("inputs", message, hint=did_you_mean(wanted, settings))]
    if len(settings) == 1:
        return next(iter(settings.values())), []
    if settings:
        message = f"several sources read files: {', '.join(sorted(settings))}"
        hint = "say which one reads those of the batch: --input-node NAME"
    else:
        message = "no source of the configuration reads a file, so there is nothing to run it on"
        hint = "use `audio_source`, which `pipeline run` takes too"
    return None, [Finding("inputs", message, hint=hint)]


def _check_nodes(graph: Graph) -> Iterator[Finding]:
    """What would be shared by all runs, and belongs to none."""
    for file, [(node, setting), *_] in graph.files_written().items():
        if file.name == "-":
            message = f'"{node.name}" writes to standard output, which all files would share'
            yield Finding("batch", message, node.place_of(setting), "give it the name of a file")
    for node in graph.nodes.values():
        if isinstance(node.processor, Source) and node.processor.device is not None:
            message = f'"{node.name}" is a {node.processor.device}, which all files would share'
            hint = "use `audio_source` and the like"
            yield Finding("batch", message, node.place, hint)


def _runs_at_a_time(graph: Graph) -> int | None:
    """By the `limit` of its Live API sessions: those of one account are counted together."""
    transport = sys.modules.get("processors.live_api.transport")
    if transport is None:  # then no node is one
        return None
    lives = [
        n.processor for n in graph.nodes.values() if isinstance(n.processor, transport.LiveApi)
    ]
    used = Counter(live.account for live in lives)
    return min((max(1, live.limit.sessions // used[live.account]) for live in lives), default=None)
