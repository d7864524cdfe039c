"""The codes of the local Live API's findings, for `pipeline explain`."""

from __future__ import annotations

EXPLANATIONS = {
    "scenario": """\
A client did otherwise than the scenario expects: it sent something else, or never came to a turn
that the scenario has.

Example:

    turns:
      - expect: {text: hello}
        then: [{say: "Hello, Ada."}]

A client that sends "Good morning." differs from the first turn, and one that sends nothing leaves
it over.

Remedy: correct the client, or the scenario, at the line that the message names.
""",
    "replay": """\
A client did otherwise than the one whose session was recorded: it sent something else, connected
more often, or stopped early.

Example:

    pipeline simulate --replay wire.jsonl

With a recording of two connections, the third is refused.

Remedy: send what was recorded, or make a new recording with `record:` of `live_api`. The message
names the line of the recording.
""",
}
