"""Ephemeral tokens: short-lived credentials that a server hands to the clients it trusts a little.

Made by `POST /{version}/auth_tokens`; their use is the Gemini API's alone. What the service says of
a token that is expired or used up is not known; the reasons here are guesses.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from processors.live_api.messages import Setup, Wire
from processors.local_live_api.refusal import RefusedError
from processors.local_live_api.wire import normalise, parse

LIFETIME = timedelta(minutes=30)
LONGEST = timedelta(hours=20)
BEGIN_WITHIN = timedelta(seconds=60)
PREFIX = "auth_tokens/"

Time = Annotated[datetime, Meta(tz=True)]


class TokenRequest(Wire):
    """What a token is to be good for.

    uses: sessions that it opens; 0 for any number. field_mask: paths in the setup, with commas:
    what is locked; the whole setup if there is none.
    """

    expire_time: Time | None = None
    new_session_expire_time: Time | None = None
    uses: Annotated[int, Meta(ge=0)] | None = None
    bidi_generate_content_setup: dict[str, Any] | None = None
    field_mask: str = ""


@dataclass
class _Token:
    expires: datetime
    begin_before: datetime
    uses_left: int | None
    setup: dict[str, Any] | None
    mask: list[list[str]]


def _now() -> datetime:
    return datetime.now(UTC)


class TokenStore:
    """The tokens of one server."""

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        self._tokens: dict[str, _Token] = {}

    def issue(self, body: bytes) -> dict[str, Any]:
        """A new token, as the service describes it. Raises RefusedError for a bad request."""
        request = _read(body)
        now = self._now()
        expires = request.expire_time or now + LIFETIME
        begin_before = request.new_session_expire_time or now + BEGIN_WITHIN
        for name, time in (("expire_time", expires), ("new_session_expire_time", begin_before)):
            if not now < time <= now + LONGEST:
                raise RefusedError(f"{name} must be within the next 20 hours")
        uses = 1 if request.uses is None else request.uses
        mask = [_camel_case(path).split(".") for path in request.field_mask.split(",") if path]
        setup = request.bidi_generate_content_setup
        token = f"{PREFIX}{secrets.token_hex(32)}"
        self._tokens[token] = _Token(expires, begin_before, uses or None, setup, mask)
        return {
            "name": token,
            "expireTime": _rfc3339(expires),
            "newSessionExpireTime": _rfc3339(begin_before),
            "uses": uses,
        }

    def redeem(self, name: str, setup: dict[str, Any], *, resuming: bool) -> dict[str, Any]:
        """The setup that a client with this token gets: what the token locks replaces its own.

        Names come back as the wire has them. Resuming a session does not count as a use, and the
        handle is always the client's. Raises RefusedError.
        """
        setup = normalise(setup, Setup, "setup")
        token = self._tokens.get(name)
        now = self._now()
        if token is None:
            raise RefusedError("API key not valid. Please pass a valid API key.")
        if now > token.expires or (not resuming and now > token.begin_before):
            raise RefusedError("API key expired. Please renew the API key.")
        if not resuming and token.uses_left is not None:
            if not token.uses_left:
                raise RefusedError("API key not valid. Its uses are exhausted.")
            token.uses_left -= 1
        if token.setup is None and not token.mask:
            return setup
        return _locked(setup, token.setup or {}, token.mask)


def _read(body: bytes) -> TokenRequest:
    fields = normalise(parse(body or b"{}"), TokenRequest)
    given = fields.get("bidiGenerateContentSetup")
    if given is not None:
        locked = normalise(given, Setup, "bidi_generate_content_setup")
        fields["bidiGenerateContentSetup"] = locked
    try:
        return msgspec.convert(fields, TokenRequest, strict=False)
    except msgspec.ValidationError as error:
        raise RefusedError(f"Invalid JSON payload received. {error}") from None


def _locked(setup: dict[str, Any], locked: dict[str, Any], mask: list[list[str]]) -> dict[str, Any]:
    resumption = setup.get("sessionResumption")
    if mask:
        for path in mask:
            setup = _overwrite(setup, locked, path)
    else:
        setup = ({"sessionResumption": resumption} if resumption is not None else {}) | locked
    if isinstance(resumption, dict) and "handle" in resumption:
        own = setup.get("sessionResumption", {}) | {"handle": resumption["handle"]}
        setup = setup | {"sessionResumption": own}
    return setup


def _overwrite(setup: dict[str, Any], locked: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """`setup` with what `locked` has at a path; without it where `locked` has nothing there."""
    name, *rest = path
    ours, inner = setup.get(name), locked.get(name)
    if rest and isinstance(inner, dict):
        return setup | {name: _overwrite(ours if isinstance(ours, dict) else {}, inner, rest)}
    if rest and name not in locked and isinstance(ours, dict):
        return setup | {name: _overwrite(ours, {}, rest)}
    others = {key: value for key, value in setup.items() if key != name}
    return others | ({name: inner} if name in locked else {})


def _camel_case(path: str) -> str:
    return re.sub("_([a-z0-9])", lambda found: found[1].upper(), path.strip())


def _rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
