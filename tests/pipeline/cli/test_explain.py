import sys
from importlib import metadata
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.explain import GROUP
from pipeline.cli.main import main


def explain(code: str) -> Result:
    return CliRunner().invoke(main, ["explain", code])


def test_a_code_of_the_framework() -> None:
    result = explain("missing-use")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout == (
        "An entry of `processors` does not say which processor it is.\n"
        "\n"
        "Example:\n"
        "\n"
        "    processors:\n"
        "      typed: {lines: [hello]}\n"
        "      gemini: {use: live_api, modality: text}\n"
        "    flow: [typed -> gemini]\n"
        "\n"
        "Remedy: Add `use:` with a name, ./file.py:Class or package.module:Class.\n"
    )


def test_a_code_of_a_package_of_processors() -> None:
    assert "the handle has expired" in explain("1008").stdout
    assert "Remedy: correct the client, or the scenario" in explain("scenario").stdout


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("type-missmatch", 'did you mean "type-mismatch"?'),
        ("xyz", "there are: 1000, 1001, 1005, 1006, 1007, "),
    ],
)
def test_an_unknown_code(code: str, hint: str) -> None:
    result = explain(code)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f'there is no code "{code}"; {hint}')


def test_a_broken_package_takes_nothing_away(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("somebody_elses_codes")
    vars(module).update(CODES={"mood": "It is sad.\n", "cycle": "not theirs\n"})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    entries = [
        EntryPoint("broken", "package_that_is_not_there:CODES", GROUP),
        EntryPoint("theirs", "somebody_elses_codes:CODES", GROUP),
    ]
    monkeypatch.setattr(metadata, "entry_points", lambda group: entries)
    result = explain("mood")
    assert (result.exit_code, result.stdout) == (0, "It is sad.\n")
    assert result.stderr == (
        "package_that_is_not_there:CODES cannot be used: ModuleNotFoundError: No module named "
        "'package_that_is_not_there'\n"
    )
    assert "not theirs" not in explain("cycle").stdout
