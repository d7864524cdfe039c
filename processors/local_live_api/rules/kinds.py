"""What parameters are about, a place or a date, and how these look in a text and by default."""

from __future__ import annotations

import re

from processors.local_live_api.rules.schemas import Parameter
from processors.local_live_api.rules.wording import name_words

_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:tember)?"
    "|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_DATE = re.compile(
    r"\b(\d{4}-\d\d-\d\d|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}"
    r"|the day after tomorrow|tomorrow|today|tonight|yesterday"
    rf"|(?:next |this |last )?(?:{_DAYS}|weekend|week|month)"
    rf"|(?:{_MONTHS}) \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTHS})(?: \d{{4}})?)\b",
    re.IGNORECASE,
)
TIME = re.compile(
    r"\b(\d{1,2}:\d\d(?: ?[ap]m)?|\d{1,2} ?[ap]m|noon|midnight)\b|\bat (\d{1,2})\b(?!:| ?[ap]m)",
    re.IGNORECASE,
)
PLACE = re.compile(
    r"\b(?:in|at|for|near|to|from|around|of) (?:the )?"
    r"((?:(?!(?:in|at|for|on|to|from|and then|please|today|tomorrow|tonight|now|right|this|next"
    r"|is|are|with)\b)[^\W\d_]+(?:, | and | )?){1,12})",
    re.IGNORECASE,
)
SPOT = re.compile(
    r"\b(?:in|at) (?:the|my|our) ([^\W\d_]+(?: room)?)"
    r"|\b(?:the|my|our) ([^\W\d_]+(?: room)?) (?:lights?|lamps?|heating|thermostat)\b",
    re.IGNORECASE,
)

# What a parameter is about, by words of its name.
_KINDS = {
    "email": "email mail",
    "url": "url uri link website",
    "phone": "phone telephone mobile",
    "unit": "unit units scale format",
    "language": "language lang locale",
    "currency": "currency currencies",
    "date": "date day when deadline due month weekday",
    "time": "time hour",
    "symbol": "symbol ticker",
    "place": "location locations city cities place country town destination origin region area "
    "state address where departure arrival venue from to",
    "spot": "room zone device light lamp",
    "query": "query queries q question prompt search text message content request topic subject "
    "body note input description expression task reason title keywords",
    "person": "name person recipient contact who attendee attendees user customer author guest",
    "id": "id identifier number code key reference",
}
_KIND_OF = {word: kind for kind, group in _KINDS.items() for word in group.split()}
DEFAULTS = {
    "email": "user@example.com",
    "url": "https://example.com",
    "phone": "+15550100",
    "unit": "celsius",
    "language": "en",
    "currency": "EUR",
    "date": "today",
    "time": "12:00",
    "symbol": "GOOG",
    "place": "London",
    "person": "Ada",
    "id": "1",
}
"""What is said of a kind where a request says nothing."""
PATTERNS = {
    "email": re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"),
    "url": re.compile(r"https?://\S+"),
    "phone": re.compile(r"\+?\d[\d -]{5,18}\d"),
    "symbol": re.compile(r"\b[A-Z]{2,5}\b"),
    "currency": re.compile(r"\b[A-Z]{3}\b"),
    "unit": re.compile(r"(?i)\b(?:celsius|fahrenheit|kelvin|metric|imperial)\b"),
    "date": _DATE,
    "id": re.compile(r"\b(?=[A-Za-z-]*\d)[A-Za-z0-9][A-Za-z0-9-]{1,30}\b|#?\b\d+\b"),
}
"""How the values of a kind look, whatever stands around them."""
NAMED = {"place", "person", "symbol", "currency", "language"}
"""The kinds whose values are proper nouns."""


def kind_of(item: Parameter) -> str:
    """What a parameter is about, by the last telling word of its name, else its description."""
    for text in (item.name, item.description[:60]):
        kinds = [_KIND_OF[word] for word in name_words(text) if word in _KIND_OF]
        if kinds:
            return kinds[-1] if text is item.name else kinds[0]
    return ""
