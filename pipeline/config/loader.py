"""From a configuration to a graph.

    processors:
      question: {use: audio_source, path: question.wav}
      to_16k:   {use: resampler, rate: 16000, channels: 1}
      answer:   {use: audio_sink, path: out.wav, inbox: {frames: 8}}
    flow:
      - question -> to_16k -> answer

Each entry of `processors` names a node; `use` is the processor, `inbox` its inbox, all other keys
are the arguments of its constructor. Each entry of `flow` is a chain.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.config.reading import Reading, Replace
from pipeline.config.typed import read_text
from pipeline.environment import check_processor
from pipeline.errors import ConfigError, Finding, errors_of
from pipeline.graph import Graph


def load(
    path: str | Path,
    *,
    variables: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
    replace: Replace | None = None,
) -> Graph:
    """The graph that a YAML file describes.

    variables: for `${NAME}`; the environment if not given. overrides: settings that count instead
    of those in the file, such as `gate.threshold_db=8`.
    replace: asked for each node what runs in its place; given its name and its processor.
    Raises ConfigError with everything that is wrong and where.
    """
    return loads(
        read_text(path),
        file=str(path),
        base=Path(path).parent,
        variables=variables,
        overrides=overrides,
        replace=replace,
    )


def loads(
    text: str,
    *,
    file: str = "<config>",
    base: Path | None = None,
    variables: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
    replace: Replace | None = None,
) -> Graph:
    """The graph that a YAML text describes; `file` is for messages, `base` for relative paths."""
    known = os.environ if variables is None else variables
    reading = Reading(text, file, base or Path(), known, overrides=overrides, replace=replace)
    errors = errors_of(reading.all_findings())
    if errors or reading.graph is None:
        raise ConfigError(errors)
    return reading.graph


def check(
    text: str,
    *,
    file: str = "<config>",
    base: Path | None = None,
    variables: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
    offline: bool = False,
) -> list[Finding]:
    """Everything that is wrong with a YAML text, also with the machine, in the order of its lines.

    offline: nothing is looked at but the text and the code that it names.
    """
    known = os.environ if variables is None else variables
    reading = Reading(text, file, base or Path(), known, overrides=overrides, part=True)
    if reading.graph is not None:
        reading.findings += reading.graph.check(offline=offline)
    elif not offline:
        reading.findings += [f for node in reading.nodes.values() for f in check_processor(node)]
    return sorted(reading.all_findings(), key=lambda finding: finding.place or (file, 0, 0))


def check_file(
    path: str | Path, *, overrides: Sequence[str] = (), offline: bool = False
) -> list[Finding]:
    """Everything that is wrong with a YAML file."""
    try:
        text = read_text(path)
    except ConfigError as error:
        return list(error.findings)
    base = Path(path).parent
    return check(text, file=str(path), base=base, overrides=overrides, offline=offline)
