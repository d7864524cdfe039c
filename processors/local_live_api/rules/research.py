"""Web searches that the simulated model makes up."""

from __future__ import annotations

import re

from processors.local_live_api.rules.vocabulary import STOP_WORDS
from processors.local_live_api.rules.wording import (
    capitalised,
    listed,
    one_of,
    shortened,
    words,
)
from processors.local_live_api.steps import Ground, Source

_ASKS = re.compile(r"\b(?:search|google|look up|look it up|find out|browse)\b", re.IGNORECASE)
_ABOUT_WORLD = re.compile(
    r"^(?:(?:hey|hi|hello|so|and|please|can you|could you|tell me|do you know)[,!]? )*"
    r"(?:who|what|when|where|why|which|how (?:many|much|old|far|tall|long|big|does|do|did|is))\b"
    r"|\b(?:latest|news|price of|stock|weather|forecast|score|won|election|capital of|population"
    r"|tell me about|headlines)\b",
    re.IGNORECASE,
)
_BETWEEN_US = {"you", "your", "yourself", "we", "my", "i", "am", "mine"}
_ASKING = re.compile(
    r"^(?:(?:and|then|please|can you|could you|would you|i want you to|use|with|do|a|now"
    r"|hello|hey|hi)\b[ ,]*)*"
    r"(?:(?:google )?(?:web )?search(?: engine)?(?: the web| the internet| google| online)?"
    r"(?: for| to)?\b|google\b|look up\b|find out\b|tell me(?: about)?\b)[ ,]*"
    r"(?:(?:look up|find|tell me)(?: out)?(?: about| for)?\b ?)?",
    re.IGNORECASE,
)
_SITES = ("example.com", "example.org", "example.net")
_FORMS = ("{}: an overview", "All about {}", "{} explained", "{} in numbers")


def is_for_the_web(text: str) -> bool:
    """Whether a sentence asks about the world, or for a search; talk between the two is neither."""
    if _ASKS.search(text):
        return True
    return bool(_ABOUT_WORLD.search(text)) and not _BETWEEN_US & set(_about(text))


def search(text: str) -> tuple[Ground, str]:
    """A search for what a sentence asks, and an answer that names its sources."""
    query = shortened(_ASKING.sub("", text, count=1).strip(" ?.!,"), 120) or "the simulation"
    tokens = re.findall(r"[^\W_]+", query)
    telling = [word for word in tokens if word.lower() not in STOP_WORDS] or tokens
    subject = capitalised(" ".join(telling[:6])) or "The simulation"
    first = one_of(_FORMS, query)
    titles = [first, one_of([form for form in _FORMS if form != first], subject)]
    slug = "-".join(word.lower() for word in telling[:6] if word.isascii()) or "page"
    start = _SITES.index(one_of(_SITES, query))
    sites = [_SITES[(start + offset) % len(_SITES)] for offset in range(len(titles))]
    sources = [
        Source(f"https://www.{site}/{slug}", form.format(subject))
        for site, form in zip(sites, titles, strict=True)
    ]
    named = [f"{source.title} on {site}" for source, site in zip(sources, sites, strict=True)]
    said = f'I searched for "{query}" and found {listed(named)}. The pages are simulated.'
    return Ground([query], sources), said


def _about(text: str) -> list[str]:
    return words(re.sub(r"\b(?:can|could|do|would) you\b", "", text, flags=re.IGNORECASE))
