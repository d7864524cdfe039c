"""What the simulated model does in a turn: the words in which scenarios and rules both speak."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from processors.local_live_api.refusal import INTERNAL, INTERNAL_ERROR, check_close

Milliseconds = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]

CUT = 1006


class Call(Struct, frozen=True, forbid_unknown_fields=True):
    """A function call. The turn goes on when it was answered, unless it is declared non-blocking.

    answer: what the client's answer has to contain; None for anything.
    cancelled: it is to be withdrawn by an interruption instead.
    """

    name: str
    args: dict[str, Any] = {}
    answer: dict[str, Any] | None = None
    cancelled: bool = False


class Code(Struct, frozen=True, forbid_unknown_fields=True):
    """Code that the model runs, and what it prints."""

    code: str
    output: str = ""
    outcome: Literal["OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"] = "OUTCOME_OK"


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """A page that an answer rests on."""

    uri: str
    title: str = ""


class Ground(Struct, frozen=True, forbid_unknown_fields=True):
    """A web search, and what was found."""

    queries: list[str]
    sources: list[Source] = []


class Close(Struct, frozen=True, forbid_unknown_fields=True):
    """The end of the connection; code 1006 cuts it without a close frame."""

    code: Annotated[int, Meta(ge=1000, le=4999)] = INTERNAL
    reason: str = INTERNAL_ERROR

    def __post_init__(self) -> None:
        if self.code != CUT:
            check_close(self.code, self.reason)


class Step(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing that happens; exactly one field is set.

    transcript: what the user is taken to have said.
    say: the answer, in which `{name}` stands for the output of the function of that name, and
      `{name[key]}` for a part of it.
    think: a thought, shown to clients that ask for thoughts.
    call: one function call, or several at once.
    code: code that is run. ground: a search that the answer rests on.
    interrupt: milliseconds of the `say` before it after which it is cut short, unprovoked.
    wait_ms: a pause.
    go_away: the connection ends in so many seconds, and the client is told.
    close: the connection ends now.
    """

    transcript: str | None = None
    say: str | None = None
    think: str | None = None
    call: Call | Annotated[list[Call], Meta(min_length=1)] | None = None
    code: Code | None = None
    ground: Ground | None = None
    interrupt: Milliseconds | None = None
    wait_ms: Milliseconds | None = None
    go_away: Seconds | None = None
    close: Close | None = None

    def __post_init__(self) -> None:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a step has one of {', '.join(self.__struct_fields__)}")

    @property
    def kind(self) -> str:
        return next(name for name in self.__struct_fields__ if getattr(self, name) is not None)

    @property
    def calls(self) -> list[Call]:
        """The calls of a `call` step."""
        return self.call if isinstance(self.call, list) else [self.call] if self.call else []
