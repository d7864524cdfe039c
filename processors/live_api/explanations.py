"""How the Live API ends a connection, close code by close code, for `pipeline explain`."""

from __future__ import annotations

from processors.live_api.endings import ENDINGS, NO_CLOSE_FRAME, Ending, Remedy

MEANINGS = {
    1000: "A normal end: whoever closed the connection had no complaint.",
    1001: "The other side goes away: a server that is shut down, or a program that ends.",
    1005: "A close frame without a code: whoever closed the connection did not say why.",
    NO_CLOSE_FRAME: "The connection broke off without a close frame: the network, a proxy, or a\n"
    "message over the size limit of one side.",
    1007: "The service could not use what it was sent: a setting, a value or a message. For the\n"
    "Gemini API that includes its key.",
    1008: "The service does not allow it: the model, the project or the session does not exist or\n"
    "is not open to these credentials, or the connection was kept beyond its end.",
    1009: "A message was larger than the other side takes.",
    1011: "Something went wrong at the service: a fault, a quota, or its own time limit.",
    1012: "The service is being restarted.",
    1013: "The service has too much to do; later it may have less.",
    1014: "A gateway before the service got no good answer from it.",
}
"""What a close code says by itself (RFC 6455, section 7.4.1, and the registry it founds)."""

REMEDIES: dict[Remedy, str] = {
    "resume": "connects again at once",
    "retry": "connects again, after a pause that grows",
    "once": "connects again after a pause, and ends the run if it happens a second time",
    "fresh": "forgets the handle and begins a new session",
    "stop": "ends the run, since another attempt would end the same way",
}


def explain(code: int) -> str:
    """All that is known of a close code: its meaning, its reasons, and what becomes of each."""
    endings = [ending for ending in ENDINGS if ending.code == code]
    example = endings[0]
    number = "no close frame" if code == NO_CLOSE_FRAME else f"{code} {example.words}".rstrip()
    return (
        f"{MEANINGS[code]}\n\nExample:\n\n    {example.explanation} ({number})\n\n"
        f"Remedy, by the words in the reason:\n\n{''.join(map(_row, endings))}"
    )


def _row(ending: Ending) -> str:
    words = f'"{ending.words}"' if ending.words else "any other reason"
    return f"  {words}\n    {ending.explanation}\n    live_api {REMEDIES[ending.remedy]}\n"


EXPLANATIONS = {str(code): explain(code) for code in sorted(MEANINGS)}
