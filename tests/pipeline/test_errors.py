import pytest

from pipeline import (
    AudioFrame,
    ConfigError,
    Finding,
    PipelineError,
    Place,
    ProcessorFailure,
    SettingError,
)
from pipeline.errors import did_you_mean


def test_a_finding_says_where_what_and_what_to_do() -> None:
    finding = Finding("cycle", "a -> a", Place("x.yaml", 3, 5), "delete it")
    assert str(finding) == "x.yaml:3:5: error[cycle] a -> a; delete it"
    assert str(Finding("cycle", "a -> a")) == "error[cycle] a -> a"


def test_a_config_error_shows_every_finding() -> None:
    error = ConfigError([Finding("one", "first"), Finding("two", "second")])
    assert str(error) == "error[one] first\nerror[two] second"


def test_a_failure_names_processor_frame_and_place() -> None:
    failure = ProcessorFailure(
        "gate", ValueError("too\n loud"), frame=AudioFrame, place=Place("x.yaml", 4, 3)
    )
    assert str(failure) == 'x.yaml:4:3: processor "gate" failed on AudioFrame: ValueError: too loud'


def test_a_failure_on_purpose_needs_no_class_name() -> None:
    failure = ProcessorFailure("file", SettingError("there is no file x", hint="make one"))
    assert str(failure) == 'processor "file" failed: there is no file x; make one'


def test_an_exception_without_words_is_named() -> None:
    assert str(ProcessorFailure("a", KeyError())) == 'processor "a" failed: KeyError'


class Busy(PipelineError):
    passing = True


@pytest.mark.parametrize(
    ("cause", "passing"),
    [
        (Busy("try again"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (SettingError("there is no file x"), False),
        (FileNotFoundError(), False),
        (ValueError(), False),
    ],
)
def test_a_failure_says_whether_another_attempt_may_succeed(
    cause: Exception, passing: bool
) -> None:
    assert ProcessorFailure("a", cause).passing is passing


def test_did_you_mean() -> None:
    assert did_you_mean("reampler", ["resampler", "vad_gate"]) == 'did you mean "resampler"?'
    assert did_you_mean("zzz", ["b", "a"]) == "there are: a, b"
    assert did_you_mean("zzz", []) == ""
