from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.flow import FlowSyntaxError, Link, parse_chain

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


def test_a_chain_gives_a_link_per_arrow() -> None:
    assert parse_chain("mic -> gate -> out") == [
        Link("mic", "gate", 0, 7),
        Link("gate", "out", 7, 15),
    ]


def test_a_double_arrow_gives_both_directions() -> None:
    assert parse_chain("gemini <-> tools") == [
        Link("gemini", "tools", 0, 11),
        Link("tools", "gemini", 11, 0),
    ]


def test_names_may_have_hyphens_and_arrows_need_no_spaces() -> None:
    assert parse_chain("to--16k -> b")[0].source == "to--16k"
    assert [(link.source, link.target) for link in parse_chain("to-16k->my-gate<->x")] == [
        ("to-16k", "my-gate"),
        ("my-gate", "x"),
        ("x", "my-gate"),
    ]


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("a -> ", "a processor's name is missing at the end", 4),
        ("-> a", "a processor's name is missing before '->'", 0),
        ("a -> -> b", "a processor's name is missing before '->'", 5),
        ("a", "'a' alone goes nowhere; write `a -> b -> c`, or `a <-> b` for both directions", 0),
        (
            "a b",
            "an arrow is missing before 'b'; write `a -> b -> c`, or `a <-> b` for both directions",
            2,
        ),
        *(
            (
                f"a{space}{mark}{space}b",
                f"{mark!r} is no arrow; write `a -> b -> c`, or `a <-> b` for both directions",
                1 + len(space),
            )
            for mark, space in [
                *((mark, " ") for mark in (">", ">>", "=>", "==>", "-->", "--", "|", "~>", "→")),
                *((mark, "") for mark in (">", "=>", "→", "⟶", "|")),
            ]
        ),
        *(
            (f"a {mark} b", f"{mark!r} leads to the left; write `b -> a`, to the right", 2)
            for mark in ("<-", "<--", "←")
        ),
        ("a, b -> c", "a comma is no arrow; write a chain for each, on its own line", 1),
        ("a -> 16k", "'16k' is not a name: letters, digits, _ and -", 5),
        ("", "a processor's name is missing at the end", 0),
    ],
)
def test_what_cannot_be_read_is_located(text: str, message: str, at: int) -> None:
    with pytest.raises(FlowSyntaxError) as caught:
        parse_chain(text)
    assert (str(caught.value), caught.value.at) == (message, at)


@given(st.lists(NAMES, min_size=2, max_size=6), st.text(alphabet=" \t", max_size=3))
def test_any_spacing_reads_the_same(names: list[str], space: str) -> None:
    links = parse_chain(f"{space}->{space}".join(names) + space)
    assert [(link.source, link.target) for link in links] == list(pairwise(names))
    text = f"{space}->{space}".join(names)
    assert all(text[link.source_at :].startswith(link.source) for link in links)


@given(st.text(alphabet="ab ->< ,1\n"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert parse_chain(text)
    except FlowSyntaxError as error:
        assert 0 <= error.at <= len(text)
