"""`pipeline check`: files, folders and pages, and what is said of them."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import main

ROOT = Path(__file__).parents[3]
GOOD = """\
processors:
  typed: {use: text_source, lines: [hello]}
  gemini: {use: live_api, modality: text}
flow: [typed -> gemini]
"""
BAD = GOOD.replace("text_source", "text_sorce").replace("-> gemini", "-> gemni")
FILE = GOOD.replace("lines: [hello]", "path: hello.txt")
FIRST = 'error[unknown-processor] no processor "text_sorce"; did you mean "text_source"?'
SECOND = 'error[unknown-node] no processor is named "gemni"; did you mean "gemini"?'
PAGE = f"""\
# Talk

```yaml
{GOOD}```

- Wrong:

  ```yaml
  {BAD.replace(chr(10), chr(10) + "  ").rstrip()}
  ```

```yaml
# excerpt
processors: nothing
```

```text
processors: nothing
```
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(**files: str) -> None:
    for name, text in files.items():
        path = Path(name.replace("__", "/").replace("_", "."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments])


def test_nothing_wrong() -> None:
    write(x_yaml=GOOD)
    result = check("x.yaml")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == "1 configuration, nothing wrong\n"


def test_all_that_is_wrong_with_its_lines() -> None:
    write(x_yaml=BAD)
    result = check("x.yaml")
    assert result.exit_code == 2
    assert result.stdout == (
        f"x.yaml:2:16: {FIRST}\n"
        "      typed: {use: text_sorce, lines: [hello]}\n"
        "                   ^\n"
        f"x.yaml:4:17: {SECOND}\n"
        "    flow: [typed -> gemni]\n"
        "                    ^\n"
    )
    assert result.stderr == "1 configuration, 2 errors\n"


def test_what_the_docs_show_is_what_it_says() -> None:
    page = (ROOT / "docs/command_line.md").read_text()
    shown = re.findall(r"^```text\n(talk.yaml.*?)^```", page, re.MULTILINE | re.DOTALL)
    write(
        talk_yaml="""\
processors:
  question: {use: text_source, lines: [hello]}
  to_16k:   {use: reampler, rate: 16000, channels: 1}
  gemini:   {use: live_api, vad: {silence: 500}}
  words:    {use: transcription_sink, path: words.jsonl}
flow:
  - question -> to_16k -> gemni -> words
"""
    )
    assert [check("talk.yaml").stdout] == shown


def test_it_runs_nothing_and_writes_nothing(folder: Path) -> None:
    write(x_yaml=GOOD.replace("text}", "text, record: wire.jsonl}"))
    assert check("x.yaml").exit_code == 0
    assert [file.name for file in folder.iterdir()] == ["x.yaml"]


def test_a_folder_is_searched_for_configurations() -> None:
    write(
        a__x_yaml=GOOD, a__b__y_yml=BAD, a__b__scenario_yaml="turns: []\n", a__z_txt=BAD,
        a___git__z_yaml=BAD, a__page_md=PAGE,
    )  # fmt: skip
    result = check("a", "-v")
    assert result.exit_code == 2
    assert result.stdout.splitlines()[::3] == [
        f"a/b/y.yml:2:16: {FIRST}",
        f"a/b/y.yml:4:17: {SECOND}",
    ]
    assert result.stderr.splitlines() == [
        "checked a/x.yaml",
        "checked a/b/y.yml",
        "skipped a/b/scenario.yaml: no configuration",
        "2 configurations, 2 errors, 1 file skipped",
    ]


def test_several_files_are_checked_once_each() -> None:
    write(x_yaml=GOOD, y_yaml=BAD)
    result = check("y.yaml", ".", "./x.yaml", "gone.yaml")
    lines = result.stdout.splitlines()
    assert [lines[0], lines[3], *lines[6:]] == [
        f"y.yaml:2:16: {FIRST}",
        f"y.yaml:4:17: {SECOND}",
        "error[unreadable] cannot read gone.yaml: No such file or directory",
    ]
    assert result.stderr == "2 configurations, 3 errors\n"


def test_a_file_that_is_named_is_checked_whatever_it_holds() -> None:
    write(x_yaml="turns: []\n")
    assert check("x.yaml").stdout.startswith("x.yaml:1:1: error[config] a configuration has ")


def test_pages_have_their_own_lines_and_columns() -> None:
    write(page_md=PAGE)
    result = check("page.md")
    assert result.stdout == (
        f"page.md:14:18: {FIRST}\n"
        "        typed: {use: text_sorce, lines: [hello]}\n"
        "                     ^\n"
        f"page.md:16:19: {SECOND}\n"
        "      flow: [typed -> gemni]\n"
        "                      ^\n"
    )
    assert result.stderr == "2 configurations, 2 errors\n"


@pytest.mark.parametrize("place", ["docs/hello.txt", "hello.txt"])
def test_pages_name_files_from_their_folder_or_the_one_above(place: str) -> None:
    write(docs__page_md=f"```yaml\n{FILE}```\n")
    assert check("docs/page.md").stdout.startswith(
        'docs/page.md:3:35: error[environment] "typed": there is no file docs/hello.txt\n'
    )
    Path(place).write_text("hello")
    assert check("docs/page.md").exit_code == 0


def test_a_block_that_is_not_closed_is_all_that_is_said_of_it() -> None:
    write(page_md=f"```yaml\n{FILE}\nMore text: and more.\n")
    assert check("page.md").stdout == (
        "page.md:1:1: error[yaml] the block that begins here is not closed; end it with ```\n"
        "    ```yaml\n    ^\n"
    )


def test_offline_leaves_the_machine_out() -> None:
    write(x_yaml=FILE)
    assert check("x.yaml").stdout.splitlines()[0] == (
        'x.yaml:2:35: error[environment] "typed": there is no file hello.txt'
    )
    result = check("x.yaml", "--offline")
    assert (result.exit_code, result.stdout) == (0, "")


def test_where_there_is_nothing_to_check_something_is_wrong() -> None:
    write(a__x_yaml="turns: []\n", page_md="nothing\n")
    result = check("a", "page.md")
    assert result.exit_code == 2
    assert result.stdout == (
        "error[nothing-to-check] there is no configuration in a, page.md; a configuration has "
        "`processors:` at its top\n"
    )
    assert result.stderr == "0 configurations, 1 error, 2 files skipped\n"


def test_json_for_programs() -> None:
    write(x_yaml=BAD, a__y_yaml="turns: []\n")
    result = check("x.yaml", "a", "--format", "json")
    assert result.exit_code == 2
    value = json.loads(result.stdout)
    assert [finding["code"] for finding in value["findings"]] == [
        "unknown-processor",
        "unknown-node",
    ]
    assert (value["checked"], value["skipped"]) == (["x.yaml"], ["a/y.yaml"])


def test_annotations_for_github() -> None:
    write(x_yaml=BAD)
    assert check("x.yaml", "--format", "github").stdout.splitlines() == [
        "::error file=x.yaml,line=2,col=16,title=unknown-processor::"
        'no processor "text_sorce"; did you mean "text_source"?',
        "::error file=x.yaml,line=4,col=17,title=unknown-node::"
        'no processor is named "gemni"; did you mean "gemini"?',
    ]


def test_a_wrong_command_line() -> None:
    for arguments in ([], ["x.yaml", "--format", "xml"]):
        assert check(*arguments).exit_code == 2


def test_run_says_the_same() -> None:
    write(x_yaml=BAD.replace("lines: [hello]", "path: gone.txt").replace("text}", "textt}"))
    checked = check("x.yaml")
    ran = CliRunner().invoke(main, ["run", "x.yaml"])
    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert ran.stderr == checked.stdout
    write(x_yaml=FILE)
    assert CliRunner().invoke(main, ["run", "x.yaml"]).stderr == check("x.yaml").stdout


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_colours_on_a_terminal(variables: dict[str, str]) -> None:
    write(x_yaml=BAD)
    ours, theirs = pty.openpty()
    environment = {"PATH": "", "TERM": "xterm-256color", **variables}
    command = [sys.executable, "-m", "pipeline", "check", "x.yaml"]
    with open(ours, "rb", buffering=0) as output:
        result = subprocess.run(command, stdout=theirs, env=environment, check=False)
        os.close(theirs)
        shown = output.read(65536).decode()
    assert result.returncode == 2
    assert ("\x1b[31mx.yaml:2:16: error" in shown) is (not variables)
    assert FIRST in shown


def test_what_is_shipped_has_nothing_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])
    pages = map(str, Path("docs").glob("*.md"))
    result = check("--offline", "configs", "README.md", *pages)  # devices may be missing
    assert result.stdout == ""
    assert result.exit_code == 0


ADVISOR = """
from pipeline import SettingError, Sink, TextFrame

class Advisor(Sink):
    def __init__(self, often: int = 1) -> None: ...

    def check(self) -> None:
        raise SettingError("that is a lot", setting="often", hint="less", severity="warning")

    async def consume(self, frame: TextFrame) -> None: ...
"""


def test_a_warning_is_no_error_unless_it_is_said_so() -> None:
    write(
        advisor_py=ADVISOR,
        x_yaml="processors:\n"
        "  typed: {use: text_source, lines: [hello]}\n"
        "  out: {use: ./advisor.py:Advisor, often: 9}\n"
        "flow: [typed -> out]\n",
    )
    result = check("x.yaml")
    assert result.exit_code == 0
    assert result.stdout == (
        'x.yaml:3:43: warning[environment] "out": that is a lot; less\n'
        "      out: {use: ./advisor.py:Advisor, often: 9}\n"
        "                                              ^\n"
    )
    assert result.stderr == "1 configuration, 1 warning\n"
    assert check("x.yaml", "--strict").exit_code == 2
    [row] = json.loads(check("x.yaml", "--format", "json").stdout)["findings"]
    assert row["severity"] == "warning"
    assert check("x.yaml", "--format", "github").stdout.startswith("::warning file=x.yaml,line=3,")
    run = CliRunner().invoke(main, ["run", "x.yaml"])
    assert run.exit_code == 0
    assert '  x.yaml:3:43: warning[environment] "out": that is a lot; less\n' in run.stderr


@pytest.mark.parametrize("command", ["check", "run", "expand", "graph", "batch", "serve"])
def test_code_that_a_configuration_names_can_be_refused(command: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text('raise SystemExit("it ran")')
    config = tmp_path / "talk.yaml"
    config.write_text(GOOD.replace("use: text_source, lines: [hello]", "use: ./mine.py:Mine"))
    if command == "serve":
        pytest.importorskip("uvicorn", reason="needs the extra `serve`")
    files = [str(config)] if command == "batch" else []
    result = CliRunner().invoke(main, [command, "--no-code", str(config), *files])
    assert result.exit_code == 2
    assert "mine.py:Mine is code, which --no-code refuses; leave the option out" in result.output
