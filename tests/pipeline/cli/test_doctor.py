"""`pipeline doctor`: a line for each check, remedies, and the exit status."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, PackageNotFoundError
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import doctor
from pipeline.cli.doctor import GROUP, Check, check_packages, check_python, check_requirements
from pipeline.cli.main import main

VERSIONS = {"good": "2.10.1", "old": "1.9", "other": "1.0rc1"}

Found = tuple[str, bool | None, str, str]


class Installed:
    def __init__(self, version: str) -> None:
        self.version = version
        self.requires = ["good>=2.9", "gone"]


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed, whatever really is."""

    def distribution(name: str) -> Installed:
        if name not in VERSIONS:
            raise PackageNotFoundError(name)
        return Installed(VERSIONS[name])

    monkeypatch.setattr(doctor, "distribution", distribution)


@pytest.fixture
def contributed(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package that contributes a check, as `checks`."""
    module = ModuleType("somebody_elses_doctor")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    entry = EntryPoint("theirs", f"{module.__name__}:checks", GROUP)
    monkeypatch.setattr(doctor, "_contributors", lambda: [entry])
    monkeypatch.setattr(doctor, "check_packages", list)
    monkeypatch.setattr(doctor, "check_python", lambda: [Check("Python", True, "3.99", "none")])
    return module


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments])


def test_one_line_each_with_the_remedy_where_there_is_something_to_remedy(
    contributed: ModuleType,
) -> None:
    def checks(online: bool) -> Iterator[Found]:
        yield "service", None, f"online is {online}", "go online"
        yield "key", True, "is set", "set it"

    contributed.checks = checks  # type: ignore[attr-defined]
    result = run()
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "ok    Python   3.99\n-     service  online is False; go online\nok    key      is set\n"
    )
    assert "online is True" in run("--online").stdout


def test_what_is_needed_and_missing_makes_it_fail(contributed: ModuleType) -> None:
    contributed.checks = lambda online: [("file", False, "gone", "restore it")]  # type: ignore[attr-defined]
    result = run()
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1] == "FAIL  file    gone; restore it"


def test_a_contribution_that_fails_is_a_failed_check(contributed: ModuleType) -> None:
    def checks(online: bool) -> Iterator[Found]:
        yield "first", True, "fine", ""
        raise KeyError("oh")

    contributed.checks = checks  # type: ignore[attr-defined]
    result = run()
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1] == (
        "FAIL  theirs  somebody_elses_doctor:checks cannot be used: KeyError: 'oh'; install its "
        "package anew, or remove it"
    )


@pytest.mark.usefixtures("contributed")
def test_a_contribution_that_cannot_be_imported_is_one_too() -> None:
    result = run()
    assert result.exit_code == 1
    assert "FAIL  theirs  somebody_elses_doctor:checks cannot be used: " in result.stdout


def test_pythons() -> None:
    [old] = check_python((3, 10, 4))
    assert old.ok is False
    assert " 3.10.4 on " in old.detail
    assert old.remedy == "install Python 3.11 or newer"
    assert next(check_python((3, 11, 0))).ok
    assert next(check_python((4, 0))).ok
    assert next(check_python()).ok


def test_packages_that_are_needed() -> None:
    assert list(check_requirements(["good>=2.9", "other[x]>=1", "old>=1.10", "gone>=3"])) == [
        Check("packages", True, "good 2.10.1, other 1.0rc1"),
        Check("packages", False, "old 1.9 is older than 1.10", "pip install 'old>=1.10'"),
        Check("packages", False, "gone is not installed", "pip install 'gone>=3'"),
    ]


def test_what_other_systems_need_may_be_missing() -> None:
    marker = "sys_platform == 'win32' and platform_machine == 'AMD64'"
    assert list(check_requirements(["good", f"gone>=3; {marker}", f"other; {marker}"])) == [
        Check("packages", True, "good 2.10.1, other 1.0rc1")
    ]


def test_extras_are_never_needed() -> None:
    requirements = [
        "good>=2.10.1; extra == 'all'",
        'other; extra == "all"',
        "good; extra == 'some'",
        "gone; extra == 'some'",
    ]
    assert list(check_requirements(requirements)) == [
        Check(
            "extra all",
            True,
            "good 2.10.1, other 1.0rc1",
            "if you want it: pip install 'live-pipeline[all]'",
        ),
        Check(
            "extra some",
            None,
            "gone is not installed",
            "if you want it: pip install 'live-pipeline[some]'",
        ),
    ]


def test_a_package_that_is_not_installed_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(check_packages()) == [
        Check("live-pipeline", False, "not installed", "pip install live-pipeline")
    ]
    monkeypatch.setitem(VERSIONS, "live-pipeline", "7")
    assert [check.detail for check in check_packages()] == [
        "7",
        "good 2.10.1",
        "gone is not installed",
    ]


def test_the_built_in_processors_contribute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "AIzaSecret")
    result = run()
    assert "GEMINI_API_KEY is set" in result.stdout
    assert "Secret" not in result.output
