"""A YAML text as plain values that remember where they stand."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import yaml

from pipeline.config.syntax import Mistake, control_character, mistake_of
from pipeline.errors import ConfigError, Finding, Place
from pipeline.settings import FromVariable, shortened

Path = tuple[str | int, ...]
"""The keys and indices that lead to a value from the top of a document."""

MOST_VALUES = 20_000
"""Values in one document, aliases counted each time: a bound against alias bombs."""

DEEPEST = 50

LONGEST_NUMBER = 100
"""Characters. Python converts no longer integers to text than of 4,300 digits."""

PARAMETERS = "parameters"
"""The key at the top under which parameters are declared."""

SUFFIXES = (".yaml", ".yml")

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_VARIABLE = re.compile(
    r"\$\$|\$\{(?:(?P<name>[A-Za-z_]\w*)(?P<default>:-[^}]*)?\}|(?P<bad>[^}]*\}?))"
)


class _Unknown:
    """Of a parameter that is not given, or could not be read."""


UNKNOWN = _Unknown()


class _TooMuch(yaml.MarkedYAMLError):
    """A text that is valid, but larger or deeper than any configuration."""


class _Loader(_SafeLoader):  # type: ignore[misc]
    """Gives up where it is too deep: libyaml's parser recurses in C, and crashes at 50,000."""

    _depth = 0
    _nodes = 0

    def descend_resolver(self, parent: Any, index: Any) -> None:
        """Called before each node is composed."""
        self._depth += 1
        self._nodes += 1
        if self._depth > DEEPEST + 1:
            raise _TooMuch(problem="it is nested too deeply", problem_mark=parent.start_mark)
        if self._nodes > 2 * MOST_VALUES:  # keys are nodes, too
            raise _TooMuch(problem="it has too many values", problem_mark=parent.start_mark)

    def ascend_resolver(self) -> None:
        """Called after each node."""
        self._depth -= 1


class Given(NamedTuple):
    """The value of a parameter, where it and its name stand, and the folder its files start from.

    base: None for that of the document itself.
    """

    value: Any
    place: Place
    key_place: Place
    base: FilePath | None = None


def is_fragment(use: str) -> bool:
    """Whether `use` names a file to include."""
    return use.lower().endswith(SUFFIXES)


def split_lines(text: str) -> list[str]:
    """The lines of a text as YAML counts them."""
    return _BREAK.split(text)


class Document:
    """The values of a YAML text (`data`), or of a node of one, and their places.

    `${NAME}` and `${NAME:-default}` in scalars are replaced from `variables`, after parsing: a
    value can never change the structure, and becomes a number only where a setting is one. `$$`
    stands for a dollar sign.

    parameters: what those declared by `parameters` at the top of the text are given instead of
    their defaults; with None, that key is like any other. They count before variables, and one that
    stands alone, `"${rate}"`, keeps its type and its place.

    strict: raise ConfigError with everything that is wrong. Otherwise only what cannot be read at
    all is raised; `findings` has the rest by path, and `data` nothing to rely on there.
    """

    def __init__(
        self,
        text: str | yaml.Node,
        file: str,
        variables: Mapping[str, str],
        *,
        strict: bool = True,
        parameters: Mapping[str, Given] | None = None,
    ) -> None:
        self.file = file
        self.findings: list[tuple[Path, Finding]] = []
        self.parameters: dict[str, Given] = {}
        self.missing: set[str] = set()
        """Parameters whose values are not known."""
        self.used: set[str] = set()
        self.bases: dict[Path, FilePath] = {}
        """Where the files of values start from that come from elsewhere."""
        self._unknown: set[Path] = set()
        self._doubtful: dict[Path, set[str]] | None = None
        self._declared: dict[str, Any] | None = None
        self._variables = variables
        self._values: dict[Path, Place] = {}
        self._keys: dict[Path, Place] = {}
        self._quoted: set[Path] = set()
        self._count = 0
        self._constructor = yaml.constructor.SafeConstructor()
        root = self._compose(text) if isinstance(text, str) else text
        if parameters is not None and isinstance(root, yaml.MappingNode):
            self._declare(root, parameters)
        self.data: Any = None if root is None else self._convert(root, ())
        if strict and self.findings:
            raise ConfigError([finding for _, finding in self.findings])

    def place(self, *path: str | int) -> Place:
        """Where a value stands; for a path that is not there, the nearest value around it."""
        while path and path not in self._values:
            path = path[:-1]
        return self._values.get(path, Place(self.file, 1, 1))

    def is_unreadable(self, *path: str | int) -> bool:
        """Whether a value, or something in it, is not known."""
        return path in self._doubts()

    def unreadable(self, *path: str | int) -> set[str]:
        """The keys in a value under which something is not known."""
        return self._doubts().get(path, set())

    def _doubts(self) -> Mapping[Path, set[str]]:
        """What is not known, and all that it is within: each with the keys that lead to it."""
        if self._doubtful is None:
            self._doubtful = {}
            for path in (*(path for path, _ in self.findings), *self._unknown):
                self._doubtful.setdefault(path, set())
                for depth, key in enumerate(path):
                    self._doubtful.setdefault(path[:depth], set()).add(str(key))
        return self._doubtful

    def key_place(self, *path: str | int) -> Place:
        """Where the key of a value stands."""
        return self._keys.get(path) or self.place(*path)

    def text_place(self, *path: str | int) -> Place:
        """Where the text of a scalar begins: behind the quotation mark, if it has one."""
        place = self.place(*path)
        return place._replace(column=place.column + 1) if path in self._quoted else place

    def put(self, path: Path, value: Any, place: Place) -> None:
        """Give a value that comes from elsewhere; what was wrong with the one before is no more.

        All but the last key of the path lead to something that is there.
        """
        parent = self.data
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = value
        depth = len(path)
        for places in (self._values, self._keys):
            for old in [inner for inner in places if inner[:depth] == path]:
                del places[old]
            places[path] = place
        self._quoted = {inner for inner in self._quoted if inner[:depth] != path}
        self._unknown = {inner for inner in self._unknown if inner[:depth] != path}
        self._doubtful = None
        self.bases[path] = FilePath()
        self.findings = [found for found in self.findings if found[0][:depth] != path]

    def places_below(self, *path: str | int) -> dict[str, dict[str, Place]]:
        """For each key of a value, the places of all within, by path: `{"vad.silence_ms": ...}`."""
        found: dict[str, dict[str, Place]] = {}
        depth = len(path)
        for inner, place in self._values.items():
            if inner[:depth] == path and len(inner) > depth + 1:
                places = found.setdefault(str(inner[depth]), {})
                places[".".join(map(str, inner[depth + 1 :]))] = place
        return found

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            return yaml.compose(text, Loader=_Loader)
        except _TooMuch as error:
            problem = Finding("yaml", str(error.problem), self._at(error.problem_mark))
            raise ConfigError([problem]) from None
        except yaml.MarkedYAMLError as error:
            raise self._not_yaml(mistake_of(error, split_lines(text))) from None
        except (yaml.YAMLError, UnicodeError, RecursionError) as error:
            what = " ".join(str(error).split()) or "nested too deeply"
            raise self._not_yaml(control_character(text) or Mistake(what, 0, 0)) from None

    def _not_yaml(self, mistake: Mistake) -> ConfigError:
        place = Place(self.file, mistake.line + 1, mistake.column + 1)
        message = f"not valid YAML: {mistake.message}"
        return ConfigError([Finding("yaml", message, place, mistake.hint)])

    def _at(self, mark: Any) -> Place:
        return Place(self.file, mark.line + 1, mark.column + 1)

    def _error(self, node: yaml.Node, path: Path, code: str, message: str, hint: str = "") -> None:
        self.findings.append((path, Finding(code, message, self._at(node.start_mark), hint)))
        self._doubtful = None

    def _declare(self, root: yaml.MappingNode, given: Mapping[str, Given]) -> None:
        """Take down the parameters; one with nothing behind it has to be given, `null` is null."""
        for key, value in root.value:
            if key.value == PARAMETERS and isinstance(value, yaml.MappingNode):
                self._declared = dict(self._entries(value, (PARAMETERS,)))
                empty = {
                    name.value
                    for name, inner in value.value
                    if isinstance(inner, yaml.ScalarNode) and not inner.value and not inner.style
                }
                break
        for name, default in (self._declared or {}).items():
            place, key_place = self.place(PARAMETERS, name), self.key_place(PARAMETERS, name)
            known = UNKNOWN if name in empty else default
            parameter = given.get(name, Given(known, place, key_place))
            if self.is_unreadable(PARAMETERS, name) and name not in given:
                parameter = parameter._replace(value=UNKNOWN)
            self.parameters[name] = parameter
            if parameter.value is UNKNOWN:
                self.missing.add(name)

    def _convert(self, node: yaml.Node, path: Path) -> Any:
        self._values[path] = self._at(node.start_mark)
        self._count += 1
        if self._count > MOST_VALUES or len(path) > DEEPEST:
            problem = (
                "it has too many values" if self._count > MOST_VALUES else "it is nested too deeply"
            )
            raise ConfigError([Finding("yaml", problem, self._values[path])])
        if isinstance(node, yaml.CollectionNode) and node.tag not in _COLLECTIONS:
            return self._refuse_tag(node, path)
        if isinstance(node, yaml.MappingNode):
            return dict(self._entries(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self._convert(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        if node.style in ("'", '"'):
            self._quoted.add(path)
        return self._scalar(node, path)

    def _refuse_tag(self, node: yaml.Node, path: Path) -> None:
        tag = shortened(node.tag.replace("tag:yaml.org,2002:", "!!"))
        self._error(node, path, "yaml", f"the tag `{tag}` means nothing here", "delete it")

    def _entries(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._error(key_node, path, "yaml", "a key must be a word")
                continue
            key = key_node.value
            if key == "<<":
                hint = "write them out, or use a fragment"
                self._error(key_node, path, "yaml", "`<<` brings no settings in here", hint)
                self._convert(value_node, (*path, key))
                continue
            if key in seen:
                first = self._keys[*path, key].line
                hint = f"the first one is in line {first}; rename or delete one"
                message = f'"{key}" is there twice'
                self._error(key_node, (*path, key), "duplicate-key", message, hint)
                continue
            seen.add(key)
            self._keys[(*path, key)] = self._at(key_node.start_mark)
            if path == () and key == PARAMETERS and self._declared is not None:
                yield key, self._declared
                continue
            yield key, self._convert(value_node, (*path, key))

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        if "\0" in node.value:  # no file, model or word has one
            self._error(node, path, "yaml", "not a valid value: it has a null character")
            return None
        if "$" in node.value:
            alone = _VARIABLE.fullmatch(node.value)
            if alone and alone["name"] in self.parameters:
                return self._parameter(alone["name"], alone["default"], path, inside=False)
            return FromVariable(
                _VARIABLE.sub(lambda found: self._substitute(found, node, path), node.value)
            )
        if node.tag in _NUMBERS and len(node.value) > LONGEST_NUMBER:
            what = f"a number of more than {LONGEST_NUMBER} characters"
        else:
            try:
                value = self._constructor.construct_object(node)
                if not isinstance(value, float) or math.isfinite(value):
                    return value
                what = "not a finite number"
            except yaml.constructor.ConstructorError:
                return self._refuse_tag(node, path)
            except (yaml.YAMLError, ValueError, OverflowError) as error:
                what = getattr(error, "problem", None) or str(error)
        self._error(node, path, "yaml", f"not a valid value: {what}")
        return None

    def _parameter(self, name: str, default: str | None, path: Path, *, inside: bool) -> Any:
        """The value of a parameter; `inside` a text, it brings no place with it."""
        self.used.add(name)
        value, place, _, base = self.parameters[name]
        if default is not None and (value is UNKNOWN or value in (None, "")):
            return FromVariable(default[2:])
        if value is UNKNOWN:
            self._unknown.add(path)
            self._doubtful = None
            return None
        if not inside:
            self._values[path] = place
            self._quoted.discard(path)
            self._count += _size(value)
            if base is not None:
                self.bases[path] = base
        return value

    def _substitute(self, found: re.Match[str], node: yaml.ScalarNode, path: Path) -> str:
        if found[0] == "$$":
            return "$"
        name, default = found["name"], found["default"]
        if name is None:
            hint = "write ${NAME} or ${NAME:-default}"
            what = f"cannot read {shortened(repr(found[0]))}"
            self._error(node, path, "variable", what, hint)
            return ""
        if name in self.parameters:
            value = self._parameter(name, default, path, inside=True)
            if isinstance(value, dict | list):
                what = f"the parameter {name} is no text, and cannot be put into one"
                self._error(node, path, "variable", what)
                return ""
            if value is None:
                return ""
            return str(value).lower() if isinstance(value, bool) else str(value)
        value = self._variables.get(name)
        if default is not None:
            return value or default[2:]
        if value is None:
            hint = f"set it, or give a default: ${{{name}:-...}}"
            self._error(node, path, "variable", f"the variable {name} is not set", hint)
            return ""
        return value


def _size(value: Any) -> int:
    """How many values are in one."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, inner))
