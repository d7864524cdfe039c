"""Results of function calls, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from processors.local_live_api.history import Answered, Called
from processors.local_live_api.rules.wording import (
    capitalised,
    listed,
    name_words,
    shortened,
)

MOST_ITEMS = 20
DEEPEST = 4
LONGEST = 600

_GETTERS = {"get", "fetch", "find", "read", "retrieve", "query", "list", "lookup", "check", "tell"}
_DONE = {"", "ok", "okay", "done", "success", "successful", "true", "yes", "nothing"}
_WRAPPERS = {"output", "result"}


def in_words(value: Any, depth: int = 0) -> str:
    """A JSON value as it is spoken: "sky sunny and high 26"."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list | tuple) and not value:
        return "nothing"
    if isinstance(value, dict | list | tuple) and depth >= DEEPEST:
        return "more"
    if isinstance(value, dict):
        pairs = list(value.items())
        said = [f"{_key(key)} {in_words(item, depth + 1)}" for key, item in pairs[:MOST_ITEMS]]
        return _enumerated(said, len(pairs), depth)
    if isinstance(value, list | tuple):
        said = [in_words(item, depth + 1) for item in value[:MOST_ITEMS]]
        return _enumerated(said, len(value), depth)
    return shortened(str(value), LONGEST)


def report(answers: Sequence[tuple[Called | None, Answered]]) -> str:
    """One sentence about the answers to calls, failures included."""
    parts = [_clause(call, answer) for call, answer in answers]
    return capitalised("; ".join(parts)).rstrip(".") + "."


def topic(name: str) -> str:
    """What a function is about, as words: "the current weather", "turn on the lights"."""
    parts = name_words(name)
    if len(parts) > 1 and parts[0] in _GETTERS:
        return "the " + " ".join(part for part in parts[1:] if part != "the")
    return " ".join(parts) or name


def subject(args: dict[str, Any]) -> str:
    """Arguments as the end of a phrase: " for Rome and celsius", or nothing."""
    said = [shortened(in_words(value, DEEPEST - 1), 60) for value in list(args.values())[:4]]
    return f" for {listed(said)}" if said else ""


def _clause(call: Called | None, answer: Answered) -> str:
    what = topic(answer.name) + (subject(call.args) if call else "")
    reason = _failure(answer)
    if reason is not None:
        return f"I am sorry, {what} failed: {reason}"
    value = answer.output
    if isinstance(value, dict) and len(value) == 1 and value.keys() <= _WRAPPERS:
        value = next(iter(value.values()))
    status = value.get("status") if isinstance(value, dict) and len(value) == 1 else value
    words = in_words(value).rstrip(".")
    if not value or (isinstance(status, str | bool) and in_words(status).lower() in _DONE):
        return f"done: {what}" if value is None or value != 0 or value is False else f"{what}: 0"
    return f"{what}: {words}"


def _failure(answer: Answered) -> str | None:
    """Why a call failed; None if it did not."""
    for holder in (answer.response, answer.output):
        if isinstance(holder, dict) and holder.get("error") and "output" not in holder:
            return in_words(holder["error"]).rstrip(".")
    return None


def _key(key: Any) -> str:
    return " ".join(name_words(str(key))) or " ".join(str(key).split())


def _enumerated(said: list[str], count: int, depth: int) -> str:
    if count > MOST_ITEMS:
        said = [*said, f"{count - MOST_ITEMS} more"]
    return ", ".join(said) if depth else listed(said)
