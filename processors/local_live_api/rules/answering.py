"""A turn of the simulated model, from the conversation so far and what it may do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby, takewhile
from typing import Any

from msgspec import Struct

from processors.local_live_api.history import Answered, Called, Entry, Heard
from processors.local_live_api.rules import memory, research, results, smalltalk
from processors.local_live_api.rules.abilities import Abilities, Function
from processors.local_live_api.rules.arguments import arguments
from processors.local_live_api.rules.choosing import clauses
from processors.local_live_api.rules.manner import Manner, manner, shaped
from processors.local_live_api.rules.programs import Run, runs
from processors.local_live_api.rules.wording import (
    capitalised,
    listed,
    names,
    plain,
    sentences,
    words,
)
from processors.local_live_api.steps import Call, Ground, Step

MOST_CALLS = 16
LONGEST_FOLLOW_UP = 10
"""Words."""

_FOLLOW_UP = re.compile(
    r"^(?:(?:sorry|stop|ok|okay|and|so|but|no|thanks)\b[,.!]? *)*"
    r"(?:(?:what|how) about|and (?:in|for|at|to|what about)|same for|in|for)\b",
    re.IGNORECASE,
)


class _Work(Struct):
    """What a request needs besides talk; known: what memory answers, and rest: what it does not."""

    known: list[str]
    rest: str
    calls: list[tuple[Function, Call]]
    programs: list[Run]
    searches: list[tuple[Ground, str]]


def answer(history: Sequence[Entry], abilities: Abilities) -> list[Step]:
    """What the model does now: at the end of the user's turn, or when its calls are answered.

    The last entry of the history is a Heard or an Answered. A blocking call is the last step of
    its turn; what else the request needs comes with the results. The same input always gives the
    same steps.
    """
    results_due = list(takewhile(lambda e: isinstance(e, Answered), reversed(history)))[::-1]
    answered = [entry for entry in results_due if isinstance(entry, Answered)]
    position = _request(history, answered)
    if position is None:
        return [Step(say=shaped("I am listening.", manner(abilities.instruction, None)))]
    heard = history[position]
    assert isinstance(heard, Heard)
    earlier = history[:position]
    text = plain(heard.text or "")
    how = manner(abilities.instruction, abilities.language, text)
    if how.only is not None:
        return [Step(say=how.only)]
    if answered:
        return _thought(abilities, _REPORTING) + _reported(
            answered, history[position:], text, earlier, abilities, how
        )
    work = _work(text, earlier, abilities)
    if work.calls:
        return _thought(abilities, _intention(work)) + _called(work, how)
    if work.programs or work.searches:
        return _thought(abilities, _intention(work)) + _worked(work, how)
    known, rest = memory.remembered(work.rest, earlier, own=False)
    if known := work.known + known:
        # What is asked last is answered, whatever else is.
        if not how.length and smalltalk.asks(rest) and text.endswith(rest.rpartition("\n")[2]):
            known.append(smalltalk.reply(rest, how.name))
        return _thought(abilities, _REMEMBERING) + _said(" ".join(known), how, whole=True)
    return _thought(abilities, _TALKING) + _talked(heard, text, how)


_REPORTING = "The results have come. I put them in plain words."
_REMEMBERING = "I look back at what was said before, and answer from that."
_TALKING = "Nothing has to be looked up for this. I answer it in a few plain words."


def _request(history: Sequence[Entry], answered: Sequence[Answered]) -> int | None:
    """Where the user's words stand that are to be answered, or that led to the answered calls."""
    end = len(history)
    for entry in answered:
        # The latest call, for a service that gives calls no ids.
        called = (i for i in range(end - 1, -1, -1) if _is_answer(history[i], entry))
        end = next(called, end)
    return next((i for i in range(end - 1, -1, -1) if isinstance(history[i], Heard)), None)


def _is_answer(entry: Entry, answered: Answered) -> bool:
    """Whether an entry is the call that was answered."""
    return isinstance(entry, Called) and (entry.id, entry.name) == (answered.id, answered.name)


def _work(text: str, earlier: Sequence[Entry], abilities: Abilities) -> _Work:
    known, asked = memory.remembered(text, earlier)
    parts = clauses(asked, abilities.functions)
    calls = [
        (part.function, Call(part.function.name, args))
        for part in parts
        if part.function
        for args in arguments(part.function, part.text)
    ] or _followed_up(asked, earlier, abilities.functions)
    # "On, then off, then on again" is three calls, but nothing is called twice in a row.
    calls = [next(same) for _, same in groupby(calls, lambda item: (item[0].name, item[1].args))]
    rest = " ".join(_ended(part.text) for part in parts if not part.function) if calls else asked
    programs, others = runs(rest) if abilities.code else ([], sentences(rest))
    if calls and _FOLLOW_UP.search(asked):
        others = []
    searches = [
        research.search(sentence)
        for sentence in others
        if abilities.search and research.is_for_the_web(sentence)
    ]
    return _Work(known, asked, calls[:MOST_CALLS], programs, searches[:3])


def _ended(text: str) -> str:
    return text if text.rstrip().endswith((".", "!", "?")) else f"{text}."


def _followed_up(
    text: str, earlier: Sequence[Entry], functions: Sequence[Function]
) -> list[tuple[Function, Call]]:
    """For "And in Porto?": the function of the last call, with what the new words offer."""
    last = next((entry for entry in reversed(earlier) if isinstance(entry, Called)), None)
    if (
        last is None
        or not _FOLLOW_UP.search(text)
        or not names(text)
        or len(words(text)) > LONGEST_FOLLOW_UP
    ):
        return []
    function = next((item for item in functions if item.name == last.name), None)
    if function is None:
        return []
    given = arguments(function, text, known=last.args)
    return [(function, Call(last.name, last.args | args)) for args in given]


def _called(work: _Work, how: Manner) -> list[Step]:
    waiting = [call for function, call in work.calls if function.blocking]
    free = [call for function, call in work.calls if not function.blocking]
    steps = [Step(call=calls) for calls in (free, waiting) if calls]
    if waiting:
        return steps
    topics = listed(list(dict.fromkeys(results.topic(call.name) for call in free)))
    looking = f"I am looking that up: {topics}. I will tell you when I know."
    return [*steps, *_said(looking, how), *_worked(work, how)]


def _reported(
    answered: Sequence[Answered],
    since: Sequence[Entry],
    text: str,
    earlier: Sequence[Entry],
    abilities: Abilities,
    how: Manner,
) -> list[Step]:
    """The results, and then what the request needed besides the calls if it had to wait."""
    calls = [entry for entry in since if isinstance(entry, Called)]
    pairs: list[tuple[Called | None, Answered]] = []
    for item in answered:
        call = next((call for call in calls if _is_answer(call, item)), None)
        calls = [other for other in calls if other is not call]
        pairs.append((call, item))
    steps = _said(results.report(pairs), how)
    names_waited_for = {function.name for function in abilities.functions if function.blocking}
    if any(item.name in names_waited_for for item in answered):
        steps += _worked(_work(text, earlier, abilities), how)
    return steps


def _worked(work: _Work, how: Manner) -> list[Step]:
    steps = _said(" ".join(work.known), how, whole=True) if work.known else []
    for run in work.programs:
        steps.append(Step(say=f"I will run some code for {run.about}."))
        steps.append(Step(code=run.code))
        steps += _said(f"{capitalised(run.about)}: {run.result}.", how)
    for ground, said in work.searches:
        steps.append(Step(ground=ground))
        steps += _said(said, how)
    return steps


def _talked(heard: Heard, text: str, how: Manner) -> list[Step]:
    if heard.text is None or (heard.images and not text):
        return _said(smalltalk.sensed(heard), how)
    said = smalltalk.reply(text, how.name, word=how.length == "word")
    if heard.images:
        said = f"{said} {smalltalk.sensed(heard)}"
    return [Step(say=shaped(said, how, greeting=smalltalk.is_greeting(text)))]


def _said(text: str, how: Manner, *, whole: bool = False) -> list[Step]:
    return [Step(say=shaped(text, how, whole=whole))]


def _thought(abilities: Abilities, text: str) -> list[Step]:
    return [Step(think=text)] if abilities.thoughts else []


def _intention(work: _Work) -> str:
    called = listed(list(dict.fromkeys(call.name for _, call in work.calls)))
    plans: list[Any] = [
        "look back at what was said" if work.known else "",
        f"call {called}" if called else "",
        "run some code" if work.programs else "",
        "search the web" if work.searches else "",
    ]
    return f"The user needs more than words. I will {listed([plan for plan in plans if plan])}."
