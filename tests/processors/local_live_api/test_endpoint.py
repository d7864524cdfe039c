"""Addresses and credentials, as the documentation, the SDK and browsers write them."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.local_live_api.endpoint import (
    PATHS,
    TOKEN_PATHS,
    Endpoint,
    NotServedError,
    address,
    read_endpoint,
)
from processors.local_live_api.refusal import INVALID, RefusedError
from processors.local_live_api.switches import BackendName

VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
GEMINI = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


def refused(target: str, served: BackendName | None = None) -> HTTPStatus:
    with pytest.raises(NotServedError) as raised:
        read_endpoint(target, {}, served)
    return raised.value.status


@pytest.mark.parametrize(
    ("target", "endpoint"),
    [
        (VERTEX, Endpoint("vertex", "v1beta1")),
        (VERTEX.replace("v1beta1", "v1"), Endpoint("vertex", "v1")),
        (GEMINI, Endpoint("gemini-api", "v1beta")),
        (GEMINI.replace("v1beta", "v1"), Endpoint("gemini-api", "v1")),
        (GEMINI.replace("v1beta", "v1alpha"), Endpoint("gemini-api", "v1alpha")),
        (f"{GEMINI}Constrained", Endpoint("gemini-api", "v1beta", constrained=True)),
    ],
)
@pytest.mark.parametrize("slashes", ["", "/", "///"])
def test_addresses_of_the_service(target: str, endpoint: Endpoint, slashes: str) -> None:
    assert read_endpoint(slashes + target, {}) == endpoint
    assert read_endpoint(slashes + target, {}, endpoint.backend) == endpoint


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "",
        "*",
        "http://[",
        "/ws",
        f"{VERTEX}/",
        f"{VERTEX}Constrained",
        VERTEX.replace("v1beta1", "v1beta"),
        VERTEX.replace("Service/", "Service."),
        GEMINI.replace("v1beta", "v2"),
        GEMINI.replace("Service.", "Service/"),
        GEMINI.replace("google.ai", "googlexai"),
        GEMINI[1:],
    ],
)
def test_other_addresses_are_not_found(target: str) -> None:
    assert refused(target) == HTTPStatus.NOT_FOUND


def test_an_address_of_the_other_backend_is_a_bad_request() -> None:
    assert refused(VERTEX, "gemini-api") == HTTPStatus.BAD_REQUEST
    assert refused(GEMINI, "vertex") == HTTPStatus.BAD_REQUEST


@given(st.text(max_size=40) | st.text(max_size=20).map(lambda text: f"{GEMINI}?{text}"))
def test_any_target_is_an_endpoint_or_not_served(target: str) -> None:
    try:
        assert read_endpoint(target, {}).version == "v1beta"
    except NotServedError as error:
        assert error.status == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("backend", PATHS)
@pytest.mark.parametrize("version", [None, "v1"])
def test_addresses_lead_where_they_say(backend: BackendName, version: str | None) -> None:
    endpoint = read_endpoint(address(backend, version), {})
    assert endpoint.backend == backend
    assert version in (None, endpoint.version)


@pytest.mark.parametrize(
    ("headers", "query", "credential"),
    [
        ({"x-goog-api-key": "K"}, "", "K"),
        ({"Authorization": "Bearer ya29.T"}, "", "ya29.T"),
        ({"Authorization": "Token auth_tokens/1"}, "", "auth_tokens/1"),
        ({"Authorization": "  Bearer   T  "}, "", "T"),
        ({}, "?key=K", "K"),
        ({}, "?alt=json&access_token=auth_tokens%2F1", "auth_tokens/1"),
        ({"x-goog-api-key": "K"}, "?key=L", "K"),
        ({"Authorization": "Bearer"}, "", ""),
        ({}, "?key=", ""),
        ({}, "", ""),
    ],
)
def test_where_credentials_come_from(headers: dict[str, str], query: str, credential: str) -> None:
    assert read_endpoint(GEMINI + query, headers).credential == credential


def test_a_missing_credential_ends_the_handshake_on_vertex_only() -> None:
    with pytest.raises(NotServedError) as vertex:
        read_endpoint(VERTEX, {}).require_credential()
    assert vertex.value.status == HTTPStatus.UNAUTHORIZED
    with pytest.raises(RefusedError) as gemini:
        read_endpoint(GEMINI, {}).require_credential()
    assert gemini.value.code == INVALID
    assert gemini.value.reason == "API Key not found. Please pass a valid API key."
    for target in (VERTEX, GEMINI):
        read_endpoint(f"{target}?key=K", {}).require_credential()


def test_tokens_are_made_on_both_preview_versions() -> None:
    assert {"/v1alpha/auth_tokens", "/v1beta/auth_tokens"} <= TOKEN_PATHS
