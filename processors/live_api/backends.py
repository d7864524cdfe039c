"""Where the Live API is, and how one gets in: addresses, credentials, model names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from anyio import to_thread

from pipeline import SettingError

DEFAULT_MODEL = {
    "local": "models/local-live-api",
    "local_vertex": "projects/local/locations/local/publishers/google/models/local-live-api",
    "gemini_api": "gemini-3.8-live",
    "vertex": "gemini-live-2.5-flash-native-audio",
}
SIMULATED_KEY = "simulation"
"""The local Live API takes any key, but like the service it wants one."""
KEY_VARIABLES = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
TOKEN_VARIABLE = "GEMINI_EPHEMERAL_TOKEN"
"""A token for one session, made by a server that has the key."""
PROJECT_VARIABLES = ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT")
"""Where google-auth looks for a project first."""
TOKEN_PREFIX = "auth_tokens/"
TOKEN_PATH = (
    "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained"
)
GEMINI_API_PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX_PATH = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
MULTI_REGIONS = ("us", "eu")
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Backend(NamedTuple):
    """An address, the headers that let one in, and the model's name on the wire."""

    url: str
    headers: Mapping[str, str]
    model: str

    def __repr__(self) -> str:
        url = self.url.partition("?")[0]
        return f"Backend(url={url!r}, headers=<{len(self.headers)} hidden>, model={self.model!r})"


def local(url: str, model: str | None, kind: str = "local") -> Backend:
    """The local Live API, or another server at a given address."""
    return Backend(url, {"x-goog-api-key": SIMULATED_KEY}, model or DEFAULT_MODEL[kind])


def gemini_api(model: str | None, url: str | None = None) -> Backend:
    """The Gemini API; a key or an ephemeral token comes from the environment, and goes in a header.

    Raises SettingError without one.
    """
    name = model or DEFAULT_MODEL["gemini_api"]
    full_name = name if "/" in name else f"models/{name}"
    host = "wss://generativelanguage.googleapis.com"
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if token:
        token = token if token.startswith(TOKEN_PREFIX) else f"{TOKEN_PREFIX}{token}"
        return Backend(url or f"{host}{TOKEN_PATH}", {"Authorization": f"Token {token}"}, full_name)
    key = api_key()
    if key is None:
        raise SettingError(
            "the Gemini API needs a key",
            setting="backend",
            hint=f"set the environment variable {KEY_VARIABLES[0]}",
        )
    return Backend(url or f"{host}{GEMINI_API_PATH}", {"x-goog-api-key": key}, full_name)


def check_address(url: str | None, ca_file: str | None) -> None:
    """Raise SettingError for what is no address of a websocket, and for a missing authority."""
    if url is not None and not url.startswith(("ws://", "wss://")):
        # it may have a password or a key in it
        raise SettingError("the address does not begin with ws:// or wss://", setting="url")
    if ca_file is not None and not Path(ca_file).is_file():
        raise SettingError(f"there is no file {ca_file}", setting="ca_file")
    if ca_file is not None and (url is None or url.startswith("ws://")):
        raise SettingError(
            "it has no effect without a `url` that begins with wss://",
            setting="ca_file",
            severity="warning",
        )


def check_project(project: str | None) -> None:
    """Raise a warning where only the credentials can say which project is meant."""
    if project is None and not any(os.environ.get(name) for name in PROJECT_VARIABLES):
        raise SettingError(
            "no project is configured: the Google credentials have to name one",
            setting="backend",
            hint=f"write `project:`, or set {PROJECT_VARIABLES[0]}",
            severity="warning",
        )


async def vertex(model: str | None, project: str | None, location: str, url: str | None) -> Backend:
    """Vertex AI; Google credentials are refreshed in a thread. Raises SettingError without them."""
    credentials, found_project = await to_thread.run_sync(
        _google_credentials, abandon_on_cancel=True
    )
    project = project or found_project
    if project is None:
        raise SettingError("Vertex AI needs a project", setting="project")
    headers = {"Authorization": f"Bearer {credentials.token}"}
    if getattr(credentials, "quota_project_id", None):
        headers["x-goog-user-project"] = credentials.quota_project_id
    return Backend(
        url or f"wss://{vertex_host(location)}{VERTEX_PATH}",
        headers,
        vertex_model(model or DEFAULT_MODEL["vertex"], project, location),
    )


def vertex_host(location: str) -> str:
    """The host that serves a region, a multi-region or, for `global`, any."""
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in MULTI_REGIONS:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def vertex_model(model: str, project: str, location: str) -> str:
    """The full resource name, which is the only form that Vertex accepts."""
    if model.startswith("projects/"):
        return model
    name = model.rpartition("/")[2]
    return f"projects/{project}/locations/{location}/publishers/google/models/{name}"


def api_key() -> str | None:
    """The key of the Gemini API, if the environment has one."""
    keys = (os.environ.get(name, "").strip() for name in KEY_VARIABLES)
    return next(filter(None, keys), None)


def _google_credentials() -> tuple[Any, str | None]:
    import google.auth
    import google.auth.exceptions
    import google.auth.transport.requests

    credentials: Any
    try:
        credentials, project = google.auth.default(scopes=[SCOPE])
        credentials.refresh(google.auth.transport.requests.Request())
    except google.auth.exceptions.GoogleAuthError as error:
        hint = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
        raise SettingError(f"no Google credentials: {error}", hint=hint) from None
    return credentials, project
