from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.batch.job import digest_of, digest_of_file, names_of


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["in/a.wav"], ["a"]),
        (["in/a.wav", "in/b.wav"], ["a", "b"]),
        (["in/a.wav", "in/sub/a.wav"], ["a", "sub/a"]),
        (["x/a.wav", "y/a.wav"], ["x/a", "y/a"]),
        (["a.wav", "a.flac", "b.wav"], ["a.wav", "a.flac", "b"]),
        (["a", "a.wav"], ["a", "a.wav"]),
        (["a.tar.wav", "a.wav"], ["a.tar", "a"]),
        (["A.wav", "a.flac"], ["A.wav", "a.flac"]),
    ],
)
def test_names_are_short_and_differ(files: list[str], names: list[str]) -> None:
    assert names_of([Path(file) for file in files]) == names


PARTS = st.text("aB.", min_size=1, max_size=4).filter(lambda part: part.strip("."))


@settings(max_examples=50)
@given(st.sets(st.lists(PARTS, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8))
def test_no_two_files_have_one_name(files: set[str]) -> None:
    unlike = {file.casefold(): file for file in files}.values()
    names = names_of([Path(file) for file in unlike])
    assert len({name.casefold() for name in names}) == len(names)


def test_digests_tell_contents_apart(tmp_path: Path) -> None:
    for name, text in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).write_text(text)
    a, b, c = (digest_of_file(tmp_path / name) for name in "abc")
    assert a == b != c
    assert digest_of(["ab", "c"]) != digest_of(["a", "bc"])
