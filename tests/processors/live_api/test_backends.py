"""Addresses, credentials and model names."""

from pathlib import Path
from typing import NoReturn

import google.auth
import google.auth.exceptions
import pytest

from pipeline import SettingError
from processors.live_api import backends

KEY = "AIza-this-is-a-secret"
TOKEN = "ya29.this-is-a-secret"


class Credentials:
    """What google.auth gives, as far as it is used."""

    token: str | None = None

    def __init__(self, quota_project_id: str | None = None) -> None:
        self.quota_project_id = quota_project_id

    def refresh(self, request: object) -> None:
        self.token = TOKEN


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> Credentials:
    given = Credentials()

    def default(scopes: list[str]) -> tuple[Credentials, str]:
        assert scopes == ["https://www.googleapis.com/auth/cloud-platform"]
        return given, "found"

    monkeypatch.setattr(google.auth, "default", default)
    return given


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*backends.KEY_VARIABLES, backends.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)


# --- local ---


def test_the_local_backend_needs_no_credentials() -> None:
    backend = backends.local("ws://127.0.0.1:1/ws", None)
    headers = {"x-goog-api-key": "simulation"}
    assert backend == ("ws://127.0.0.1:1/ws", headers, "models/local-live-api")
    assert backends.local("ws://127.0.0.1:1/ws", "other").model == "other"


def test_the_local_backend_has_names_like_the_service() -> None:
    model = backends.local("ws://127.0.0.1:1/ws", None, "local_vertex").model
    assert backends.vertex_model(model, "p", "l") == model


# --- Gemini API ---


def test_the_key_travels_in_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    backend = backends.gemini_api(None)
    assert backend.headers == {"x-goog-api-key": KEY}
    assert KEY not in backend.url
    assert backend.url == (
        "wss://generativelanguage.googleapis.com/ws/"
        "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    )


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gemini-3.8-live", "models/gemini-3.8-live"),
        ("models/m", "models/m"),
        ("tunedModels/m", "tunedModels/m"),
    ],
)
def test_names_of_the_gemini_api(
    monkeypatch: pytest.MonkeyPatch, model: str, expected: str
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    assert backends.gemini_api(model).model == expected


def test_another_address_of_the_gemini_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    assert backends.gemini_api(None, "wss://proxy.example/").url == "wss://proxy.example/"


@pytest.mark.parametrize("token", [TOKEN, f"auth_tokens/{TOKEN}", f" {TOKEN}\n"])
def test_a_token_for_one_session_has_its_own_way_in(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_EPHEMERAL_TOKEN", token)
    backend = backends.gemini_api(None)
    assert backend.headers == {"Authorization": f"Token auth_tokens/{TOKEN}"}
    assert backend.url == (
        "wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1alpha."
        "GenerativeService.BidiGenerateContentConstrained"
    )


def test_without_a_key_it_says_which_variable_to_set() -> None:
    with pytest.raises(SettingError, match="key") as raised:
        backends.gemini_api(None)
    assert "GEMINI_API_KEY" in raised.value.hint


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"GEMINI_API_KEY": ""}, None),
        ({"GEMINI_API_KEY": " \n"}, None),
        ({"GEMINI_API_KEY": f"{KEY}\n"}, KEY),
        ({"GOOGLE_API_KEY": KEY}, KEY),
        ({"GEMINI_API_KEY": KEY, "GOOGLE_API_KEY": "other"}, KEY),
        ({"GEMINI_API_KEY": "", "GOOGLE_API_KEY": KEY}, KEY),
    ],
)
def test_where_the_key_comes_from(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert backends.api_key() == expected


def test_a_backend_does_not_show_its_credentials() -> None:
    url = "wss://example.com/BidiGenerateContentConstrained"
    backend = backends.Backend(f"{url}?access_token={TOKEN}", {"x-goog-api-key": KEY}, "models/m")
    for shown in (repr(backend), str(backend), f"{backend}"):
        assert KEY not in shown
        assert TOKEN not in shown
        assert url in shown
        assert "models/m" in shown


# --- Vertex AI ---


async def test_vertex_gets_a_token_and_full_names(credentials: Credentials) -> None:
    backend = await backends.vertex("gemini-live", "mine", "europe-west4", None)
    assert backend.url == (
        "wss://europe-west4-aiplatform.googleapis.com/ws/"
        "google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
    )
    assert backend.headers == {"Authorization": f"Bearer {TOKEN}"}
    name = "projects/mine/locations/europe-west4/publishers/google/models/gemini-live"
    assert backend.model == name
    assert TOKEN not in repr(backend)


async def test_the_project_may_come_from_the_credentials(credentials: Credentials) -> None:
    assert (await backends.vertex("m", None, "us-central1", None)).model.startswith(
        "projects/found/locations/us-central1/"
    )


async def test_a_quota_project_is_passed_on(credentials: Credentials) -> None:
    credentials.quota_project_id = "payer"
    backend = await backends.vertex("m", "mine", "us-central1", "wss://other/")
    assert backend.headers["x-goog-user-project"] == "payer"
    assert backend.url == "wss://other/"


async def test_vertex_without_a_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google.auth, "default", lambda scopes: (Credentials(), None))
    with pytest.raises(SettingError, match="project") as raised:
        await backends.vertex("m", None, "us-central1", None)
    assert raised.value.setting == "project"


async def test_vertex_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    def default(scopes: list[str]) -> NoReturn:
        raise google.auth.exceptions.DefaultCredentialsError("none found")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(google.auth, "default", default)
    with pytest.raises(SettingError, match="no Google credentials: none found") as raised:
        await backends.vertex("m", "mine", "us-central1", None)
    assert "gcloud auth application-default login" in raised.value.hint


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_hosts_of_vertex(location: str, host: str) -> None:
    assert backends.vertex_host(location) == host


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("m", "projects/p/locations/l/publishers/google/models/m"),
        ("google/m", "projects/p/locations/l/publishers/google/models/m"),
        ("models/m", "projects/p/locations/l/publishers/google/models/m"),
        ("publishers/google/models/m", "projects/p/locations/l/publishers/google/models/m"),
        ("projects/q/locations/k/endpoints/1", "projects/q/locations/k/endpoints/1"),
    ],
)
def test_names_of_vertex(model: str, expected: str) -> None:
    assert backends.vertex_model(model, "p", "l") == expected


# --- what the check says ---


@pytest.mark.parametrize(
    ("url", "authority", "problem"),
    [
        (None, None, None),
        ("ws://127.0.0.1:1", None, None),
        ("http://host", None, ("url", "the address does not begin with ws:// or wss://", "error")),
        ("wss://host", "gone.pem", ("ca_file", "there is no file gone.pem", "error")),
        ("wss://host", "here.pem", None),
        (
            "ws://host",
            "here.pem",
            ("ca_file", "it has no effect without a `url` that begins with wss://", "warning"),
        ),
        (
            None,
            "here.pem",
            ("ca_file", "it has no effect without a `url` that begins with wss://", "warning"),
        ),
    ],
)
def test_addresses(
    url: str | None,
    authority: str | None,
    problem: tuple[str, str, str] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.pem").write_text("")
    if problem is None:
        backends.check_address(url, authority)
        return
    with pytest.raises(SettingError) as raised:
        backends.check_address(url, authority)
    assert (raised.value.setting, str(raised.value), raised.value.severity) == problem


def test_a_project_that_only_the_credentials_can_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in backends.PROJECT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingError, match="no project is configured") as raised:
        backends.check_project(None)
    assert raised.value.severity == "warning"
    assert raised.value.hint == "write `project:`, or set GOOGLE_CLOUD_PROJECT"
    backends.check_project("mine")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "ours")
    backends.check_project(None)
