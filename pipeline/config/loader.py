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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config import secrets
from pipeline.config.document import Document
from pipeline.config.node import build
from pipeline.config.overrides import override, secrets_of
from pipeline.config.typed import read_text
from pipeline.environment import check_processor
from pipeline.errors import (
    ConfigError,
    Finding,
    Place,
    did_you_mean,
    errors_of,
    nearest_place,
)
from pipeline.graph import Graph, Node, read_chain
from pipeline.ports import Ports
from pipeline.processor import Processor
from pipeline.settings import Problem

TOP = {"processors": dict, "flow": list}

Replace = Callable[[str, Processor], Processor]
"""What runs in a node's place: a client's microphone instead of this machine's."""


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
    reading = _Reading(text, file, base, variables, overrides, replace)
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
    reading = _Reading(text, file, base, variables, overrides)
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


class _Reading:
    """A text on its way to a graph; goes on as far as it can, to find all that is wrong at once.

    graph: None where too much is wrong to build one. nodes: those that nothing is wrong with, not
    wired. secrets: those that stand in the text; they keep no graph from being built.
    """

    def __init__(
        self,
        text: str,
        file: str,
        base: Path | None,
        variables: Mapping[str, str] | None,
        overrides: Sequence[str],
        replace: Replace | None = None,
    ) -> None:
        self.graph: Graph | None = None
        self.nodes: dict[str, Node] = {}
        self.findings: list[Finding] = []
        self._replace = replace or _keep
        self.secrets = [*secrets.by_look(text, file), *secrets_of(overrides)]
        known = os.environ if variables is None else variables
        try:
            document = Document(text, file, known, strict=False)
        except ConfigError as error:
            self.findings += error.findings
            return
        self.findings += override(document, overrides, known)
        self._read(document, base or Path())

    def all_findings(self) -> list[Finding]:
        """Those about secrets too; no message quotes one."""
        findings = [secrets.hide(finding, self.secrets) for finding in self.findings]
        return [secret.finding for secret in self.secrets] + findings

    def _read(self, document: Document, base: Path) -> None:
        self.findings += [finding for _, finding in document.findings]
        self.findings += _check_top(document)
        data = document.data if isinstance(document.data, dict) else {}
        processors, flow = (
            data[key] if isinstance(data.get(key), kind) else kind() for key, kind in TOP.items()
        )
        places = document.places_below("processors")
        for name, values in processors.items():
            self._read_node(document, name, values, places.get(name, {}), base)
        flow_places = [document.text_place("flow", index) for index in range(len(flow))]
        if self.findings:
            unreadable = {path[:2] for path, _ in document.findings}
            for index, chain in enumerate(flow):
                if isinstance(chain, str) and ("flow", index) not in unreadable:
                    self.findings += read_chain(chain, processors, flow_places[index])[1]
            return
        nodes = self.nodes.values()
        try:
            self.graph = Graph(
                {node.name: self._replace(node.name, node.processor) for node in nodes},
                flow,
                inboxes={node.name: node.inbox for node in nodes if node.inbox is not None},
                places={node.name: node.place for node in nodes if node.place is not None},
                flow_places=flow_places,
                setting_places=places,
            )
        except ConfigError as error:
            self.findings += error.findings

    def _read_node(
        self, document: Document, name: str, values: Any, places: Mapping[str, Place], base: Path
    ) -> None:
        top = ("processors", name)
        unreadable = {path[2:3] for path, _ in document.findings if path[:2] == top}
        if not isinstance(values, dict) or not isinstance(values.get("use"), str):
            if not unreadable:
                place = document.place(*top, *(["use"] if isinstance(values, dict) else []))
                message = f'"{name}" needs `use:` with the name of a processor'
                hint = "write {use: resampler, ...}"
                self.findings.append(Finding("missing-use", message, place, hint))
            return
        elsewhere = {str(key): Path() for key in values if document.is_given(*top, key)}
        built = build(values, base, {str(key) for path in unreadable for key in path}, elsewhere)
        own_place = document.key_place(*top)
        for problem in built.problems:
            if problem.code == "unknown-setting":
                place = document.key_place(*top, *problem.path)
            else:
                place = nearest_place(places, ".".join(map(str, problem.path))) or own_place
            self.findings.append(_finding(name, problem, place))
        for path, text in secrets.by_name(values, built.public):
            self._add_secret(name, path, text, document.place(*top, *path))
        if built.processor is not None:
            self.nodes[name] = Node(
                name, built.processor, Ports((), ()), built.inbox, own_place, places
            )

    def _add_secret(self, name: str, path: tuple[str, ...], text: str, place: Place) -> None:
        if any(secret.text in text for secret in self.secrets):
            return  # found by its look already
        where = "into the file" if place.line else "on the command line"
        message = f'"{name}": {".".join(path)} is a secret that is written {where}'
        finding = Finding("secret", message, place, secrets.HINT)
        self.secrets.append(secrets.Secret(finding, text))


def _keep(name: str, processor: Processor) -> Processor:
    return processor


def _finding(name: str, problem: Problem, place: Place) -> Finding:
    message = (
        problem.message if problem.code == "unknown-processor" else f'"{name}": {problem.message}'
    )
    return Finding(problem.code, message, place, problem.hint)


def _check_top(document: Document) -> Iterator[Finding]:
    data = document.data
    if not isinstance(data, dict):
        yield Finding("config", "a configuration has `processors:` and `flow:`", document.place())
        return
    for key in data:
        if key not in TOP:
            hint = did_you_mean(key, TOP)
            yield Finding("unknown-key", f'no key "{key}" here', document.key_place(key), hint)
    for key, kind in TOP.items():
        if key not in data:
            yield Finding("config", f"`{key}:` is missing", document.place())
        elif not isinstance(data[key], kind) or not data[key]:
            what = "names with their settings" if kind is dict else "a list of chains"
            yield Finding("config", f"`{key}:` must be {what}", document.place(key))
        elif kind is list:
            for index, chain in enumerate(data[key]):
                if not isinstance(chain, str):
                    yield Finding(
                        "flow-syntax", "a chain is text: `a -> b -> c`", document.place(key, index)
                    )
