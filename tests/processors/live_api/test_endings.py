"""What the end of a connection means, for everything that was seen of the service."""

import pytest

from processors.live_api.endings import ENDINGS, Remedy, ending_of

TRACE = "Request trace id: 4a8c3b1e2f6d7a90, "
SEEN: list[tuple[int, str, Remedy]] = [
    (1000, "", "resume"),
    (1000, "The operation was cancelled.", "resume"),
    (1006, "", "resume"),
    (
        1007,
        "Invalid JSON payload received. Unknown name \"x\" at 'setup': Cannot find field.",
        "stop",
    ),
    (1007, "Invalid value at 'setup.realtime_input_config.turn_coverage' (TYPE_ENUM)", "stop"),
    (1007, "setup must be the first message and only the first", "stop"),
    (1007, "Request contains an invalid argument.", "stop"),
    (1007, "Invalid resource field value in the request.", "stop"),
    (
        1007,
        "Explicit activity control is not supported when automatic activity detection is enabled.",
        "stop",
    ),
    (1007, "Invalid value at 'realtime_input' (audio_stream_end)", "stop"),
    (1007, "Unknown name \"turnComplete\" at 'realtime_input'", "stop"),
    (
        1007,
        "Sample rate changed from previously 24000 to 16000, which is not supported.",
        "stop",
    ),
    (1007, "Cannot extract voices from a non-audio request.", "stop"),
    (
        1007,
        "The requested combination of response modalities (AUDIO) is not supported by the model",
        "stop",
    ),
    (1007, "API key not valid. Please pass a valid API key.", "stop"),
    (1007, "API key expired. Please renew the API key.", "stop"),
    (1007, "API Key not found. Please pass a valid API key.", "stop"),
    (1007, "gemini-2.0-flash is not supported in the live api.", "stop"),
    (1007, "Precondition check failed.", "stop"),
    (1007, "Invalid session handle", "fresh"),
    (1007, f"{TRACE}[ORIGINAL ERROR] generic::invalid_argument: no", "stop"),
    (
        1008,
        "models/x is not found for API version v1beta, or is not supported for "
        "bidiGenerateContent. Call Li",
        "stop",
    ),
    (1008, "Publisher Model `projects/p/locations/l/publishers/google/models/x` was no", "stop"),
    (1008, f"{TRACE}Project 'projects/p' not found or deleted.", "stop"),
    (1008, "Permission denied on resource project p.", "stop"),
    (
        1008,
        "Generative Language API has not been used in project 1 before or it is disabled. ",
        "stop",
    ),
    (
        1008,
        "Connection aborted because the client failed to close the connection after receiving a "
        "GoAway signal once the session durat",
        "resume",
    ),
    (1008, "BidiGenerateContent session expired", "fresh"),
    (1008, "BidiGenerateContent session not found", "fresh"),
    (1008, "Requested entity was not found.", "fresh"),
    (1008, "The operation was aborted.", "resume"),
    (1008, "Operation is not implemented, or supported, or enabled.", "once"),
    (1011, "Internal error encountered.", "retry"),
    (1011, "Internal error occurred.", "retry"),
    (1011, "Deadline expired before operation could complete.", "resume"),
    (1011, "The service is currently unavailable.", "retry"),
    (
        1011,
        "You exceeded your current quota, please check your plan and billing details. For more",
        "retry",
    ),
    (
        1011,
        f"{TRACE}[ORIGINAL ERROR] generic::resource_exhausted: RESOURCE_EXHAUSTED: Maximum "
        "concurrent se",
        "retry",
    ),
    (1011, f"{TRACE}[ORIGINAL ERROR] RPC::DEADLINE_EXCEEDED: ", "retry"),
    (
        1011,
        f"{TRACE}[ORIGINAL ERROR] extensible_stubs::OVERLOADED_TOO_MANY_RETRIES_PER_REQUEST: ",
        "retry",
    ),
]
"""Codes and reasons that were seen, and whether another attempt makes sense."""


@pytest.mark.parametrize(("code", "reason", "remedy"), SEEN)
def test_every_ending_that_was_seen_has_its_remedy(code: int, reason: str, remedy: Remedy) -> None:
    assert len(reason.encode()) <= 123 + len(TRACE)
    ending = ending_of(code, reason)
    assert ending.remedy == remedy
    assert ending.code == code
    assert ending_of(code, reason.upper()) == ending


@pytest.mark.parametrize("code", [1002, 1003, 1010, 1015, 3000, 4999])
def test_codes_that_were_never_seen_are_retried(code: int) -> None:
    assert ending_of(code, "whatever").remedy == "retry"


@pytest.mark.parametrize(("code", "remedy"), [(1007, "stop"), (1008, "stop"), (1011, "retry")])
def test_the_code_alone_decides_on_new_reasons(code: int, remedy: Remedy) -> None:
    assert ending_of(code, "Something new.").remedy == remedy


def test_every_row_can_be_reached() -> None:
    for ending in ENDINGS:
        assert ending.code is not None
        assert ending_of(ending.code, f"... {ending.words} ...") == ending


def test_a_person_can_act_on_what_is_said() -> None:
    for ending in ENDINGS:
        assert ending.explanation
        assert not ending.explanation.endswith(".")
    assert "GEMINI_API_KEY" in ending_of(1007, "API key not valid.").explanation
    assert "`limit:" in ending_of(1011, "RESOURCE_EXHAUSTED").explanation
