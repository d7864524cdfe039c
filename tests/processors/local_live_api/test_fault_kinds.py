"""What a file of faults may say."""

from typing import get_args

import msgspec
import pytest

from processors.local_live_api.fault_kinds import (
    AnyFault,
    Change,
    Close,
    Fault,
    LateAudio,
    LatePongs,
    Malform,
    RefuseResumes,
    Silence,
)

EVERY_KIND = get_args(AnyFault)


def read(text: str) -> object:
    return msgspec.yaml.decode(text, type=AnyFault)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{do: close, code: 1008, reason: Gone., at_s: 12}", Close(1008, "Gone.", at_s=12)),
        ("{do: silence, at_s: 3, for_s: 5}", Silence(5, at_s=3)),
        ("{do: late_pongs, delay_ms: 9000}", LatePongs(9000)),
        ("{do: malform, into: wrong_types, every: 7}", Malform("wrong_types", every=7)),
        ("{do: late_audio, connections: [1, 3]}", LateAudio(connections=(1, 3))),
        ("{do: refuse_resumes, times: 2, code: 1011}", RefuseResumes(times=2)),
    ],
)
def test_a_fault_is_written_as_a_mapping(text: str, fault: AnyFault) -> None:
    assert read(text) == fault


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{do: explode}", "Invalid value 'explode' - at `$.do`"),
        ("{at_s: 1}", "missing required field `do`"),
        ("{do: cut, at_s: 1, every: 2}", "at most one of at_s, after_received, after_sent, chance"),
        ("{do: cut, at_s: -1}", ">= 0.0 - at `$.at_s`"),
        ("{do: cut, after_sent: 0}", ">= 1 - at `$.after_sent`"),
        ("{do: duplicate, chance: 2}", "<= 1.0 - at `$.chance`"),
        ("{do: duplicate, chance: 0}", "> 0.0 - at `$.chance`"),
        ("{do: cut, after: 3}", "unknown field `after`"),
        ("{do: cut, code: 1011}", "unknown field `code`"),
        ("{do: cut, connections: [0]}", ">= 1 - at `$.connections[0]`"),
        ("{do: cut, at_s: 1, times: 2}", "needs chance or every"),
        ("{do: silence}", "missing required field `for_s`"),
        ("{do: close, code: 1006}", "no close frame can have the code 1006; `cut` resets TCP"),
        ("{do: close, code: 2000}", "no close frame can have the code 2000"),
        ("{do: close, code: 200}", ">= 1000 - at `$.code`"),
        (f"{{do: close, reason: {'é' * 62}}}", "a reason has at most 123 bytes"),
        (f"{{do: refuse_resumes, reason: {'x' * 124}}}", "a reason has at most 123 bytes"),
        ("{do: refuse_resumes, chance: 0.5}", "unknown field `chance`"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, what: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        read(text)
    assert what in str(raised.value)


def test_every_kind_is_either_immediate_or_changes_messages_and_says_what_it_does() -> None:
    assert all(kind.__doc__ for kind in EVERY_KIND)
    assert {kind for kind in EVERY_KIND if not issubclass(kind, Fault)} == {RefuseResumes}
    changes = [kind.__name__ for kind in EVERY_KIND if issubclass(kind, Change)]
    assert changes == ["Duplicate", "Delay", "Truncate", "Malform", "UnknownFields", "LateAudio"]
