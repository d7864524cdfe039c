"""The codes of findings that `pipeline serve` adds, for `pipeline explain`."""

from __future__ import annotations

EXPLANATIONS = {
    "binding": """\
A served graph has no place for the client: no node of it stands for a device of the user's, or two
nodes stand for the same one, or `--bind` names a node or a device that does not exist.

Example:

    pipeline serve --bind question=microphon talk.yaml

Remedy: use `microphone`, `speaker`, `camera` or a `text_source` with `path: "-"`, for which the
client's own are put; or say which node stands for which: --bind question=microphone.
""",
    "token": """\
A server that other machines can reach has to ask its clients for a token, and has none; or, as a
warning, one that is so short that it can be guessed.

Example:

    pipeline serve --host 0.0.0.0 talk.yaml

Remedy: set PIPELINE_SERVE_TOKEN or give --token, and give it to those who may connect; or leave
--host out, and only this machine can.
""",
}
