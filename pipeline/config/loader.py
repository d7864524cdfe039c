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
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.config.document import Document
from pipeline.config.typed import read_text
from pipeline.errors import ConfigError, Finding, Place, SettingError, did_you_mean
from pipeline.graph import Graph
from pipeline.inbox import InboxSettings
from pipeline.processor import Processor
from pipeline.registry import find_processor
from pipeline.settings import Problem, convert, convert_value

TOP = {"processors": dict, "flow": list}


def load(path: str | Path, *, variables: Mapping[str, str] | None = None) -> Graph:
    """The graph that a YAML file describes.

    variables: for `${NAME}`; the environment if not given.
    Raises ConfigError with everything that is wrong and where.
    """
    return loads(read_text(path), file=str(path), base=Path(path).parent, variables=variables)


def loads(
    text: str,
    *,
    file: str = "<config>",
    base: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Graph:
    """The graph that a YAML text describes; `file` is for messages, `base` for relative paths."""
    document = Document(text, file, os.environ if variables is None else variables)
    findings = list(_check_top(document))
    if findings:
        raise ConfigError(findings)
    processors: dict[str, Processor] = {}
    inboxes: dict[str, InboxSettings] = {}
    for name in document.data["processors"]:
        try:
            processor, inbox = _build(document, name, base or Path())
        except ConfigError as error:
            findings += error.findings
            continue
        processors[name] = processor
        if inbox is not None:
            inboxes[name] = inbox
    if findings:
        raise ConfigError(findings)
    return Graph(
        processors,
        document.data["flow"],
        inboxes=inboxes,
        places={name: document.key_place("processors", name) for name in processors},
        flow_places=[document.text_place("flow", i) for i in range(len(document.data["flow"]))],
    )


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


def _build(document: Document, name: str, base: Path) -> tuple[Processor, InboxSettings | None]:
    """One processor and its inbox settings. Raises ConfigError with all that is wrong with it."""
    top = ("processors", name)
    values = document.data["processors"][name]
    if not isinstance(values, dict) or not isinstance(values.get("use"), str):
        place = document.place(*top, *(["use"] if isinstance(values, dict) else []))
        message = f'"{name}" needs `use:` with the name of a processor'
        raise ConfigError([Finding("missing-use", message, place, "write {use: resampler, ...}")])
    try:
        kind = find_processor(values["use"], base)
    except SettingError as error:
        place = document.place(*top, "use")
        raise ConfigError([Finding("unknown-processor", str(error), place, error.hint)]) from error
    problems: list[Problem] = []
    inbox: InboxSettings | None = None
    if "inbox" in values:
        inbox, problem = convert_value(InboxSettings, values["inbox"], "inbox")
        problems += [problem] if problem else []
    settings = {key: value for key, value in values.items() if key not in ("use", "inbox")}
    try:
        arguments, wrong = convert(kind, settings, base)
        problems += wrong
    except SettingError as error:
        problems.append(Problem(("use",), "annotations", str(error), error.hint))
    if not problems:
        try:
            return kind(**arguments), inbox
        except SettingError as error:
            path = (error.setting,) if error.setting else ()
            problems.append(Problem(path, "wrong-setting", str(error), error.hint))
        except ValueError as error:
            problems.append(Problem((), "wrong-setting", str(error)))
        except Exception as error:
            what = f"its constructor failed: {type(error).__name__}: {error}"
            problems.append(Problem((), "constructor", what))
    raise ConfigError([_located(document, top, problem) for problem in problems])


def _located(document: Document, top: tuple[str, str], problem: Problem) -> Finding:
    place: Place
    if problem.code == "unknown-setting":
        place = document.key_place(*top, *problem.path)
    else:
        place = document.place(*top, *problem.path) if problem.path else document.key_place(*top)
    return Finding(problem.code, f'"{top[1]}": {problem.message}', place, problem.hint)
