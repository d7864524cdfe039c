from typing import Any

import pytest

from pipeline.config.secrets import HINT, Secret, by_look, by_name, has_secret_name, hide
from pipeline.errors import Finding, Place
from pipeline.settings import FromVariable


@pytest.mark.parametrize(
    ("text", "what", "column"),
    [
        ("key: AIza" + "x" * 35, "an API key of Google", 6),
        ("key: AQ." + "x" * 30, "an API key of Google", 6),
        ("# Bearer ya29.a0AfH6SMBx-y", "an access token of Google", 10),
        ("'1//0" + "x" * 30 + "'", "a refresh token of Google", 2),
        ("a: auth_tokens/1234567890", "an ephemeral token", 4),
        ("|\n  -----BEGIN RSA PRIVATE KEY-----", "a private key", 3),
        ("url: wss://me:pass@host/path", "a password in an address", 12),
    ],
)
def test_what_looks_like_a_secret(text: str, what: str, column: int) -> None:
    [secret] = by_look(f"\n{text}\n", "x.yaml")
    line = 3 if "\n" in text else 2
    assert secret.finding == Finding(
        "secret", f"{what} is written into the file", Place("x.yaml", line, column), HINT
    )
    assert secret.text in text


@pytest.mark.parametrize(
    "text",
    [
        "key: ${KEY}",
        "url: wss://me:${PASSWORD}@host",
        "url: wss://host:8080/a@b",
        "path: auth_tokens/",
        "AIza is how they begin",
    ],
)
def test_what_does_not(text: str) -> None:
    assert by_look(text, "x.yaml") == []


def test_settings_that_are_called_like_secrets() -> None:
    settings: dict[str, Any] = {
        "api_key": "abc",
        "token": FromVariable("abc"),
        "password": "",
        "secret": 5,
        "max_tokens": "8",
        "key": "key.pem",
        "setup": {"labels": {"apiKey": "def", "name": "x"}, "list": [{"key": "y"}]},
        "background": {"get_token": "when_idle"},
        "headers": {"Authorization": "Bearer abc", "X-Api-Key": "ghi", "Accept": "audio/wav"},
    }
    assert list(by_name(settings, {"key"})) == [
        (("api_key",), "abc"),
        (("setup", "labels", "apiKey"), "def"),
        (("headers", "Authorization"), "Bearer abc"),
        (("headers", "X-Api-Key"), "ghi"),
    ]


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("key", True),
        ("API_KEY", True),
        ("GEMINI_API_KEY", True),
        ("apiKey", True),
        ("ACCESS_TOKEN_2", True),
        ("credentials", True),
        ("password", True),
        ("client-secret", True),
        ("keys", True),
        ("max_tokens", False),
        ("keyboard", False),
        ("monkey", False),
        ("key_file", False),
        ("token_url", False),
        ("", False),
    ],
)
def test_names(name: str, secret: bool) -> None:
    assert has_secret_name(name) is secret


def test_a_finding_quotes_no_secret() -> None:
    finding = Finding("x", "got 'abc' and 'a long secret' and abc, a long secret", hint='"abc"?')
    secrets = [Secret(finding, "abc"), Secret(finding, "a long secret")]
    hidden = hide(finding, secrets)
    assert (hidden.message, hidden.hint) == ("got *** and *** and abc, ***", "***?")
