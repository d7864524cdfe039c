"""Secrets that were written into a file, which people share."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from pipeline.errors import Finding, Place
from pipeline.settings import FromVariable

LOOKS = {
    r"AIza[\w-]{20,}": "an API key of Google",
    r"\bAQ\.[\w-]{20,}": "an API key of Google",
    r"\bya29\.[\w-]{10,}": "an access token of Google",
    r"\b1//0[\w-]{20,}": "a refresh token of Google",
    r"\bauth_tokens/[\w-]{8,}": "an ephemeral token",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----": "a private key",
    r"(?<=://)[^\s/:@${]+:[^\s/@${]+(?=@)": "a password in an address",
}
"""What secrets look like, wherever they stand."""

HINT = 'put it into an environment variable, and write "${NAME}"'

WORDS = {
    "auth", "authorization", "credential", "credentials", "key", "keys", "apikey", "pass",
    "passphrase", "passwd", "password", "passwords", "pwd", "secret", "secrets", "token",
}  # fmt: skip
"""Words in the names of settings and variables that hold what nobody else may see."""

ABOUT = {
    "count", "file", "folder", "id", "limit", "name", "path", "size", "type", "uri", "url"
}  # fmt: skip
"""Last words of such names that only say something about a secret, such as where it is."""

_NAMES_WITHIN = {
    "key", "apikey", "xapikey", "xgoogapikey", "token", "accesstoken", "authorization", "password",
    "secret", "clientsecret",
}  # fmt: skip
"""Within a setting keys may be anybody's words, such as names of functions: fewer count there."""

LONG = 8
"""A text so long is hidden wherever it is; a shorter one, in quotation marks only."""

Path = tuple[str, ...]


class Secret(NamedTuple):
    """What to say about a secret, and the secret, which no message may repeat."""

    finding: Finding
    text: str


def has_secret_name(name: str) -> bool:
    """Whether a setting or a variable of this name holds what is not for everybody's eyes."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_").split("_")
    return not WORDS.isdisjoint(words) and words[-1] not in ABOUT


def by_look(text: str, file: str) -> list[Secret]:
    """What looks like a secret anywhere in a text, also in its comments."""
    found: dict[int, Secret] = {}
    for look, what in LOOKS.items():
        for match in re.finditer(look, text):
            before = text[: match.start()]
            place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
            finding = Finding("secret", f"{what} is written into the file", place, HINT)
            found.setdefault(match.start(), Secret(finding, match[0]))
    return [found[start] for start in sorted(found)]


def by_name(settings: Mapping[str, Any], public: Container[str]) -> Iterator[tuple[Path, str]]:
    """The settings that are called like a secret and written out: where they stand, and the text.

    public: those that are no secret whatever they are called, such as names of files.
    """
    for name, value in settings.items():
        if has_secret_name(name) and name not in public and _is_written_out(value):
            yield (name,), value
        elif isinstance(value, dict):
            yield from (((name, *path), text) for path, text in _within(value))


def _within(values: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for name, value in values.items():
        if name.replace("_", "").replace("-", "").lower() in _NAMES_WITHIN and _is_written_out(
            value
        ):
            yield (name,), value
        elif isinstance(value, dict):
            yield from (((name, *path), text) for path, text in _within(value))


def _is_written_out(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and not isinstance(value, FromVariable)


def hide(finding: Finding, secrets: Sequence[Secret]) -> Finding:
    """A finding that quotes no secret, although messages quote what is wrong."""
    message, hint = finding.message, finding.hint
    for _, text in secrets:
        for quoted in (repr(text), f'"{text}"', *([text] if len(text) >= LONG else [])):
            message, hint = message.replace(quoted, "***"), hint.replace(quoted, "***")
    return msgspec.structs.replace(finding, message=message, hint=hint)
