"""What becomes of the SDK's complaints; needs no SDK."""

import logging
from collections.abc import Iterator

import pytest

from processors.observability.complaints import (
    AGAIN_S,
    LONGEST,
    SOURCE,
    TARGET,
    Complaints,
    pass_on_complaints,
)


@pytest.fixture
def sdk() -> Iterator[logging.Logger]:
    """The SDK's logger as it is in a new process."""
    logger = logging.getLogger(SOURCE)
    before, propagate = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [], True
    yield logger
    logger.handlers, logger.propagate = before, propagate


def test_each_kind_is_said_once_in_a_while(
    sdk: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    sdk.addHandler(Complaints(lambda: now[0]))
    sdk.propagate = False
    for attempt in range(5):
        logging.getLogger(f"{SOURCE}.spans").warning("no way\nto %s", f"host, attempt {attempt}")
        logging.getLogger(f"{SOURCE}.metrics").warning("no way\nto %s", "host")
        logging.getLogger(f"{SOURCE}.metrics").info("never mind")
    now[0] = AGAIN_S
    logging.getLogger(f"{SOURCE}.spans").error("no way\nto %s", "x" * 1000)
    lines = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    assert lines[:2] == [
        (TARGET, "WARNING", "OpenTelemetry: no way to host, attempt 0"),
        (TARGET, "WARNING", "OpenTelemetry: no way to host"),
    ]
    [(_, level, last)] = lines[2:]
    assert level == "ERROR"
    assert len(last) == len("OpenTelemetry: ") + LONGEST + len("...")


def test_an_exception_is_a_line_without_a_traceback(
    sdk: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    pass_on_complaints()
    try:
        raise OSError("no room")
    except OSError:
        sdk.exception("cannot export")
    [record] = caplog.records
    assert record.getMessage() == "OpenTelemetry: cannot export OSError('no room')"
    assert record.exc_info is None


def test_who_has_said_what_becomes_of_them_is_obeyed(sdk: logging.Logger) -> None:
    own = logging.NullHandler()
    sdk.addHandler(own)
    pass_on_complaints()
    assert sdk.handlers == [own]
    assert sdk.propagate
