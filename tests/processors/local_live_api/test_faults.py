"""Plans of faults: what strikes when, and what becomes of the messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ConfigError
from processors.live_api.messages import decode_server
from processors.local_live_api.fault_kinds import (
    AnyFault,
    Close,
    Cut,
    Delay,
    Duplicate,
    EmptyFrames,
    LateAudio,
    LatePongs,
    Malform,
    PhantomInterrupted,
    RefuseResumes,
    Silence,
    SlowReads,
    Truncate,
    UnknownFields,
)
from processors.local_live_api.faults import Action, FaultPlan, Faults, Send, Wait, load_faults

TEXT = b'{"serverContent": {"modelTurn": {"parts": [{"text": "a"}]}}}'
INTERRUPTED = b'{"serverContent": {"interrupted": true}}'


def audio(number: int) -> bytes:
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": f"{number:04}"}}
    return json.dumps({"serverContent": {"modelTurn": {"parts": [part]}}}).encode()


def sent(plan: FaultPlan, *messages: bytes) -> list[Action]:
    return [action for message in messages for action in plan.sending(message)]


def struck(plan: FaultPlan, count: int) -> list[int]:
    """Numbers, from 1, of the messages with which something happened."""
    return [n for n in range(1, count + 1) if plan.sending(TEXT) != [Send(TEXT)]]


# --- when ---


def test_without_faults_nothing_happens() -> None:
    plan = FaultPlan([])
    assert plan.reached(0) == plan.reached(1e6) == plan.received() == []
    assert plan.sending(TEXT) == [Send(TEXT)]
    assert plan.refuses_resume() is None
    assert plan.moments == []


def test_a_time_is_waited_for() -> None:
    plan = FaultPlan([Silence(2, at_s=3), Cut(at_s=5.5), Duplicate(at_s=4)])
    assert plan.moments == [3, 4, 5.5]
    assert plan.reached(0) == plan.received() == plan.reached(2.9) == []
    assert plan.sending(TEXT) == [Send(TEXT)]
    assert plan.reached(3) == [Silence(2, at_s=3)]
    assert plan.reached(4) == []
    assert plan.sending(TEXT) == [Send(TEXT), Send(TEXT)]
    assert plan.sending(TEXT) == [Send(TEXT)]
    assert plan.reached(5.5) == [Cut(at_s=5.5)]
    assert plan.reached(6) == []


def test_received_messages_are_counted() -> None:
    cut = Cut(after_received=3)
    plan = FaultPlan([cut, Truncate(after_received=2)])
    assert [plan.received() for _ in range(4)] == [[], [], [cut], []]
    assert plan.sending(TEXT) == [Send(TEXT[: len(TEXT) // 2])]


def test_sent_messages_are_counted_without_those_that_faults_add() -> None:
    cut = Cut(after_sent=3)
    plan = FaultPlan([Duplicate(), cut])
    twice: list[Action] = [Send(TEXT), Send(TEXT)]
    assert [plan.sending(TEXT) for _ in range(4)] == [twice, twice, [*twice, cut], twice]


def test_a_change_after_so_many_messages_is_of_the_next_one() -> None:
    assert struck(FaultPlan([Truncate(after_sent=10)]), 30) == [11]
    assert struck(FaultPlan([Truncate(after_sent=10, times=3)]), 30) == [11, 12, 13]


def test_every_so_many_messages() -> None:
    assert struck(FaultPlan([Truncate(every=4)]), 13) == [4, 8, 12]
    assert struck(FaultPlan([Truncate(every=4, times=2)]), 13) == [4, 8]


def test_without_a_when_it_is_the_opening_or_every_message() -> None:
    faults: list[AnyFault] = [SlowReads(50), LatePongs(9000), Delay(100)]
    plan = FaultPlan(faults)
    assert plan.reached(0) == faults[:2]
    assert plan.reached(1) == plan.received() == []
    assert sent(plan, TEXT, TEXT) == [Wait(0.1), Send(TEXT)] * 2


def test_chance_is_about_as_frequent_as_it_says() -> None:
    hits = len(struck(FaultPlan([Truncate(chance=0.1)], seed=1), 5000))
    assert 400 < hits < 600
    assert struck(FaultPlan([Truncate(chance=1)]), 5) == [1, 2, 3, 4, 5]


def test_connections_seeds_and_faults_have_chances_of_their_own() -> None:
    fault = Truncate(chance=0.1)
    first = struck(FaultPlan([fault], seed=1), 500)
    assert struck(FaultPlan([fault, Delay(1, after_sent=10_000)], seed=1), 500) == first
    assert struck(FaultPlan([fault], seed=2), 500) != first
    assert struck(FaultPlan([fault], seed=1, connection=2), 500) != first
    twins = FaultPlan([PhantomInterrupted(chance=0.1), EmptyFrames(chance=0.1)], seed=1)
    lengths = {len(twins.sending(TEXT)) for _ in range(500)}
    assert {2, 3} < lengths, "each strikes alone"


# --- what ---


def message(plan: FaultPlan, data: bytes) -> Any:
    [action] = plan.sending(data)
    assert isinstance(action, Send)
    return json.loads(action.data)


def test_malformed_messages() -> None:
    for into in ("not_utf8", "not_json"):
        [action] = FaultPlan([Malform(into)]).sending(TEXT)
        assert isinstance(action, Send)
        with pytest.raises(ValueError, match=r"Expecting value|can't decode"):
            json.loads(action.data)
    wrong = message(FaultPlan([Malform("wrong_types")]), TEXT)
    assert wrong == {"serverContent": 0}


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_unknown_fields_are_added_to_what_stays_the_same(end: bytes) -> None:
    data = b'{"serverContent": {"turnComplete": true}, "usageMetadata": {}}' + end
    plan = FaultPlan([UnknownFields()])
    changed = message(plan, data)
    assert set(changed) - {"serverContent", "usageMetadata"}
    assert set(changed["serverContent"]) > {"turnComplete", "turnCompleteReason"}
    assert changed["usageMetadata"]
    [action] = plan.sending(data)
    assert isinstance(action, Send)
    assert action.data.endswith(b"\n") == bool(end)
    read = decode_server(action.data).server_content
    assert read is not None
    assert read.turn_complete


def test_audio_comes_again_after_an_interruption() -> None:
    plan = FaultPlan([LateAudio(2, every=2)])
    sent(plan, audio(1), TEXT, audio(2), audio(3))
    assert plan.sending(INTERRUPTED) == [Send(INTERRUPTED)]
    assert plan.sending(INTERRUPTED) == [Send(INTERRUPTED), Send(audio(2)), Send(audio(3))]
    assert plan.sending(TEXT) == [Send(TEXT)]


def test_what_is_sent_out_of_nowhere() -> None:
    plan = FaultPlan([PhantomInterrupted(at_s=1), EmptyFrames(after_received=1)])
    [phantom] = plan.reached(1)
    assert isinstance(phantom, Send)
    content = decode_server(phantom.data).server_content
    assert content is not None
    assert content.interrupted
    assert plan.received() == [Send(b""), Send(b"{}")]


def test_changes_are_made_in_the_order_of_the_list() -> None:
    plan = FaultPlan([Delay(500), Truncate(), Duplicate(), Malform()])
    half = TEXT[: len(TEXT) // 2]
    spoilt = Send(b"not JSON: " + half)
    assert plan.sending(TEXT) == [Wait(0.5), spoilt, spoilt]


# --- a whole server ---


def test_connections_are_numbered_as_they_come() -> None:
    faults = Faults([Cut(connections=(2, 3))])
    assert [len(faults.plan().reached(0)) for _ in range(4)] == [0, 1, 1, 0]


def test_resumes_are_refused_so_many_times_on_the_whole_server() -> None:
    faults = Faults(
        [RefuseResumes(times=2), RefuseResumes(code=1008, reason="Gone.", connections=(1, 3, 4))]
    )
    answers = [faults.plan().refuses_resume() for _ in range(5)]
    internal = (1011, "Internal error encountered.")
    assert answers == [internal, internal, (1008, "Gone."), None, None]


def test_a_file_of_faults(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(
        """
        seed: 7
        faults:
          - {do: cut, after_received: 1, connections: [2]}
          - {do: truncate, chance: 0.1}
        """
    )
    cut, truncate = Cut(after_received=1, connections=(2,)), Truncate(chance=0.1)
    for faults in (load_faults(path), load_faults(str(path))):
        plan = faults.plan()
        assert plan.received() == []
        assert struck(plan, 200) == struck(FaultPlan([cut, truncate], seed=7), 200)
        assert faults.plan().received() == [cut]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", ":1:1: error[wrong-setting] expected names with values"),
        ("faults: {}", ":1:9: error[wrong-setting] faults: expected a list"),
        ("faults: [{do: cot}]", ":1:15: error[wrong-setting] faults[0].do: invalid value 'cot'"),
        ("faults:\n  - do: cut\n    at_s: soon", ":3:11: error[wrong-setting] faults[0].at_s"),
        ("faults: []\nseeds: 1", ":2:1: error[wrong-setting] object contains unknown field seeds"),
        ("faults: [\n", ":1:9: error[yaml] not valid YAML"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_faults(path)
    assert what in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .+none\.yaml: No such file"):
        load_faults(tmp_path / "none.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"faults: [{do: close, reason: \xe9t\xe9}]")
    with pytest.raises(ConfigError, match="this is not UTF-8 text; save the file as UTF-8"):
        load_faults(path)


# --- properties ---

NUMBERS = st.integers(1, 12)
WHEN = st.one_of(
    st.just({}),
    st.builds(lambda s: {"at_s": s}, st.floats(0, 10)),
    st.builds(lambda n: {"after_received": n}, NUMBERS),
    st.builds(lambda n: {"after_sent": n}, NUMBERS),
)
OFTEN = st.one_of(
    st.builds(lambda p, n: {"chance": p, "times": n}, st.floats(0.05, 1), st.none() | NUMBERS),
    st.builds(lambda e, n: {"every": e, "times": n}, NUMBERS, st.none() | NUMBERS),
)
WHERE = st.none() | st.lists(st.integers(1, 3), min_size=1, max_size=2).map(tuple)
KINDS = [
    (Cut, {}),
    (Close, {}),
    (Silence, {"for_s": 1}),
    (SlowReads, {"delay_ms": 5}),
    (EmptyFrames, {}),
    (PhantomInterrupted, {}),
    (Duplicate, {}),
    (Delay, {"delay_ms": 5}),
    (Truncate, {}),
    (Malform, {"into": "wrong_types"}),
    (UnknownFields, {}),
    (LateAudio, {"frames": 2}),
]
FAULTS = st.builds(
    lambda kind, when, where: kind[0](**kind[1], **when, connections=where),
    st.sampled_from(KINDS),
    WHEN | OFTEN,
    WHERE,
)
EVENTS = st.lists(
    st.sampled_from([TEXT, INTERRUPTED, audio(1)]) | st.just(None) | st.floats(0, 12), max_size=30
)


def answers(plan: FaultPlan, events: list[Any]) -> list[list[Action]]:
    """What it says to messages to be sent (bytes), to received ones (None), and to times."""
    said = []
    for event in events:
        if event is None:
            said.append(plan.received())
        elif isinstance(event, bytes):
            said.append(plan.sending(event))
        else:
            said.append(plan.reached(event))
    return said


@given(st.lists(FAULTS, max_size=6), st.integers(0, 9), st.integers(1, 4), EVENTS)
def test_equal_events_are_answered_equally(
    faults: list[AnyFault], seed: int, connection: int, events: list[Any]
) -> None:
    first, second = (FaultPlan(faults, seed=seed, connection=connection) for _ in range(2))
    assert answers(first, events) == answers(second, events)


@given(st.lists(FAULTS, max_size=6), st.integers(1, 4), EVENTS)
def test_what_does_not_concern_a_connection_does_not_touch_it(
    faults: list[AnyFault], connection: int, events: list[Any]
) -> None:
    elsewhere = [fault for fault in faults if not fault.concerns(connection)]
    plan = FaultPlan(elsewhere, connection=connection)
    assert plan.moments == []
    for event, said in zip(events, answers(plan, events), strict=True):
        assert said == ([Send(event)] if isinstance(event, bytes) else [])


@given(FAULTS, EVENTS)
def test_no_fault_strikes_more_often_than_it_may(fault: Any, events: list[Any]) -> None:
    said = answers(FaultPlan([fault], connection=(fault.connections or (1,))[0]), events)
    untouched = [[Send(e)] if isinstance(e, bytes) else [] for e in events]
    strikes = sum(a != b for a, b in zip(said, untouched, strict=True))
    often = fault.chance is not None or fault.every is not None
    changes_each = not isinstance(fault, tuple(k for k, _ in KINDS[:6])) and not fault.is_timed
    limit = fault.times or (len(events) if often or changes_each else 1)
    assert strikes <= limit
    if fault.every is not None:
        assert strikes <= sum(isinstance(e, bytes) for e in events) // fault.every


@given(st.lists(FAULTS, max_size=6), EVENTS)
def test_no_message_is_lost_by_being_changed(faults: list[AnyFault], events: list[Any]) -> None:
    for event, said in zip(events, answers(FaultPlan(faults), events), strict=True):
        if isinstance(event, bytes):
            assert any(isinstance(action, Send) for action in said)
