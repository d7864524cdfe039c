"""What sessions know, and what their handles stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.live_api.messages import ClientMessage
from processors.local_live_api import memory as memory_module
from processors.local_live_api.hearing import Ear
from processors.local_live_api.history import Answered, Called, Heard, Said
from processors.local_live_api.memory import (
    HANDLE_S,
    SNAPSHOTS,
    Memory,
    PendingCall,
    Session,
    Sessions,
)
from processors.local_live_api.refusal import (
    INTERNAL,
    INVALID,
    INVALID_ARGUMENT,
    POLICY,
    RefusedError,
)
from processors.local_live_api.switches import BackendName, Switches


@pytest.fixture
def memory() -> Memory:
    return Memory(Ear(None, Switches()))


def begin(sessions: Sessions, backend: BackendName = "vertex", journal: bool = False) -> Session:
    return sessions.begin(Memory(Ear(None, Switches())), "models/m", backend, journal)


def leave(session: Session, at: float = 0.0) -> None:
    session.open = False
    session.ended = at


def refusal(
    sessions: Sessions, handle: str, model: str = "models/m", now: float = 0.0
) -> RefusedError:
    with pytest.raises(RefusedError) as raised:
        sessions.resume(sessions.find(handle), handle, model, now)
    return raised.value


# --- what it knows ---


def test_what_is_remembered_is_weighed(memory: Memory) -> None:
    memory.remember(Heard("12345678"))
    memory.remember(Said("a"), spoken_s=2.0)
    assert memory.entries == [Heard("12345678"), Said("a")]
    assert [item.tokens.total for item in memory.history] == [2, 50]


def test_words_are_found_out_of_the_last_thing_heard(memory: Memory) -> None:
    memory.hear_words("nobody spoke")
    assert memory.entries == []
    for entry in (Heard("first"), Heard(None, "spoken", 1.5), Said("a")):
        memory.remember(entry)
    weights = [item.tokens for item in memory.history]
    memory.hear_words("second")
    assert memory.entries == [Heard("first"), Heard("second", "spoken", 1.5), Said("a")]
    assert [item.tokens for item in memory.history] == weights


def test_a_copy_does_not_follow(memory: Memory) -> None:
    memory.remember(Heard("a"))
    snapshot = memory.copy()
    memory.remember(Said("b"))
    memory.turns += 1
    memory.ear.speaking = True
    assert snapshot.entries == [Heard("a")]
    assert snapshot.turns == 0
    assert not snapshot.ear.speaking


BLOCKING = PendingCall("1", "f", blocking=True)
BESIDE = PendingCall("2", "f", blocking=False)
NAMELESS = PendingCall("", "g", blocking=True)


def test_calls_are_found_by_their_id_or_without_one_by_their_name(memory: Memory) -> None:
    memory.pending = (BLOCKING, BESIDE, NAMELESS)
    assert memory.answered("1", "whatever") is BLOCKING
    assert memory.answered("2", "f") is BESIDE
    assert memory.answered("", "g") is NAMELESS
    assert memory.answered("9", "g") is NAMELESS
    assert memory.answered("", "f") is BLOCKING
    assert memory.answered("3", "f") is None


def test_only_a_blocking_call_blocks(memory: Memory) -> None:
    memory.pending = (BESIDE, BLOCKING)
    assert memory.blocked
    memory.settle(BLOCKING)
    assert list(memory.pending) == [BESIDE]
    assert not memory.blocked


def test_one_of_two_like_calls_is_settled(memory: Memory) -> None:
    first, second = PendingCall("", "f", True), PendingCall("", "f", True)
    memory.pending = (first, second)
    memory.settle(second)
    assert memory.pending[0] is first
    assert len(memory.pending) == 1


def test_calls_and_answers_are_history(memory: Memory) -> None:
    memory.remember(Called("1", "f", {"a": 1}))
    memory.remember(Answered("1", "f", {"output": 2}))
    assert [type(entry) for entry in memory.entries] == [Called, Answered]


# --- handles ---


def test_a_handle_leads_to_its_session() -> None:
    sessions = Sessions(Switches())
    one, other = begin(sessions), begin(sessions)
    assert sessions.all == [one, other]
    assert one.id != other.id
    assert sessions.find(other.new_handle(snapshot=False)) is other
    assert sessions.find(one.new_handle(snapshot=True)) is one


def test_a_handle_of_nobody() -> None:
    with pytest.raises(RefusedError) as raised:
        Sessions(Switches()).find("gone")
    assert (raised.value.code, raised.value.reason) == (
        POLICY,
        "BidiGenerateContent session not found",
    )


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_snapshot_is_of_its_moment_and_another_handle_of_the_latest(snapshot: bool) -> None:
    sessions = Sessions(Switches())
    session = begin(sessions)
    session.memory.remember(Heard("before"))
    handle = session.new_handle(snapshot)
    session.memory.remember(Said("after"))
    leave(session)
    sessions.resume(session, handle, "models/m", 1.0)
    assert session.open
    assert session.connections == 2
    known = [Heard("before")] if snapshot else [Heard("before"), Said("after")]
    assert session.memory.entries == known


def test_a_snapshot_can_be_resumed_from_more_than_once() -> None:
    sessions = Sessions(Switches())
    session = begin(sessions)
    handle = session.new_handle(snapshot=True)
    for _ in range(2):
        leave(session)
        sessions.resume(session, handle, "models/m", 0.0)
        assert session.memory.entries == []
        session.memory.remember(Heard("lost"))


def test_the_journal_goes_back_with_the_memory() -> None:
    sessions = Sessions(Switches())
    session = begin(sessions, journal=True)
    assert session.journal == []
    messages = [ClientMessage() for _ in range(4)]
    session.journal += messages[:2]
    session.memory.messages = 2
    handle = session.new_handle(snapshot=True)
    session.journal += messages[2:]
    session.memory.messages = 4
    leave(session)
    sessions.resume(session, handle, "models/m", 0.0)
    assert len(session.journal) == 2
    assert begin(sessions).journal is None


def test_old_snapshots_are_forgotten() -> None:
    sessions = Sessions(Switches())
    session = begin(sessions)
    first, second, *_, last = (session.new_handle(snapshot=True) for _ in range(SNAPSHOTS + 1))
    assert sessions.find(second) is sessions.find(last) is session
    with pytest.raises(RefusedError):
        sessions.find(first)


def test_a_session_that_is_open_cannot_be_resumed() -> None:
    sessions = Sessions(Switches())
    handle = begin(sessions).new_handle(snapshot=False)
    error = refusal(sessions, handle)
    assert (error.code, error.reason) == (INTERNAL, "Internal error encountered.")


def test_the_model_cannot_change() -> None:
    sessions = Sessions(Switches())
    session = begin(sessions)
    handle = session.new_handle(snapshot=False)
    leave(session)
    error = refusal(sessions, handle, "models/n")
    assert (error.code, error.reason) == (INVALID, INVALID_ARGUMENT)
    assert not session.open


@pytest.mark.parametrize("backend", HANDLE_S)
@pytest.mark.parametrize(("handle_s", "scale"), [(None, 1.0), (60.0, 1.0), (None, 3600.0)])
def test_handles_expire(backend: BackendName, handle_s: float | None, scale: float) -> None:
    sessions = Sessions(Switches(handle_s=handle_s, time_scale=scale))
    session = begin(sessions, backend)
    handle = session.new_handle(snapshot=False)
    good_for = (handle_s or HANDLE_S[backend]) / scale
    leave(session, at=100.0)
    error = refusal(sessions, handle, now=100.1 + good_for)
    assert (error.code, error.reason) == (POLICY, "BidiGenerateContent session expired")
    sessions.resume(session, handle, "models/m", 99.9 + good_for)
    assert session.open


@given(st.lists(st.sampled_from(["say", "snapshot", "resume"]), max_size=12), st.data())
def test_resuming_brings_back_what_was_known_at_the_snapshot(
    events: list[str], data: st.DataObject
) -> None:
    sessions = Sessions(Switches())
    session = begin(sessions)
    known: list[str] = []
    snapshots: dict[str, list[str]] = {}
    for number, event in enumerate(events):
        if event == "say":
            session.memory.remember(Heard(str(number)))
            known.append(str(number))
        elif event == "snapshot":
            snapshots[session.new_handle(snapshot=True)] = list(known)
        elif snapshots:
            handle = data.draw(st.sampled_from(list(snapshots)))
            leave(session)
            sessions.resume(session, handle, "models/m", 0.0)
            known = list(snapshots[handle])
        assert [entry.text for entry in session.memory.entries if isinstance(entry, Heard)] == known


def test_old_sessions_are_forgotten_once_nobody_can_resume_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_module, "REMEMBERED", 2)
    sessions = Sessions(Switches(handle_s=10.0))
    resumable, unused, still_open, newer, newest = (begin(sessions) for _ in range(5))
    handle = resumable.new_handle(snapshot=False)
    for session in (resumable, unused, newer, newest):
        leave(session, at=5.0)
    assert sessions.forget(now=10.0) == [unused]
    assert sessions.find(handle) is resumable
    assert sessions.forget(now=15.1) == [resumable]
    assert sessions.forget(now=1e9) == []
    assert sessions.all == [still_open, newer, newest]
    assert sessions.begun == 5
