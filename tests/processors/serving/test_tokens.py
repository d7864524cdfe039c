"""Who knows the token, and who guesses at it."""

import anyio
import pytest

from processors.serving import tokens
from processors.serving.refusal import RefusedError
from processors.serving.tokens import MOST_WRONG, PARDON_S, TokenCheck


def said(check: TokenCheck, given: str, address: str = "192.0.2.1") -> str:
    try:
        check.check(given, address)
    except RefusedError as error:
        return error.reason
    return "welcome"


async def test_without_a_token_everyone_may_come() -> None:
    assert said(TokenCheck(""), "") == said(TokenCheck(""), "anything") == "welcome"


async def test_after_too_many_wrong_ones_the_right_one_is_not_heard_for_a_while() -> None:
    check = TokenCheck("right")
    assert [said(check, f"wrong {n}") for n in range(MOST_WRONG)] == ["token"] * MOST_WRONG
    assert said(check, "right") == said(check, "wrong") == "guessing"
    await anyio.sleep(PARDON_S - 1)
    assert said(check, "right") == "guessing"
    await anyio.sleep(1)
    assert said(check, "right") == said(check, "right") == "welcome"
    assert said(check, "wrong") == "token"
    assert said(check, "right") == "guessing"


async def test_who_has_no_token_to_offer_does_not_guess() -> None:
    check = TokenCheck("right")
    assert {said(check, "") for _ in range(3 * MOST_WRONG)} == {"token"}
    assert said(check, "right") == "welcome"


@pytest.mark.parametrize(
    ("one", "other", "is_shared"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("", "not an address", True),
    ],
)
async def test_whose_guesses_they_are(one: str, other: str, is_shared: bool) -> None:
    check = TokenCheck("right")
    for _ in range(MOST_WRONG):
        said(check, "wrong", one)
    assert said(check, "right", other) == ("guessing" if is_shared else "welcome")


async def test_behind_a_proxy_nobody_is_kept_out_for_what_another_has_tried() -> None:
    check = TokenCheck("right", by_address=False)
    assert {said(check, "wrong") for _ in range(3 * MOST_WRONG)} == {"token"}
    assert said(check, "right") == "welcome"


async def test_no_more_addresses_are_remembered_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokens, "MOST_ADDRESSES", 5)
    check = TokenCheck("right")
    for number in range(100):
        for _ in range(MOST_WRONG):
            said(check, "wrong", f"192.0.2.{number}")
    assert said(check, "right", "192.0.2.94") == "welcome"
    assert said(check, "right", "192.0.2.95") == "guessing"
