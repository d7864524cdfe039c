"""Ephemeral tokens: what they lock, how often and how long they are good."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.local_live_api.refusal import INVALID, RefusedError
from processors.local_live_api.tokens import PREFIX, TokenStore

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> TokenStore:
    return TokenStore(clock)


def issue(store: TokenStore, **request: Any) -> str:
    name = store.issue(json.dumps(request).encode())["name"]
    assert isinstance(name, str)
    return name


def redeem(
    store: TokenStore, name: str, setup: dict[str, Any] | None = None, resuming: bool = False
) -> dict[str, Any]:
    return store.redeem(name, setup or {}, resuming=resuming)


def refusal(store: TokenStore, name: str, resuming: bool = False) -> str:
    with pytest.raises(RefusedError) as raised:
        redeem(store, name, resuming=resuming)
    assert raised.value.code == INVALID
    return raised.value.reason


# --- how a token is made ---


@pytest.mark.parametrize("body", [b"", b"{}", b'{"uses": null}'])
def test_by_default_a_token_is_for_one_session_within_a_minute(
    store: TokenStore, body: bytes
) -> None:
    token = store.issue(body)
    assert token.pop("name").startswith(PREFIX)
    assert token == {
        "expireTime": "2026-05-01T12:30:00Z",
        "newSessionExpireTime": "2026-05-01T12:01:00Z",
        "uses": 1,
    }


def test_a_token_is_as_it_was_asked_for_in_any_time_zone(store: TokenStore) -> None:
    request = {
        "expire_time": "2026-05-01T16:00:00+02:00",
        "newSessionExpireTime": "2026-05-01T12:10:00.5Z",
        "uses": "7",
    }
    token = store.issue(json.dumps(request).encode())
    assert token["expireTime"] == "2026-05-01T14:00:00Z"
    assert token["newSessionExpireTime"] == "2026-05-01T12:10:00.500000Z"
    assert token["uses"] == 7


def test_no_two_tokens_are_the_same(store: TokenStore) -> None:
    assert len({issue(store) for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        ({"expireTime": "2026-05-01T11:59:59Z"}, "expire_time must be within the next 20 hours"),
        ({"expireTime": "2026-05-02T08:00:01Z"}, "expire_time must be within the next 20 hours"),
        (
            {"newSessionExpireTime": "2026-05-02T08:00:01Z"},
            "new_session_expire_time must be within the next 20 hours",
        ),
        ({"expireTime": "2026-05-01T13:00:00"}, "timezone"),
        ({"expireTime": "tomorrow"}, "Invalid"),
        ({"uses": -1}, ">= 0"),
        ({"uses": "many"}, "Expected `int"),
        ({"fieldMask": ["model"]}, "Expected `str`"),
        ({"lifetime": 5}, 'Unknown name "lifetime": Cannot find field.'),
        ({"bidiGenerateContentSetup": "model"}, "'bidi_generate_content_setup' (Setup)"),
        (
            {"bidiGenerateContentSetup": {"modle": "m"}},
            "Unknown name \"modle\" at 'bidi_generate_content_setup': Cannot find field.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    store: TokenStore, request_: dict[str, Any], what: str
) -> None:
    with pytest.raises(RefusedError) as raised:
        issue(store, **request_)
    assert what in raised.value.reason


@given(st.binary(max_size=30) | st.sampled_from([b"[" * 99_999, b"[]", b"5", b'{"uses": 1e999}']))
def test_any_other_body_is_refused(body: bytes) -> None:
    try:
        TokenStore().issue(body)
    except RefusedError as error:
        assert error.code == INVALID
    else:
        assert body.strip() in (b"", b"{}")


# --- how long and how often it is good ---


def test_a_token_opens_as_many_sessions_as_it_has_uses(store: TokenStore) -> None:
    name = issue(store, uses=2)
    redeem(store, name)
    redeem(store, name)
    assert "uses are exhausted" in refusal(store, name)


def test_resuming_is_no_use(store: TokenStore) -> None:
    name = issue(store)
    redeem(store, name)
    for _ in range(3):
        redeem(store, name, {"sessionResumption": {"handle": "h"}}, resuming=True)
    assert "uses are exhausted" in refusal(store, name)


def test_no_uses_are_any_number(store: TokenStore) -> None:
    name = issue(store, uses=0)
    for _ in range(50):
        redeem(store, name)


def test_new_sessions_begin_early_and_old_ones_go_on_until_it_expires(
    store: TokenStore, clock: Clock
) -> None:
    name = issue(store, uses=0)
    clock.time += timedelta(seconds=60)
    redeem(store, name)
    clock.time += timedelta(seconds=1)
    assert refusal(store, name) == "API key expired. Please renew the API key."
    redeem(store, name, resuming=True)
    clock.time = NOON + timedelta(minutes=30, seconds=1)
    assert refusal(store, name, resuming=True) == "API key expired. Please renew the API key."


def test_a_token_that_nobody_made(store: TokenStore) -> None:
    issue(store)
    for name in ("", f"{PREFIX}0", "test-key"):
        assert refusal(store, name) == "API key not valid. Please pass a valid API key."


# --- what it locks ---

LOCKED = {
    "model": "models/a",
    "generationConfig": {"temperature": 0.2, "responseModalities": ["TEXT"]},
}


def test_a_token_without_a_setup_locks_nothing(store: TokenStore) -> None:
    setup = {"model": "models/b", "generation_config": {"top_k": 3}}
    name = issue(store)
    assert redeem(store, name, setup) == {"model": "models/b", "generationConfig": {"topK": 3}}


@pytest.mark.parametrize("setup", [{}, {"model": "models/b"}, {"tools": [], "labels": {"a": "b"}}])
def test_a_token_without_a_mask_locks_everything(store: TokenStore, setup: dict[str, Any]) -> None:
    name = issue(store, bidiGenerateContentSetup=LOCKED)
    assert redeem(store, name, setup) == LOCKED


@pytest.mark.parametrize(
    ("mask", "setup", "expected"),
    [
        ("model", {}, {"model": "models/a"}),
        ("model", {"tools": []}, {"model": "models/a", "tools": []}),
        (
            "generationConfig.temperature",
            {"model": "models/b", "generationConfig": {"temperature": 1, "topK": 3}},
            {"model": "models/b", "generationConfig": {"temperature": 0.2, "topK": 3}},
        ),
        (
            "generation_config.temperature,model",
            {"model": "models/b", "generation_config": {"temperature": 1, "top_k": 3}},
            {"model": "models/a", "generationConfig": {"temperature": 0.2, "topK": 3}},
        ),
        (
            "generationConfig",
            {"generation_config": {"top_k": 3}},
            {"generationConfig": LOCKED["generationConfig"]},
        ),
        ("generationConfig.topK", {"generation_config": {"top_k": 3}}, {"generationConfig": {}}),
        ("tools", {"model": "models/b", "tools": []}, {"model": "models/b"}),
        ("systemInstruction.parts", {"systemInstruction": {"parts": [], "role": "user"}},
         {"systemInstruction": {"role": "user"}}),
        ("systemInstruction.parts", {}, {}),
        ("model.name", {"model": "models/b"}, {"model": "models/a"}),
        (" , ,", {"model": "models/b"}, {"model": "models/b"}),
    ],
)  # fmt: skip
def test_a_mask_names_what_is_locked(
    store: TokenStore, mask: str, setup: dict[str, Any], expected: dict[str, Any]
) -> None:
    name = issue(store, bidiGenerateContentSetup=LOCKED, fieldMask=mask)
    assert redeem(store, name, setup) == expected


def test_a_mask_without_a_setup_locks_defaults(store: TokenStore) -> None:
    name = issue(store, field_mask="tools")
    assert redeem(store, name, {"model": "m", "tools": []}) == {"model": "m"}


@pytest.mark.parametrize("spelling", ["sessionResumption", "session_resumption"])
@pytest.mark.parametrize("mask", ["", "model", "sessionResumption", "sessionResumption.handle"])
@pytest.mark.parametrize("locked", [{}, {"handle": "somebody else's"}, None])
def test_the_handle_is_always_the_clients(
    store: TokenStore, spelling: str, mask: str, locked: dict[str, Any] | None
) -> None:
    setup = LOCKED | ({} if locked is None else {"sessionResumption": locked})
    name = issue(store, bidiGenerateContentSetup=setup, fieldMask=mask)
    own = {spelling: {"handle": "h"}}
    assert redeem(store, name, own, resuming=True)["sessionResumption"] == {"handle": "h"}


def test_bytes_survive(store: TokenStore) -> None:
    avatar = {"avatarConfig": {"customizedAvatar": {"imageData": "-_8"}}}
    name = issue(store, bidiGenerateContentSetup=avatar)
    setup = json.loads(msgspec.json.encode(redeem(store, name)))
    assert setup["avatarConfig"]["customizedAvatar"]["imageData"] == "+/8="


def test_names_that_nobody_knows_are_refused_and_cost_no_use(store: TokenStore) -> None:
    name = issue(store)
    with pytest.raises(RefusedError, match="Unknown name \"x\" at 'setup'"):
        redeem(store, name, {"x": 1})
    redeem(store, name)
