"""A configuration's text, and the fragments in it, on their way to a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pipeline.config import secrets
from pipeline.config.document import PARAMETERS, UNKNOWN, Document, Given, is_fragment
from pipeline.config.fragments import (
    DEEPEST,
    INPUT,
    MOST,
    OUTPUT,
    Ends,
    Input,
    Join,
    Output,
    Section,
    real_path,
    shown_path,
)
from pipeline.config.node import RESERVED, build
from pipeline.config.overrides import FORM, Override, override, read_overrides, secrets_of
from pipeline.config.shape import (
    TOP,
    are_names_known,
    check_names,
    check_top,
    missing_use,
    processors_of,
)
from pipeline.config.typed import read_text
from pipeline.errors import ConfigError, Finding, Place, did_you_mean, errors_of, nearest_place
from pipeline.flow import Wire, is_name
from pipeline.graph import Graph, Node, read_chain
from pipeline.ports import Ports
from pipeline.processor import Processor
from pipeline.settings import Problem

Replace = Callable[[str, Processor], Processor]
"""What runs in a node's place: a client's microphone instead of this machine's."""


class Entry(NamedTuple):
    """What is said of a node: an entry of `processors`, and the folder that its files start from.

    bases: those of single settings that come from elsewhere.
    """

    values: Mapping[str, Any]
    base: Path
    bases: Mapping[str, Path]


class Reading:
    """Goes on as far as it can, to find all that is wrong at once.

    graph: None where too much is wrong to build one. nodes: those that nothing is wrong with, not
    wired. entries, wires: of all nodes, those of fragments included. secrets: those that stand in
    the texts; they keep no graph from being built.
    part: the text may be a fragment; what is open in it gets a stand-in.
    """

    def __init__(
        self,
        text: str,
        file: str,
        base: Path,
        variables: Mapping[str, str],
        *,
        overrides: Sequence[str] = (),
        replace: Replace | None = None,
        part: bool = False,
    ) -> None:
        self.graph: Graph | None = None
        self.nodes: dict[str, Node] = {}
        self.entries: dict[str, Entry] = {}
        self.wires: list[Wire] = []
        self.chains: list[str] | None = None
        """As they are written, where there are no fragments."""
        self.findings: list[Finding]
        self.secrets: list[secrets.Secret] = list(secrets_of(overrides))
        self._variables = variables
        self._part = part
        self._seen: set[str] = set()
        self._included = 0
        settings, self.findings = read_overrides(overrides, variables)
        given = {o.path[0]: o.given for o in settings if len(o.path) == 1}
        inner = [o for o in settings if len(o.path) > 1]
        top = Section(text, file, base, within=(real_path(file),), given=given, overrides=inner)
        ends = self._read(top)
        whole = self.nodes.keys() == self.entries.keys()
        if ends is not None and whole and not errors_of(self.findings):
            self._build(ends, replace)

    def all_findings(self) -> list[Finding]:
        """Those about secrets too, each once; no message quotes one."""
        findings = [secrets.hide(finding, self.secrets) for finding in self.findings]
        return list(dict.fromkeys([*(secret.finding for secret in self.secrets), *findings]))

    def _build(self, ends: Ends, replace: Replace | None) -> None:
        nodes = self.nodes.values()
        processors: dict[str, Processor] = {
            node.name: replace(node.name, node.processor) if replace else node.processor
            for node in nodes
        }
        wires = list(self.wires)
        if ends.inputs:
            processors[INPUT] = Input()
            wires += [Wire(INPUT, name, None) for name in ends.inputs]
        if ends.outputs:
            processors[OUTPUT] = Output()
            wires += [Wire(name, OUTPUT, None) for name in ends.outputs]
        try:
            self.graph = Graph(
                processors,
                wires,
                inboxes={node.name: node.inbox for node in nodes if node.inbox is not None},
                supervision={node.name: node.supervision for node in nodes},
                places={node.name: node.place for node in nodes if node.place is not None},
                setting_places={node.name: node.setting_places for node in nodes},
                advice=self.findings,
            )
        except ConfigError as error:
            self.findings += error.findings

    # --- files ---

    def _read(self, section: Section) -> Ends | None:
        """All that a file says; None where it cannot be told what it leaves open."""
        if section.file not in self._seen:
            self._seen.add(section.file)
            self.secrets += secrets.by_look(section.text, section.file)
        try:
            document = Document(
                section.text, section.file, self._variables, strict=False, parameters=section.given
            )
        except ConfigError as error:
            self.findings += error.findings
            return None
        inside: dict[str, list[Override]] = {}
        self.findings += override(document, section.overrides, inside)
        self.findings += [finding for _, finding in document.findings]
        self.findings += check_top(document)
        self.findings += check_names(document)
        self.findings += self._check_parameters(document, section)
        data = document.data if isinstance(document.data, dict) else {}
        processors, flow = (
            data[key] if isinstance(data.get(key), kind) else kind() for key, kind in TOP.items()
        )
        places = document.places_below("processors")
        names: dict[str, Ends | None] = {}
        for name, values in processors.items():
            full = section.prefix + name
            names[name] = Ends([full], [full])
            if not isinstance(values, dict) or not isinstance(values.get("use"), str):
                self.findings += missing_use(document, full, name, values)
            elif is_fragment(values["use"]):
                names[name] = self._include(document, section, name, inside.get(name, ()))
            else:
                self._read_node(document, section, name, places.get(name, {}))
        return self._read_flow(document, section, flow, names)

    def _check_parameters(self, document: Document, section: Section) -> Iterator[Finding]:
        about = f'"{section.prefix[:-1]}": ' if section.prefix else ""
        for name in section.given.keys() - document.parameters.keys():
            place = section.given[name].key_place
            if section.prefix and name in RESERVED:
                hint = "give one to a processor in it"
                yield Finding("unknown-setting", f"{about}a fragment has no {name}", place, hint)
            elif not section.prefix and name in _at(document.data, "processors"):
                message = f'"{name}" is a processor, not a setting'
                yield Finding("override", message, place, FORM)
            else:
                hint = did_you_mean(name, document.parameters)
                if not section.prefix and not hint:
                    nodes = processors_of(document).items()
                    having = [n for n, v in nodes if isinstance(v, dict) and name in v]
                    hint = f'did you mean "{having[0]}.{name}"?' if having else FORM
                yield Finding("unknown-setting", f'{about}no parameter "{name}"', place, hint)
        for name in document.parameters:
            place = document.key_place(PARAMETERS, name)
            if name in document.missing and name not in section.given:
                if section.prefix:
                    message = f'{about}parameter "{name}" is missing'
                    yield Finding("missing-setting", message, section.place)
                elif not self._part:
                    hint = f"give it a value, or write --set {name}=VALUE"
                    message = f'parameter "{name}" is missing'
                    yield Finding("missing-setting", message, place, hint)
            if name not in document.used:
                hint = f'write "${{{name}}}" where it belongs'
                message = f'the parameter "{name}" is not used'
                yield Finding("unused-parameter", message, place, hint, "warning")

    def _include(
        self, document: Document, section: Section, name: str, overrides: Sequence[Override]
    ) -> Ends | None:
        """Read the fragment that an entry names."""
        full, top = section.prefix + name, ("processors", name)
        values = document.data["processors"][name]
        path = document.bases.get((*top, "use"), section.base) / values["use"]
        file, real = shown_path(path), real_path(path)
        problem, text = "", ""
        if real in section.within:
            problem = f"{file} includes itself: " + " -> ".join(
                Path(each).name for each in (*section.within, real)
            )
        elif len(section.within) > DEEPEST:
            problem = f"fragments are within each other more than {DEEPEST} deep"
        elif self._included >= MOST:
            problem = f"more than {MOST} fragments are included"
        else:
            try:
                text = read_text(path)
            except ConfigError as error:
                problem = error.findings[0].message
        self._included += 1
        if problem:
            place = document.place(*top, "use")
            self.findings.append(Finding("fragment", f'"{full}": {problem}', place))
            return None
        for at, secret in secrets.by_name(values, ()):
            self._add_secret(full, at, secret, document.place(*top, *at))
        unreadable = document.unreadable(*top)
        given = {
            key: Given(
                UNKNOWN if key in unreadable else value,
                document.place(*top, key),
                document.key_place(*top, key),
                document.bases.get((*top, key), section.base),
            )
            for key, value in values.items()
            if key != "use"
        }
        within, place = (*section.within, real), document.key_place(*top)
        return self._read(
            Section(text, file, path.parent, f"{full}.", within, place, given, overrides)
        )

    # --- nodes ---

    def _read_node(
        self, document: Document, section: Section, name: str, places: Mapping[str, Place]
    ) -> None:
        full, top = section.prefix + name, ("processors", name)
        values = document.data["processors"][name]
        bases = {key: base for key in values if (base := document.bases.get((*top, key)))}
        self.entries[full] = Entry(values, section.base, bases)
        built = build(values, section.base, document.unreadable(*top), bases)
        own_place = document.key_place(*top)
        for problem in built.problems:
            if problem.code == "unknown-setting":
                place = document.key_place(*top, *problem.path)
            else:
                place = nearest_place(places, ".".join(map(str, problem.path))) or own_place
            self.findings.append(_finding(full, problem, place))
        for path, text in secrets.by_name(values, built.public):
            self._add_secret(full, path, text, document.place(*top, *path))
        if built.processor is not None:
            self.nodes[full] = Node(
                full,
                built.processor,
                Ports((), ()),
                built.inbox,
                own_place,
                places,
                supervision=built.supervision,
            )

    def _add_secret(self, name: str, path: tuple[str, ...], text: str, place: Place) -> None:
        if any(secret.text in text for secret in self.secrets):
            return  # found by its look already, or where it was given to a fragment
        where = "into the file" if place.line else "on the command line"
        message = f'"{name}": {".".join(path)} is a secret that is written {where}'
        finding = Finding("secret", message, place, secrets.HINT)
        self.secrets.append(secrets.Secret(finding, text))

    # --- the flow ---

    def _read_flow(
        self, document: Document, section: Section, flow: list[Any], names: dict[str, Ends | None]
    ) -> Ends | None:
        is_part = bool(section.prefix) or (
            isinstance(document.data, dict) and PARAMETERS in document.data
        )
        open_ends = {end for end in (INPUT, OUTPUT) if is_part and end not in names}
        known = dict(names)
        for full in self.entries:  # also those within its fragments
            if full.startswith(section.prefix):
                known.setdefault(full[len(section.prefix) :], Ends([full], [full]))
        join = Join(known, open_ends, section.prefix, section.file)
        named: set[str] = set()
        sure = are_names_known(document)
        odd = [name for name in processors_of(document) if not is_name(name)]
        for index, chain in enumerate(flow):
            if isinstance(chain, str) and not document.is_unreadable("flow", index):
                place = document.text_place("flow", index)
                wires, findings = read_chain(chain, {*known, *open_ends}, place)
                if not sure:
                    findings = [f for f in findings if not _is_about_names(f, odd)]
                named.update(name for wire in wires for name in (wire.source, wire.target))
                self.findings += map(_about_ends, findings)
                for wire in wires:
                    self.findings += join.add(wire)
        for name, ends in names.items():
            is_left_out = name not in named and not any(n.startswith(f"{name}.") for n in named)
            if ends is not None and ends.file and (ends.inputs or ends.outputs) and is_left_out:
                message = f'"{section.prefix}{name}" is not in the flow'
                place = document.key_place("processors", name)
                hint = "add it to a chain or delete it"
                self.findings.append(Finding("unused", message, place, hint))
        if (join.ends.inputs or join.ends.outputs) and not section.prefix and not self._part:
            message = "this is a fragment: `input` and `output` are for what includes it"
            hint = f"write {{use: ./{Path(section.file).name}}} in another configuration"
            place = document.key_place(PARAMETERS)
            self.findings.append(Finding("fragment", message, place, hint))
        self.wires += join.wires
        if not section.prefix and not any(ends and ends.file for ends in names.values()):
            self.chains = [str(chain) for chain in flow]
        return None if None in names.values() or not sure else join.ends


def _is_about_names(finding: Finding, odd: Sequence[str]) -> bool:
    """Whether a finding in a chain may only come from what is wrong with names of processors."""
    if finding.code == "unknown-node":
        return bool(odd) or not finding.hint.startswith("did you mean")
    return finding.code == "flow-syntax" and bool(odd)


def _about_ends(finding: Finding) -> Finding:
    """What to do about an open end where there can be none."""
    if finding.code == "unknown-node" and finding.message.endswith(('"input"', '"output"')):
        hint = "only a fragment, which has `parameters:`, has `input` and `output`"
        return msgspec.structs.replace(finding, hint=hint)
    return finding


def _at(data: Any, key: str) -> dict[str, Any]:
    """A mapping within another, if there is one."""
    inner = data.get(key) if isinstance(data, dict) else None
    return inner if isinstance(inner, dict) else {}


def _finding(name: str, problem: Problem, place: Place) -> Finding:
    message = (
        problem.message if problem.code == "unknown-processor" else f'"{name}": {problem.message}'
    )
    return Finding(problem.code, message, place, problem.hint)
