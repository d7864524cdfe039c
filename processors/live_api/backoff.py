"""How long to wait between attempts."""

from __future__ import annotations

from random import Random

from processors.live_api.settings import Reconnect


def pause(failures: int, settings: Reconnect, random: Random) -> float:
    """Seconds before the next attempt after so many failures in a row: exponential, with jitter.

    Between half of and the whole of `first_s * 2**(failures - 1)`, at most `longest_s`.
    """
    longest = min(settings.longest_s, settings.first_s * 2.0 ** min(max(failures, 1) - 1, 32))
    return longest * random.uniform(0.5, 1.0)
