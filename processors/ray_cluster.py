"""A Ray cluster, joined or started."""

from __future__ import annotations

import logging
import os
import re
import socket

import ray

from pipeline import ConfigError, Finding

HINT = "start it with `ray start --head`, or leave --address out for one on this machine alone"
HOST_AND_PORT = re.compile(r"(?P<host>[^:/]+):(?P<port>\d{1,5})")
PATIENCE_S = 5.0
STORE_BYTES = 100_000_000
"""For what tasks and actors say to each other; by itself Ray takes a third of the memory."""


def connect(address: str | None) -> None:
    """Be a driver of the cluster at an address; without one, of a cluster on this machine alone.

    Raises ConfigError where there is none.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        if address and (found := HOST_AND_PORT.fullmatch(address)):  # Ray itself takes 80 s
            socket.create_connection((found["host"], int(found["port"])), PATIENCE_S).close()
        ray.init(
            address=address or "local",  # not one that happens to be there
            include_dashboard=None if address else False,
            object_store_memory=None if address else STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, RuntimeError, ValueError) as error:
        what = " ".join(str(error).split())
        message = f"cannot use Ray at {address or 'this machine'}: {what}"
        raise ConfigError([Finding("ray", message, hint=HINT)]) from None
