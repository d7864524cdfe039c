"""What the simulated model knows from the conversation so far."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from processors.local_live_api.history import Entry, Heard, Said
from processors.local_live_api.rules.wording import (
    CONSIDERED,
    capitalised,
    content,
    listed,
    plain,
    sentences,
    shortened,
    words,
)

MOST_QUOTED = 10
MOST_ASKED = 8
"""Parts of a text, its last ones, that may ask for something remembered."""
REACH = 4000
"""Entries of a long conversation, of its beginning and of its end each, that facts come from."""

_ORDINALS = {
    **{word: number for number, word in enumerate(["first", "second", "third", "fourth", "fifth"])},
    **dict.fromkeys(("last", "previous", "before", "earlier", "just", "recent"), -1),
    **dict.fromkeys(("beginning", "start", "initial", "initially", "originally"), 0),
}
_ABOUT_USER = re.compile(
    r"\b(?:what|which|tell me|repeat|remember|recall|quote)\b.{0,40}"
    r"(?:\b(?:question|thing|message|sentence|request|words?)\b.{0,30}\bi\b.{0,20}"
    r"\b(?:asked|ask|said|say|sent|wrote|told|tell)\b"
    r"|\b(?:did i|i)(?: have| had)?(?: just)?"
    r" (?:ask(?:ed)?|said|say|tell|told|sen[dt]|write|wrote)\b"
    r"|\bmy\b.{0,20}\b(?:question|message|sentence|request)\b)",
    re.IGNORECASE,
)
_ABOUT_MODEL = re.compile(
    r"\b(?:what|which|repeat)\b.{0,40}(?:\b(?:did you|you)(?: have| had)?(?: just)?"
    r" (?:said|say|tell|told|answer(?:ed)?|repl(?:y|ied))\b|\byour\b.{0,20}"
    r"\b(?:answer|reply|response|words?)\b)"
    r"|^(?:please )?(?:(?:can|could) you )?(?:please )?"
    r"(?:repeat (?:that|it|yourself|this)|say (?:that|it) (?:again|one more time|once more))\b"
    r"|^(?:pardon|come again|excuse me|sorry)\?",
    re.IGNORECASE,
)
_TALKED = re.compile(
    r"\bwhat (?:have|did|were) we\b.{0,20}\b(?:talk|discuss|speak|spoke|chat)"
    r"|\b(?:summari[sz]e|summary of|recap)\b.{0,30}\b(?:conversation|chat|discussion|talk|far)",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\bhow many (?:questions?|things|messages|times)\b.{0,20}\bi\b", re.IGNORECASE
)
_RECALLS = re.compile(
    r"\?|^(?:(?:please|and|so|but|can you|could you) )*"
    r"(?:what|who|which|where|when|how|do you|did i|tell me|remind me|recall|repeat|say)\b",
    re.IGNORECASE,
)
_END = r"(?=[.!?;]|,? (?:and|but|so) (?:i|my|please|what|can|the|we)\b|$)"

# What a user states, as a pattern, and how it is told back: {0}, {1} are the pattern's groups.
_STATEMENTS = [
    (re.compile(pattern + _END, re.IGNORECASE), said)
    for pattern, said in (
        (r"\bmy ([^.!?;,]{1,60}?) (is called|is named|is|are|was) ([^.!?;]{1,200}?)",
         "your {} {} {}"),
        (r"\bi have (?:got )?an? ([^.!?;,]{1,60}?) (?:called|named) ([^.!?;]{1,100}?)",
         "your {} is called {}"),
        (r"\bremember (?:that )?(the [^.!?;,]{1,60}?) (is|are) ([^.!?;]{1,200}?)", "{} {} {}"),
        (r"(?:^|[.!?;,] )(the [^.!?;,]{1,60}?) (is|are) ([^.!?;]{1,200}?)", "{} {} {}"),
        (r"\bcall me ([^.!?;,]{1,60}?)", "your name is {}"),
        (r"\bi am called ([^.!?;,]{1,60}?)", "your name is {}"),
        (r"\bi am ((?-i:[A-Z])[\w'-]{0,40}(?: (?-i:[A-Z])[\w'-]{0,40})?)(?:,.{0,200}?)?",
         "your name is {}"),
        (r"\bi am (\d{1,3})(?: years? old)?", "you are {} years old"),
        (r"\bi (live|work|study) ((?:in|at|for|as|on|near) [^.!?;]{1,100}?)", "you {} {}"),
        (r"\bi am from ([^.!?;]{1,100}?)", "you are from {}"),
        (r"\bi (?:really )?(like|love|prefer|hate|play|speak) ([^.!?;]{1,100}?)", "you {} {}"),
        (r"\bremember (?:that )?(?!the |my )([^.!?;]{1,200}?)", "you asked me to remember {}"),
    )
]  # fmt: skip
_PART = re.compile(
    r"(?:, ?(?:(?:and|but|so) )?| (?:and|but|so) )"
    r"(?=(?:what|who|which|where|when|how|(?:do|are|can|could|would) you) )",
    re.IGNORECASE,
)
_EMPTY_WORDS = {"call", "remember", "nam", "favorit", "favourit", "old", "ask", "said", "say"}
_NOT_STATED = re.compile(r"^(?:what|who|which|where|when|how|why)\b", re.IGNORECASE)


class Fact(Struct, frozen=True):
    """Something that the user stated: the stems that it is found by, and how it is told back.

    own: it is about the user, or was to be remembered.
    """

    keys: frozenset[str]
    sentence: str
    own: bool


def remembered(text: str, earlier: Sequence[Entry], *, own: bool = True) -> tuple[list[str], str]:
    """What memory answers of a text, and the rest of it, which asks for no memory.

    text: plain. earlier: what came before it. What the text itself states is known to the
    questions that follow in it. own: see `recalled`.
    """
    parts = _parts(text)
    known: list[str] = []
    others: list[str] = []
    for position, part in enumerate(parts):
        said = None
        if position >= len(parts) - MOST_ASKED:
            before = [Heard("\n".join(parts[:position]))] if position else []
            said = recalled(part, (*earlier, *before), own=own)
            if said is None and own:
                said = recollection(part, (*earlier, *before))
        if said is None:
            others.append(part)
        elif said not in known:
            known.append(said)
    return known, "\n".join(others) if known else text


def recollection(text: str, earlier: Sequence[Entry]) -> str | None:
    """The answer to a question about the conversation itself; None if it is no such question.

    text: plain. earlier: what came before it.
    """
    heard = [entry for entry in earlier if isinstance(entry, Heard)]
    said = [entry for entry in earlier if isinstance(entry, Said) and entry.text.strip()]
    if _COUNTED.search(text):
        return f"You have said {len(heard)} things to me before this." if heard else _NOTHING
    if _TALKED.search(text):
        return _summary(heard)
    if match := _ABOUT_MODEL.search(text):
        which = _ordinal(text, match)
        if not -len(said) <= which < len(said):
            return "I have not said that much yet." if said else "I have not said anything yet."
        cut = " before I was interrupted" if said[which].interrupted else ""
        return f'I said{cut}: "{shortened(said[which].text, 600)}"'
    if match := _ABOUT_USER.search(text):
        asked = [entry for entry in heard if _is_question(entry)]
        question = bool(re.search(r"\b(?:question|ask|asked)\b", text, re.IGNORECASE))
        which, chosen = _ordinal(text, match), asked if question and asked else heard
        if not -len(chosen) <= which < len(chosen):
            return _NOTHING if not chosen else "You have not asked me that much yet."
        verb = "asked" if question else "said"
        order = {0: " first", 1: " second", 2: " third"}.get(which, "")
        return f"You {verb}{order}: {_quote(chosen[which])}"
    return None


def recalled(text: str, earlier: Sequence[Entry], *, own: bool = True) -> str | None:
    """A fact that the user stated earlier and asks for now; the latest one counts.

    own: only the user's own facts; else only others, "the X is Y".
    """
    if not _RECALLS.search(text):
        return None
    told = re.search(r"\b(?:what|things?)\b.{0,20}\bto remember\b", text, re.IGNORECASE)
    said = words(text)
    if not told and not {"my", "i", "me", "the"} & set(said):
        return None
    wanted = _telling(text) - (_EMPTY_WORDS - {"old"})
    who = re.search(r"\bwho (?:am i|i am)\b", text, re.IGNORECASE)
    if who or "name" in said or "called" in said:
        wanted = wanted or frozenset({"nam"})
    if "where" in said:
        wanted |= {"where"}
    best: tuple[int, Fact] | None = None
    reached = earlier if len(earlier) <= 2 * REACH else (*earlier[:REACH], *earlier[-REACH:])
    for entry in reached:
        if isinstance(entry, Heard) and entry.text:
            for fact in _stated(entry.text[:CONSIDERED]):
                fits = "remember" in fact.keys if told else wanted and wanted <= fact.keys
                closeness = -len(fact.keys)
                if fits and fact.own is own and (best is None or told or closeness >= best[0]):
                    best = closeness, fact
    return best[1].sentence if best else None


def facts(text: str) -> list[Fact]:
    """What a plain text states about its speaker, or asks to be remembered."""
    found: list[Fact] = []
    for sentence in _parts(text):
        if sentence.endswith("?") or _NOT_STATED.match(sentence):
            continue
        kept = {"remember"} if "remember" in words(sentence) else set()
        for pattern, told in _STATEMENTS:
            for match in pattern.finditer(sentence):
                groups = [group.strip() for group in match.groups()]
                subject = groups[0] if len(groups) > 1 else told
                keys = _telling(subject) | kept | _places(groups)
                line = capitalised(told.format(*groups).rstrip(" ,")) + "."
                if not any(fact.sentence == line for fact in found):
                    own = bool(kept) or not line.startswith("The ")
                    found.append(Fact(frozenset(keys), line, own))
    return found


@lru_cache(maxsize=2 * REACH)
def _stated(text: str) -> tuple[Fact, ...]:
    """The facts of a text, which is read once however often memory is asked."""
    return tuple(facts(plain(text)))


def _parts(text: str) -> list[str]:
    """Sentences, and the questions that are appended to statements within them."""
    return [part for sentence in sentences(text) for part in _PART.split(sentence) if part]


def _telling(text: str) -> frozenset[str]:
    """The stems of what carries meaning, the verb "like" included."""
    return frozenset(content(text)) | ({"like"} & set(words(text)))


def _places(groups: Sequence[str]) -> set[str]:
    return {"where"} if groups[-1].split(" ")[0] in {"in", "at", "near", "on"} else set()


def _ordinal(text: str, match: re.Match[str]) -> int:
    near = words(text[match.start() :])
    return next((_ORDINALS[word] for word in near if word in _ORDINALS), -1)


def _is_question(entry: Heard) -> bool:
    return _asks((entry.text or "")[:CONSIDERED])


@lru_cache(maxsize=2 * REACH)
def _asks(text: str) -> bool:
    return bool(_RECALLS.search(plain(text)))


def _quote(entry: Heard) -> str:
    if entry.text is None:
        return f"something of {entry.seconds:.0f} seconds, but I do not know the words."
    return f'"{shortened(entry.text, 600)}"'


def _summary(heard: Sequence[Heard]) -> str:
    if not heard:
        return _NOTHING
    quotes = [_quote(entry).rstrip(".") for entry in heard[-MOST_QUOTED:]]
    return f"So far you said {listed(quotes)}, and I answered."


_NOTHING = "You have not asked me anything before this."
