"""What the end of a connection means, by close code and reason, and what to do about it.

The reasons are the service's own words, of which 123 bytes arrive.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Remedy = Literal["resume", "retry", "once", "fresh", "stop"]

NO_CLOSE_FRAME = 1006
VAGUE = ("", "Request contains an invalid argument")


class Ending(NamedTuple):
    """How connections end that have this code and these words in their reason.

    remedy: `resume` at once with the latest handle; `retry` after a pause; `once`, and no second
    time; `fresh`, without the handle, which is dead; `stop`, since the next attempt would end the
    same way. explanation: for a person, what it means and what to do.
    """

    code: int | None
    words: str
    remedy: Remedy
    explanation: str

    @property
    def vague(self) -> bool:
        """Whether it may be the handle that the service does not like."""
        return self.remedy == "stop" and self.words in VAGUE


class Decision(NamedTuple):
    """What to do after the end of a connection.

    again: open another one, `pause` says whether to wait before. ending: what the end means.
    """

    again: bool
    pause: bool
    ending: Ending
    code: int
    reason: str

    @property
    def planned(self) -> bool:
        """Whether the connection was left on purpose."""
        return self.ending is LEFT

    def __str__(self) -> str:
        lost = self.code == NO_CLOSE_FRAME
        said = "no close frame" if lost else f"{self.code} {self.reason}".rstrip()
        return f"{self.ending.explanation} ({said})"


ENDINGS = (
    Ending(1000, "", "resume", "the connection has lived its time"),
    Ending(1001, "", "resume", "the server went away"),
    Ending(NO_CLOSE_FRAME, "", "resume", "the connection was lost"),
    Ending(1005, "", "resume", "the connection was closed without a reason"),
    Ending(1007, "Invalid session handle", "fresh", "the service does not know the handle"),
    Ending(1007, "API key not valid", "stop", "the API key is not valid: check GEMINI_API_KEY"),
    Ending(1007, "API key expired", "stop", "the API key has expired: make a new one"),
    Ending(1007, "API Key not found", "stop", "there was no API key: set GEMINI_API_KEY"),
    Ending(1007, "Unknown name", "stop",
           "the model or this version of the API does not know a setting: leave it out"),
    Ending(1007, "Invalid value at", "stop", "a setting has a value that the service refuses"),
    Ending(1007, "Invalid resource field value", "stop",
           "Vertex AI wants the model's full resource name: check model, project and location"),
    Ending(1007, "setup must be the first", "stop", "messages were out of order: this is a bug"),
    Ending(1007, "Explicit activity control", "stop",
           "manual activity needs the automatic VAD switched off: vad: {automatic: false}"),
    Ending(1007, "Sample rate changed", "stop", "all audio of a session must have one sample rate"),
    Ending(1007, "Cannot extract voices", "stop",
           "this model only speaks: use modality: audio; or leave the voice out"),
    Ending(1007, "requested combination of response modalities", "stop",
           "this model does not answer in this modality: choose another modality or model"),
    Ending(1007, "is not supported in the live api", "stop",
           "this model has no Live API: choose another model"),
    Ending(1007, "Request contains an invalid argument", "stop",
           "a setting does not fit the model, or the conversation has outgrown its context window: "
           "compression: {} keeps it within"),
    Ending(1007, "", "stop", "the service did not accept a message"),
    Ending(1008, "GoAway", "resume", "the connection has lived its time"),
    Ending(1008, "session expired", "fresh", "the handle has expired"),
    Ending(1008, "session not found", "fresh", "the service does not know the handle"),
    Ending(1008, "Requested entity was not found", "fresh", "the service does not know the handle"),
    Ending(1008, "operation was aborted", "resume", "the service gave the connection up"),
    Ending(1008, "not implemented, or supported, or enabled", "once",
           "the model does not take this request, or the service stumbled over it"),
    Ending(1008, "is not found for API version", "stop",
           "there is no such model on this backend: check its name"),
    Ending(1008, "Publisher Model", "stop",
           "there is no such model in this project and location: check model and location"),
    Ending(1008, "not found or deleted", "stop", "there is no such project: check project"),
    Ending(1008, "Permission denied", "stop", "the credentials may not use this project"),
    Ending(1008, "has not been used in project", "stop", "the API is switched off: enable it"),
    Ending(1008, "simulation:", "stop", "the scenario expects something else"),
    Ending(1008, "", "stop", "the service does not allow this"),
    Ending(1009, "", "stop", "a message was too large"),
    Ending(1011, "exceeded your current quota", "retry", "the quota is used up: look at the plan"),
    Ending(1011, "RESOURCE_EXHAUSTED", "retry",
           "too many sessions at a time: lower `limit: {sessions: ...}`, or raise the quota"),
    Ending(1011, "Deadline expired", "resume", "the connection has lived its time"),
    Ending(1011, "", "retry", "the service stumbled"),
    Ending(1012, "", "retry", "the service restarts"),
    Ending(1013, "", "retry", "the service is busy"),
    Ending(1014, "", "retry", "a gateway stumbled"),
)  # fmt: skip
"""The first that fits is meant; empty words fit every reason."""

LEFT = Ending(1000, "", "resume", "left for another connection")
"""From this side."""
TOO_SHORT = Ending(
    None, "", "stop", "no connection lasted long enough for the answer, however often it began anew"
)
_OTHER = Ending(None, "", "retry", "the service ended the connection")


def ending_of(code: int, reason: str) -> Ending:
    """What the end of a connection means."""
    for ending in ENDINGS:
        if ending.code == code and ending.words.casefold() in reason.casefold():
            return ending
    return _OTHER
