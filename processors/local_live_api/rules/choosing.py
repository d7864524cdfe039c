"""Which declared functions a request asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from processors.local_live_api.rules.abilities import Function
from processors.local_live_api.rules.schemas import parameters
from processors.local_live_api.rules.vocabulary import STARTERS, STOP_WORDS
from processors.local_live_api.rules.wording import (
    content,
    fragments,
    name_words,
    names,
    sentences,
    stem,
    without_conjunction,
    words,
)

THRESHOLD = 2.0
"""What a fit has to reach. The weights below are chosen so that one noun of a function's name is
enough and a shared verb is not."""
NOUN, VERB, FAINT, DESCRIBED, RELATED = 2.0, 1.0, 0.5, 0.8, 0.6
DESCRIPTION_WORDS = 25

_FAINT_WORDS = """
    get fetch find show give check read list current value values data info information return
    function user given specified number string name do tool handle one new create make
"""
_FAINT = frozenset(map(stem, _FAINT_WORDS.split()))
_PARTICLES = {"on": "off", "off": "on", "up": "down", "down": "up", "in": "out", "out": "in"}
_GLUE = STOP_WORDS - _PARTICLES.keys()
_IDIOMS = re.compile(
    r"\b(?:one more|last|next|every|this|first|some|a good|a long|on|in|at a) times?\b"
    r"(?! (?:is|in)\b)|\bspeed of light\b|\bof course\b",
    re.IGNORECASE,
)
_ELLIPSIS = re.compile(
    r"(?:now )?(?:(?:turn|switch|put|set) )?(?:(?:it|them|those|that|the lights?) )?(?:back )?"
    r"(?P<way>on|off|up|down|in|out)(?: (?:it|them|those|again|back|please|too|now|afterwards))*"
    r"\W*",
    re.IGNORECASE,
)
# What is meant by words that name no function, tried if nothing fits them as they are.
_MEANT = [
    (re.compile(pattern, re.IGNORECASE), meant)
    for pattern, meant in (
        (r"\b(?:make|get|have) (?:it|the room|everything|this room) (?:\w+ )?dark(?:er)?\b"
         r"|\bit is too bright(?! to)\b|\b(?:i want|let there be) (?:\w+ )?dark(?:ness)?\b"
         r"|\blights out\b|\b(?:kill|shut off|extinguish|put out) the lights?\b",
         "turn off the lights"),
        (r"\b(?:make|get|have) (?:it|the room|everything|this room) (?:\w+ )?(?:bright|light)"
         r"(?:er)?\b|\bit is too dark(?! to)\b|\blet there be light\b",
         "turn on the lights"),
    )
]  # fmt: skip
_TALES = re.compile(r"\b(story|tale|poem|essay|joke) about\b.{0,200}", re.IGNORECASE)
_RELATED = [
    frozenset(map(stem, group.split()))
    for group in (
        "weather forecast temperature rain sunny umbrella snow cold warm hot humidity wind",
        "light lamp bulb brightness lighting dark bright",
        "thermostat heating temperature heater",
        "music song jazz rock tune track album playlist",
        "email mail message",
        "price cost worth",
        "stock share ticker",
        "meeting appointment event calendar",
        "reminder remind",
        "find search look lookup",
        "buy order purchase",
        "book reserve reservation booking",
        "begin start launch",
        "end stop finish quit hang goodbye bye",
        "delete remove cancel",
        "create make add",
        "restaurant food dinner lunch eat",
        "flight plane fly",
        "turn switch set put adjust change dim",
        "phone call dial",
        "note memo",
        "time clock",
        "translate translation",
        "convert conversion exchange",
        "order package shipping delivery parcel",
        "door gate",
    )
]


class Clause(Struct, frozen=True):
    """A part of a request, and the function that it asks for, if any."""

    text: str
    function: Function | None


def clauses(text: str, functions: Sequence[Function]) -> list[Clause]:
    """A request in parts of one function each; a list of names stays with its function."""
    found: list[Clause] = []
    for fragment in fragments(text):
        last = found[-1] if found else None
        head = without_conjunction(fragment) if last else fragment
        function = best(fragment, functions)
        meant = "" if function else _opposite(head, last) or _meant(head)
        if intended := best(meant, functions):
            found.append(Clause(meant, intended))
        elif last and not (
            next(iter(words(head)), "") in STARTERS or (function and function != last.function)
        ):
            found[-1] = Clause(last.text + fragment, last.function)
        else:
            found.append(Clause(head, function))
    return found


def _opposite(text: str, last: Clause | None) -> str:
    """The clause before with "on" for "off" or the like, for a text that says no more than that."""
    match = _ELLIPSIS.fullmatch(text)
    if match is None or last is None or last.function is None:
        return ""
    way = match["way"].lower()
    other = re.compile(rf"\b{_PARTICLES[way]}\b", re.IGNORECASE)
    return other.sub(way, last.text, count=1) if other.search(last.text) else ""


def _meant(text: str) -> str:
    for pattern, meant in _MEANT:
        if pattern.search(text):
            return pattern.sub(meant, text, count=1)
    return ""


def best(text: str, functions: Sequence[Function]) -> Function | None:
    """The function that fits best; the first declared among equals; None below the threshold."""
    text = _IDIOMS.sub(" ", _TALES.sub(r"\1", text))
    said = frozenset(map(stem, words(text)))
    named = bool(names(text))
    scored = [(fit(function, said, named=named), function) for function in functions]
    score, function = max(scored, key=lambda item: item[0], default=(0.0, None))
    return function if score >= THRESHOLD else None


def fit(function: Function, said: frozenset[str], *, named: bool) -> float:
    """How well a function fits the stems of a request; `named`: it holds a proper noun."""
    name = [stem(word) for word in name_words(function.name) if word not in _GLUE]
    score, matched = 0.0, 0
    for position, word in enumerate(name):
        weight = NOUN if position or len(name) == 1 else VERB
        if word in _FAINT or word in _PARTICLES:
            weight = FAINT
        if word in said:
            score, matched = score + weight, matched + 1
        elif _related(word, said):
            score += RELATED * weight
        elif _PARTICLES.get(word) in said:
            score -= NOUN
        elif weight == VERB and not (name[1] in _PARTICLES and name[1] in said):
            score -= VERB
    if name and matched == len(name):
        score += VERB
    score += _fit_of_description(function, said - set(name))
    given = parameters(function.parameters)
    own = {stem(word) for parameter in given for word in name_words(parameter.name)}
    score += FAINT * min(2, len(own & (said - set(name))))
    if any(set(content(str(value))) & said for item in given for value in item.enum[:50]):
        score += VERB
    if score > 0 and named and any(item.type == "string" and not item.enum for item in given):
        score += VERB
    return score


def _fit_of_description(function: Function, said: frozenset[str]) -> float:
    first = next(iter(sentences(function.description[:500])), "")
    described = set(content(first)[:DESCRIPTION_WORDS]) - _FAINT
    direct = len(described & said)
    related = any(_related(word, said) for word in described - said)
    return DESCRIBED * min(3, direct) + (FAINT if related else 0.0)


def _related(word: str, said: frozenset[str]) -> bool:
    return any(word in group and group & said for group in _RELATED)
