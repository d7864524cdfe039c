"""What becomes of the run when one of its processors fails, or takes too long.

on_error: skip                                    the frame is given up, and counted
on_error: {do: restart, times: 5, within_s: 60}   the processor is made anew
frame_timeout_s: 2                                who takes longer for a frame has failed
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Action = Literal["stop", "skip", "restart", "detach"]

LONGEST_BACKOFF_S = 30.0

Positive = Annotated[float, msgspec.Meta(gt=0)]


class OnError(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done when a processor fails. The frame in hand is counted as `failed` in any case.

    do: `stop` ends the run. `skip` goes on with the next frame. `restart` closes the processor,
      makes it anew from its settings, opens it and goes on. `detach` takes it out: the other
      branches go on, what comes to it is dropped, and the run has failed in the end.
    times: the most restarts within `within_s`; with one more failure, `then` is done.
    within_s: the window in which restarts are counted, in seconds.
    backoff_s: how long it waits before it restarts, in seconds; twice as long with each restart in
      the window, at most 30.
    then: what is done when it has been restarted too often.
    """

    do: Action = "stop"
    times: Annotated[int, msgspec.Meta(ge=1)] = 5
    within_s: Positive = 60.0
    backoff_s: Annotated[float, msgspec.Meta(ge=0)] = 0.5
    then: Literal["stop", "detach"] = "stop"

    @property
    def finally_do(self) -> Action:
        """What is done when it has been restarted too often, or is not to be restarted."""
        return self.then if self.do == "restart" else self.do

    def wait(self, restarts: int) -> float:
        """How long to wait, in seconds, after so many restarts in the window."""
        return min(self.backoff_s * 2.0 ** min(restarts, 30), LONGEST_BACKOFF_S)


class Supervision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one node of a graph is supervised.

    on_error: what is done when it fails; a word stands for that and the defaults.
    frame_timeout_s: the longest that a sink or an `async` transform may take for one frame, in
      seconds; then it has failed. Waiting for those behind it does not count.
    """

    on_error: Action | OnError = "stop"
    frame_timeout_s: Positive | None = None

    @property
    def policy(self) -> OnError:
        """`on_error` in its long form."""
        return self.on_error if isinstance(self.on_error, OnError) else OnError(do=self.on_error)


UNSUPERVISED = Supervision()
