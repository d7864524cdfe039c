"""Which of the service's addresses a client has dialled, and what it brought to be let in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qs

from processors.local_live_api.refusal import RefusedError
from processors.local_live_api.switches import BackendName

PATHS: dict[BackendName, str] = {
    "vertex": "/ws/google.cloud.aiplatform.{version}.LlmBidiService/BidiGenerateContent",
    "gemini-api": "/ws/google.ai.generativelanguage.{version}.GenerativeService"
    ".BidiGenerateContent",
}
DEFAULT_VERSION: dict[BackendName, str] = {"vertex": "v1beta1", "gemini-api": "v1beta"}
TOKEN_PATHS = frozenset(f"/{version}/auth_tokens" for version in ("v1alpha", "v1beta", "v1"))
"""Where ephemeral tokens are made, by POST."""
_VERSIONS: dict[BackendName, str] = {"vertex": "v1beta1|v1", "gemini-api": "v1beta|v1alpha|v1"}
_PATTERNS = {
    backend: re.compile(
        "/+"  # the official SDK dials two slashes
        + re.escape(path[1:]).replace(r"\{version\}", f"(?P<version>{_VERSIONS[backend]})")
        + ("(?P<constrained>Constrained)?" if backend == "gemini-api" else "(?P<constrained>$)?")
    )
    for backend, path in PATHS.items()
}


class NotServedError(Exception):
    """The handshake ends with this HTTP status."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


class Endpoint(NamedTuple):
    """An address of the service, and the credential that came with the request."""

    backend: BackendName
    version: str
    constrained: bool = False
    """The method for ephemeral tokens."""
    credential: str = ""
    """A key or a token, without its scheme; empty for none."""

    def require_credential(self) -> None:
        """Raise NotServedError (Vertex) or RefusedError (Gemini API), each the backend's way.

        What Vertex answers to a missing token is not established; 401 is a guess.
        """
        if self.credential:
            return
        if self.backend == "vertex":
            raise NotServedError(HTTPStatus.UNAUTHORIZED, "no credentials")
        raise RefusedError("API Key not found. Please pass a valid API key.")


def read_endpoint(
    target: str, headers: Mapping[str, str], served: BackendName | None = None
) -> Endpoint:
    """What a request dials. Raises NotServedError: 404 for no path of the service, 400 for one of
    the other backend than `served`."""
    path, _, query = target.partition("?")
    for backend, pattern in _PATTERNS.items():
        found = pattern.fullmatch(path)
        if found is None:
            continue
        if served not in (None, backend):
            raise NotServedError(HTTPStatus.BAD_REQUEST, f"this is the {served} backend")
        credential = _credential(parse_qs(query), headers)
        return Endpoint(backend, found["version"], bool(found["constrained"]), credential)
    raise NotServedError(HTTPStatus.NOT_FOUND, "no path of the Live API")


def address(backend: BackendName, version: str | None = None) -> str:
    """The path of a backend, and of a version of it."""
    return PATHS[backend].format(version=version or DEFAULT_VERSION[backend])


def _credential(query: Mapping[str, list[str]], headers: Mapping[str, str]) -> str:
    authorization = headers.get("Authorization", "").split(maxsplit=1)
    return (
        headers.get("x-goog-api-key", "")
        or (authorization[1].strip() if len(authorization) == 2 else "")
        or next(iter(query.get("key", []) + query.get("access_token", [])), "")
    )
