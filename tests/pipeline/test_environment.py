"""What a machine lacks, and formats; the ordinary cases are in `test_graph` and the loader's."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pipeline import (
    AudioFormat,
    AudioFrame,
    ConfigError,
    Finding,
    Frame,
    Graph,
    InputPath,
    OutputPath,
    Place,
    SettingError,
    Sink,
    Source,
    SpeechStarted,
    Surroundings,
    TextFrame,
    Transform,
)
from pipeline.testing import Collect, Given, run_virtually


class Sound(Source):
    def __init__(self, path: InputPath = "sound.wav", rate: int = 8000) -> None:
        self.path = path
        self.rate = rate
        self.asked = 0

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        self.asked += 1
        return AudioFormat(self.rate)

    async def frames(self) -> AsyncIterator[AudioFrame]:
        yield  # type: ignore[misc]


class Speaker(Sink):
    def __init__(self, path: OutputPath = "out.wav", error: Exception | None = None) -> None:
        self.path = path
        self.error = error

    def check(self) -> None:
        if self.error:
            raise self.error

    def audio_in(self) -> AudioFormat:
        return AudioFormat(16_000)

    async def consume(self, frame: AudioFrame) -> None: ...


def check(source: Source, sink: Sink, *, offline: bool = False) -> list[str]:
    graph = Graph(
        {"in": source, "out": sink},
        "in -> out",
        places={"in": Place("x", 1, 1), "out": Place("x", 2, 1)},
        setting_places={
            "in": {"path": Place("x", 1, 9)},
            "out": {"path": Place("x", 2, 9), "a": Place("x", 2, 20), "a.b": Place("x", 2, 30)},
        },
    )
    return [str(finding) for finding in graph.check(offline=offline)]


MISMATCH = (
    'error[format-mismatch] "in -> out": in gives audio of 8000 Hz any channels, out takes 16000 '
    "Hz any channels; put a resampler between them: {use: resampler, rate: 16000}"
)


def test_a_finding_stands_at_the_setting_that_the_error_names() -> None:
    for setting, column in (("path", 9), ("a.b", 30), ("a.c", 20), ("gone", 1), (None, 1)):
        error = SettingError("no", setting=setting, hint="yes")
        assert check(Sound(), Speaker(error=error)) == [
            f'x:2:{column}: error[environment] "out": no; yes'
        ]


def test_findings_in_other_files_keep_their_places() -> None:
    findings = [Finding("one", "a", Place("y", 5, 5)), Finding("two", "cannot read out.wav")]
    assert check(Sound(), Speaker(error=ConfigError(findings))) == [
        "y:5:5: error[one] a",
        "x:2:9: error[two] cannot read out.wav",
    ]


def test_what_the_system_refuses_is_a_sentence() -> None:
    error = PermissionError(13, "Permission denied", "out.wav")
    assert check(Sound(), Speaker(error=error)) == [
        'x:2:9: error[environment] "out": cannot use out.wav: Permission denied'
    ]
    assert check(Sound(), Speaker(error=OSError("odd"))) == [
        'x:2:1: error[environment] "out": its check failed: OSError: odd'
    ]


def test_a_file_that_is_read_is_not_written(tmp_path: Path) -> None:
    path = str(tmp_path / "a.wav")
    assert check(Sound(path, 16_000), Speaker(path)) == [
        f'x:2:9: error[same-file] "out" would overwrite {path}, which "in" reads'
    ]


def test_standard_input_and_output_are_two() -> None:
    assert check(Sound("-", 16_000), Speaker("-")) == []


def test_offline_nobody_is_asked() -> None:
    source = Sound()
    assert check(source, Speaker(error=KeyError("x"))) == [
        "x:2:1: error[environment] \"out\": its check failed: KeyError: 'x'"
    ]
    asked = source.asked
    assert check(source, Speaker(error=KeyError("x")), offline=True) == []
    assert source.asked == asked == 1
    assert check(Sound(), Speaker()) == [MISMATCH]


# --- surroundings ---


class Words(Source):
    async def frames(self) -> AsyncIterator[TextFrame]:
        yield  # type: ignore[misc]


class Through(Transform):
    def process(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        yield frame


class Curious(Sink):
    """Looks around, and says what it is told to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = errors
        self.around: Surroundings | None = None

    def check_graph(self, around: Surroundings) -> None:
        self.around = around
        if self.errors:
            raise ExceptionGroup("several", self.errors)

    async def consume(self, frame: AudioFrame | TextFrame) -> None: ...


def curious(sink: Curious, *flow: str) -> list[str]:
    graph = Graph(
        {"words": Words(), "sound": Sound(), "through": Through(), "out": sink, "other": Speaker()},
        flow or ["sound -> through -> out", "words -> through", "sound -> other"],
        places={"out": Place("x", 7, 1)},
        setting_places={"out": {"a": Place("x", 7, 9)}},
    )
    return [str(f) for f in graph.check(offline=True) if f.code != "format-mismatch"]


def test_a_processor_sees_what_is_around_it() -> None:
    sink = Curious()
    assert curious(sink) == []
    around = sink.around
    assert around is not None
    assert set(around.arriving) == {AudioFrame, TextFrame}
    assert around.can_get(TextFrame)
    assert not around.can_get(SpeechStarted)
    assert set(around.before) == {"through", "sound", "words"}
    assert around.behind == {}
    assert set(around.processors) == {"words", "sound", "through", "out", "other"}


def test_what_a_transform_before_does_not_let_through_does_not_arrive() -> None:
    class Feeder(Transform):
        around: Surroundings

        def check_graph(self, around: Surroundings) -> None:
            self.around = around

        def process(self, frame: AudioFrame) -> Iterator[SpeechStarted]:
            yield SpeechStarted()

    feeder = Feeder()
    processors = {"in": Sound(), "feeder": feeder, "more": Through(), "out": Speaker()}
    with pytest.raises(ConfigError):
        Graph(processors, ["in -> feeder -> more -> out"])
    sink = Collect()
    graph = Graph({"in": Sound(), "feeder": feeder, "out": sink}, ["in -> feeder -> out"])
    assert graph.check() == []
    assert feeder.around.behind == {"out": sink}
    assert feeder.around.wanted == (Frame,)


def test_all_that_does_not_suit_is_found_advice_too() -> None:
    errors = (
        SettingError("no", setting="a", hint="yes"),
        SettingError("better not", severity="warning"),
        KeyError("x"),
    )
    assert curious(Curious(*errors)) == [
        'x:7:9: error[misplaced] "out": no; yes',
        'x:7:1: warning[misplaced] "out": better not',
        "x:7:1: error[misplaced] \"out\": its check failed: KeyError: 'x'",
    ]


def test_a_warning_keeps_nothing_from_running(caplog: pytest.LogCaptureFixture) -> None:
    sink = Curious(SettingError("better not", severity="warning"))
    report = run_virtually(Graph({"in": Given(()), "out": sink}, ["in -> out"]))
    assert report.completed
    assert caplog.messages == ['warning[misplaced] "out": better not']
