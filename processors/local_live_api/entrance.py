"""The way into a session: the setup message, credentials, limits, and handles of earlier ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
from msgspec import UNSET

from processors.live_api.messages import Setup
from processors.local_live_api.admission import check_setup, text_of
from processors.local_live_api.endpoint import Endpoint
from processors.local_live_api.faults import FaultPlan
from processors.local_live_api.faulty_socket import FaultySocket
from processors.local_live_api.hearing import Ear
from processors.local_live_api.memory import Memory, Session
from processors.local_live_api.refusal import SETUP_FIRST, RefusedError
from processors.local_live_api.service import Service
from processors.local_live_api.wire import decode_client

REFUSE_REOPENING_S = 0.5
"""So long the service takes to refuse a resume while the old connection is open."""
SALT = 1_000_000


@asynccontextmanager
async def enter(
    socket: FaultySocket, service: Service, endpoint: Endpoint, plan: FaultPlan
) -> AsyncIterator[tuple[Setup, Session]]:
    """Read the setup, and hold its session open. Raises RefusedError."""
    setup = await _receive_setup(socket, service, endpoint)
    if service.switches.credentials:
        endpoint.require_credential()
    check_setup(setup, endpoint, service.switches)
    handle = setup.session_resumption.handle if setup.session_resumption else None
    earlier = await _find(handle, plan, service) if handle else None
    project = _project(setup.model) or endpoint.credential
    service.enter(endpoint, project)
    try:
        if earlier is not None and handle:
            session = _resume(earlier, handle, setup, service)
        else:
            session = _begin(setup, service, endpoint)
        try:
            yield setup, session
        finally:
            session.open = False
            session.closed.set()
            session.ended = anyio.current_time()
    finally:
        service.leave(project)


async def _receive_setup(socket: FaultySocket, service: Service, endpoint: Endpoint) -> Setup:
    data = await socket.recv()
    if endpoint.constrained:
        data = _unlocked(data, service, endpoint)
    setup = decode_client(data).setup
    if setup is UNSET:
        raise RefusedError(SETUP_FIRST)
    return setup


def _unlocked(data: str | bytes, service: Service, endpoint: Endpoint) -> str | bytes:
    """The setup with what the client's ephemeral token locks; what is none stays as it is."""
    try:
        message = msgspec.json.decode(data, type=dict[str, dict[str, Any]])
    except msgspec.DecodeError:
        return data
    if list(message) != ["setup"]:
        return data
    setup = message["setup"]
    resumption = setup.get("sessionResumption", setup.get("session_resumption"))
    resuming = isinstance(resumption, dict) and bool(resumption.get("handle"))
    setup = service.tokens.redeem(endpoint.credential, setup, resuming=resuming)
    return msgspec.json.encode({"setup": setup})


def _begin(setup: Setup, service: Service, endpoint: Endpoint) -> Session:
    ear = Ear(setup.realtime_input_config, service.switches)
    if service.recogniser is not None:
        ear.keep_speech()
    service.forget(anyio.current_time())
    number = service.sessions.begun + 1
    memory = Memory(ear, instruction=text_of(setup.system_instruction), salt=number * SALT)
    if service.script is not None:
        service.found(service.script.check_setup(setup))
    return service.sessions.begin(memory, setup.model, endpoint.backend, service.journal)


async def _find(handle: str, plan: FaultPlan, service: Service) -> Session:
    """The session of a handle, when its connection has been closed or given the time for it."""
    refusal = plan.refuses_resume()
    if refusal is not None:
        code, reason = refusal
        raise RefusedError(reason, code)
    session = service.sessions.find(handle)
    if session.open:
        if service.switches.reopen == "replace":
            session.replaced.set()
            await session.closed.wait()
        else:
            await anyio.sleep(REFUSE_REOPENING_S)
    return session


def _resume(session: Session, handle: str, setup: Setup, service: Service) -> Session:
    service.sessions.resume(session, handle, setup.model, anyio.current_time())
    session.memory.ear.configure(setup.realtime_input_config, service.switches)
    session.memory.instruction = text_of(setup.system_instruction)
    return session


def _project(model: str) -> str:
    """Whose sessions are counted together: on Vertex the project is in the model's name."""
    parts = model.split("/")
    return parts[1] if parts[0] == "projects" and len(parts) > 1 else ""
