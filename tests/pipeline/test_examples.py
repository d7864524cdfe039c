from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import soundfile
import yaml
from msgspec import Meta, Struct

from pipeline import (
    AudioFrame,
    Code,
    InputPath,
    OutputPath,
    Processor,
    SettingError,
    Sink,
    Source,
    TextFrame,
    Transform,
)
from pipeline.config import loads
from pipeline.examples import example, settings_of
from pipeline.registry import find_processor, installed


class Words(Source):
    async def frames(self) -> AsyncIterator[TextFrame]:
        yield TextFrame("")


class Lines(Words):
    """Needs more than Words do."""

    def __init__(self, lines: list[str]) -> None: ...


class Written(Sink):
    """path: the file (.csv)."""

    def __init__(self, path: OutputPath) -> None: ...

    async def consume(self, frame: TextFrame) -> None: ...


class Coder(Transform):
    def process(self, frame: TextFrame) -> Iterator[Code]:
        yield Code("")


class Runner(Sink):
    async def consume(self, frame: Code) -> None: ...


OTHERS: dict[str, type[Processor]] = {
    "words": Words, "lines": Lines, "written": Written, "coder": Coder, "runner": Runner
}  # fmt: skip


def chain(use: str, kind: type[Processor], **others: type[Processor]) -> str | None:
    """The flow of an example; None without one."""
    return example(use, kind, others or OTHERS).get("flow", [None])[0]


# --- neighbours ---


def test_neighbours_are_near_and_plain() -> None:
    assert chain("written", Written) == "words -> written"
    assert chain("lines", Lines) == "lines -> written"
    assert chain("coder", Coder) == "words -> coder -> runner"
    assert chain("runner", Runner) == "words -> coder -> runner"


def test_without_neighbours_there_is_no_flow() -> None:
    assert example("runner", Runner, {"words": Words}) == {
        "processors": {"runner": {"use": "runner"}}
    }


def test_a_class_in_a_file_gets_a_name() -> None:
    assert example("./my.py:Coder", Coder, OTHERS) == {
        "processors": {
            "words": {"use": "words"},
            "coder": {"use": "./my.py:Coder"},
            "runner": {"use": "runner"},
        },
        "flow": ["words -> coder -> runner"],
    }


# --- settings ---


class Nested(Struct):
    name: str
    size: Annotated[int, Meta(ge=2)]
    other: int = 0


def test_values_fit_their_settings() -> None:
    class Kind(Runner):
        def __init__(
            self,
            rate: int,
            low_rate: Annotated[int, Meta(le=8000)],
            least: Annotated[int, Meta(ge=5)],
            above: Annotated[float, Meta(gt=3)],
            below: Annotated[float, Meta(lt=1, ge=0)],
            between: Annotated[float, Meta(gt=0, lt=1)],
            even: Annotated[int, Meta(multiple_of=20)],
            mode: Literal["slow", "fast"],
            nested: Nested,
            names: list[str],
            by_name: dict[str, int],
            anything: Any,
            exact: bool,
            tuned: Annotated[str, Meta(examples=["Kore"])],
            source: InputPath,
            optional: int = 3,
        ) -> None: ...

    assert settings_of(Kind) == {
        "rate": 16000,
        "low_rate": 8000,
        "least": 5,
        "above": 4,
        "below": 0,
        "between": 0.5,
        "even": 20,
        "mode": "slow",
        "nested": {"name": "hello", "size": 2},
        "names": ["hello"],
        "by_name": {},
        "anything": "hello",
        "exact": True,
        "tuned": "Kore",
        "source": "input.txt",
    }


def test_files_are_called_after_what_is_in_them() -> None:
    class Sound(Sink):
        def __init__(self, path: OutputPath) -> None: ...

        async def consume(self, frame: AudioFrame) -> None: ...

    assert settings_of(Sound) == {"path": "output.wav"}
    assert settings_of(Written) == {"path": "output.csv"}


def test_one_setting_that_only_the_constructor_wants_is_found() -> None:
    class Either(Runner):
        def __init__(self, first: int | None = None, second: str | None = None) -> None:
            if second is None:
                raise SettingError("give `second`")

    assert settings_of(Either) == {"second": "hello"}


def test_what_no_guess_satisfies_has_no_settings_and_no_flow() -> None:
    class Picky(Runner):
        def __init__(self, word: str) -> None:
            raise ValueError("never")

    assert settings_of(Picky) is None
    assert chain("picky", Picky) is None


# --- what is shipped ---


@pytest.mark.parametrize("name", sorted(installed()))
def test_examples_pass_the_check(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("input.wav", [0.0] * 1600, 16_000)
    Path("input.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(32))
    Path("functions.py").write_text('def now() -> str:\n    """The time."""\n    return ""\n')
    kinds = {name: find_processor(name, Path()) for name in installed()}
    text = yaml.safe_dump(example(name, kinds[name], kinds), sort_keys=False)
    graph = loads(text, base=tmp_path)
    lacking = ("this machine has no", "which is not installed")
    wrong = [f for f in graph.check() if not any(lack in f.message for lack in lacking)]
    assert wrong == []
    assert type(graph.nodes[name].processor) is kinds[name]
