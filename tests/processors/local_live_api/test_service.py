"""What connections share: how many there may be, and what was found."""

import logging

import pytest

from pipeline import Finding
from processors.local_live_api import memory
from processors.local_live_api.endpoint import Endpoint
from processors.local_live_api.hearing import Ear
from processors.local_live_api.memory import Memory
from processors.local_live_api.refusal import RefusedError
from processors.local_live_api.scenario import Scenario, Script, Turn
from processors.local_live_api.service import Service
from processors.local_live_api.steps import Step
from processors.local_live_api.switches import Switches

VERTEX = Endpoint("vertex", "v1")


def test_sessions_are_counted_by_project() -> None:
    service = Service(Switches(sessions=2))
    for project in ("a", "a", "b"):
        service.enter(VERTEX, project)
    with pytest.raises(RefusedError, match="RESOURCE_EXHAUSTED"):
        service.enter(VERTEX, "a")
    service.leave("a")
    service.enter(VERTEX, "a")


def test_findings_are_kept_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    service = Service(Switches())
    finding = Finding("scenario", "turn 1: expected text, got speech")
    with caplog.at_level(logging.ERROR):
        service.found([finding])
    assert service.findings == [finding]
    assert "expected text, got speech" in caplog.text


def test_without_a_scenario_nothing_is_left_over() -> None:
    service = Service(Switches())
    begin(service)
    assert service.left_over() == []


def test_every_session_has_its_own_left_overs() -> None:
    turns = [Turn([Step(say="One."), Step(say="Two.")], "text")]
    service = Service(Switches(), Script(Scenario(turns)))
    begin(service)
    half = begin(service)
    half.turns, half.unfinished, half.todo = 1, True, (turns[0].then[1],)
    done = begin(service)
    done.turns = 1
    never, left = map(str, service.left_over())
    assert "never came: text" in never
    assert "left over: say" in left


def test_what_forgotten_sessions_leave_over_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "REMEMBERED", 1)
    turns = [Turn([Step(say="One.")], "text")]
    service = Service(Switches(), Script(Scenario(turns)))
    for _ in range(3):
        begin(service)
        service.sessions.all[-1].open = False
    service.forget(now=0.0)
    assert len(service.sessions.all) == 1
    assert len(service.left_over()) == 3


def begin(service: Service) -> Memory:
    memory = Memory(Ear(None, service.switches))
    service.sessions.begin(memory, "m", "vertex", journal=False)
    return memory
