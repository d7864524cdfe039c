from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ConfigError
from pipeline.config.dotenv import read_env


def errors(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_env(path)
    return [str(finding).removeprefix(str(path)) for finding in caught.value.findings]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("  export A = two words  ", "two words"),
        ("A=", ""),
        ("A=# nothing", ""),
        ("A=x # a comment", "x"),
        ("A=x#y", "x#y"),
        ('A="x # y" # a comment', "x # y"),
        (r'A="a \"b\"\n\\c\t"', 'a "b"\n\\c\t'),
        (r"A='$B \n'", r"$B \n"),
        ("A=$B", "$B"),
        ("A=x=y", "x=y"),
        ("A=it's", "it's"),
    ],
)
def test_a_line(line: str, value: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"\ufeff# first\n\n{line}\nLAST=1\n", encoding="utf-8")
    assert read_env(file) == {"A": value, "LAST": "1"}


def test_everything_that_is_wrong_is_found_and_no_value_is_repeated(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        '  hush1\n=hush2\n9A=hush3\nB B=hush4\nC=\'hush5\nD="x" hush6\nE=\0hush7\nF=1\n'
    )
    found = errors(file)
    assert found == [
        ':1:3: error[env-file] there is no "=" behind the name',
        ":2:1: error[env-file] a line is NAME=value, the name of letters, digits and _",
        ":3:1: error[env-file] a line is NAME=value, the name of letters, digits and _",
        ':4:1: error[env-file] there is no "=" behind the name',
        ":5:3: error[env-file] the value of C does not end where its quotation mark does",
        ":6:3: error[env-file] the value of D does not end where its quotation mark does",
        ":7:3: error[env-file] the value of E has a null character",
    ]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*: No such file or directory"):
        read_env(tmp_path / "no.env")


@given(text=st.text(alphabet="AB=\"'\\# \n\t\x00$ex", max_size=30))
def test_any_text_gives_variables_or_findings(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.env"
    file.write_text(text)
    try:
        assert all(name.isidentifier() for name in read_env(file))
    except ConfigError as error:
        assert error.findings
