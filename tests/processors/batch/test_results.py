import csv
from pathlib import Path

import pytest
from batch_bench import job, outcome

from pipeline import ConfigError
from processors.batch.job import digest_of_file
from processors.batch.outcome import COLUMNS
from processors.batch.results import Results, is_done, write_table


def test_every_line_is_there_as_soon_as_it_is_added(tmp_path: Path) -> None:
    results = Results(tmp_path / "new" / "results.jsonl")
    assert results.read() == []
    results.keep([outcome("a")])
    with results.appending() as append:
        for name in "bc":
            append(outcome(name, error="é\n"))
            assert results.read()[-1] == outcome(name, error="é\n")
    assert [each.name for each in results.read()] == ["a", "b", "c"]
    results.keep([outcome("c")])
    assert [each.name for each in results.read()] == ["c"]
    assert [file.name for file in results.path.parent.iterdir()] == ["results.jsonl"]


def test_a_line_that_was_cut_is_left_out_wherever_it_was_cut(tmp_path: Path) -> None:
    results = Results(tmp_path / "r.jsonl")
    results.keep([outcome("a"), outcome("b")])
    whole = results.path.read_bytes()
    first = whole.index(b"\n") + 1
    for size in range(first, len(whole)):
        results.path.write_bytes(whole[:size])
        assert [each.name for each in results.read()] == ["a"]


def test_another_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "talk.yaml"
    path.write_text("processors:\n")
    with pytest.raises(ConfigError, match="is there already, and has no results in it"):
        Results(path).read()
    assert path.read_text() == "processors:\n"


def test_what_is_done_is_the_same_file_run_in_the_same_way(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    file.write_text("1")
    own, digest = job(file=str(file)), digest_of_file(file)
    assert is_done(own, outcome(sha256=digest))
    assert not is_done(own, outcome(sha256=digest, status="failed"))
    assert not is_done(own, outcome(sha256=digest, recipe="other"))
    assert not is_done(own, outcome("b", sha256=digest))
    file.write_text("2")
    assert not is_done(own, outcome(sha256=digest))
    file.unlink()
    assert not is_done(own, outcome(sha256=digest))


def test_the_table(tmp_path: Path) -> None:
    path = tmp_path / "new" / "t.csv"
    write_table(path, [outcome("a"), outcome("b", "failed", error='no "way"\n, é')])
    with path.open(encoding="utf-8", newline="") as file:
        head, a, b = csv.reader(file)
    assert tuple(head) == COLUMNS
    assert (a[0], a[1], b[1], b[-1]) == ("a.wav", "done", "failed", 'no "way"\n, é')
