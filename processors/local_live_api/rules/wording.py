"""Words as the rules see them: stems, numbers, names, sentences and clauses."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

from msgspec import Struct

from processors.local_live_api.rules.vocabulary import (
    ALIKE,
    CONNECTORS,
    NOT_NAMES,
    ONES,
    STARTERS,
    STOP_WORDS,
    TENS,
)

CONSIDERED = 2000
"""Characters of a text that the rules look at, so that no text takes long."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_SPACE = re.compile(r"[^\S\n]+")
_IS = re.compile(r"\b(what|who|where|when|how|that|it|there|here)'s\b", re.IGNORECASE)
_CONTRACTIONS = (
    (_IS, r"\1 is"),
    (re.compile(r"\b(i)'m\b", re.IGNORECASE), r"\1 am"),
    (re.compile(r"\b(you|we|they|what)'re\b", re.IGNORECASE), r"\1 are"),
    (re.compile(r"\b(i|you|we|they)'ve\b", re.IGNORECASE), r"\1 have"),
)
_QUOTES = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"', "\r": "\n"}
)
_SENTENCE = re.compile(
    r"(?<=[.!?])(?<!\bvs\.)(?<!\b[MD]r\.)(?<!\bMrs\.)(?<!\bSt\.)(?<!\bDec\.)\s+"
    r"|(?<=[.!?][\"'])\s+|(?<=[\u3002\uff01\uff1f])|\n+"
)
_BREAK = re.compile(
    r"(?:[.!?;]+(?=\s)|\n|,)\s*(?:\d+[.)]\s+)?(?:(?:and|then|also|or|next)\b\s*)*"
    r"|\s(?:(?:and|then|also)\s+)+",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"(?<![\w.])-?\d{1,12}(?:,\d{3}){0,3}(?:\.\d{1,9})?(?!\w)")
_ORDINAL = re.compile(r"\b(\d{1,6})(?:st|nd|rd|th)\b", re.IGNORECASE)
_UNSTEMMED = {"news", "always", "less", "this", "his", "plus", "minus", "celsius"}


class Number(Struct, frozen=True):
    """A number in a text, and where it stands."""

    value: int | float
    start: int
    end: int


class Name(Struct, frozen=True):
    """A proper noun, and the preposition that it or its list follows ("" for none)."""

    text: str
    after: str


def plain(text: str) -> str:
    """The considered part of a text: straight quotes, single spaces, contractions spelt out."""
    text = _SPACE.sub(" ", text[:CONSIDERED].translate(_QUOTES)).strip()
    for pattern, expansion in _CONTRACTIONS:
        text = pattern.sub(expansion, text)
    return text


def words(text: str) -> list[str]:
    """Lower-case words without their possessive s."""
    return [word.removesuffix("'s") for word in _WORD.findall(text.lower())]


def name_words(name: str) -> list[str]:
    """The lower-case words of a name in snake_case, camelCase or with dots."""
    return words(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", name))


def stem(word: str) -> str:
    """A word without its English endings; crude, but the same for all forms of most words."""
    word = ALIKE.get(word, word)
    if len(word) > 5:
        word = word.replace("our", "or")  # colour, favourite
    if word in _UNSTEMMED:
        return word
    for ending, replacement in (("ies", "y"), ("ing", ""), ("ed", ""), ("s", "")):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending) + replacement
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiosl":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


def content(text: str) -> list[str]:
    """The stems of all words that carry meaning, in order."""
    return [stem(word) for word in words(text) if word not in STOP_WORDS]


def sentences(text: str) -> list[str]:
    """The sentences of a text, their punctuation kept."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def fragments(text: str) -> list[str]:
    """A text cut before every comma, conjunction and sentence; joined they give the text."""
    cuts = [match.start() for match in _BREAK.finditer(text) if match.start()]
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def without_conjunction(fragment: str) -> str:
    """A fragment without the separator that it begins with."""
    match = _BREAK.match(fragment)
    return (fragment[match.end() :] if match else fragment).strip()


def numbers(text: str) -> list[Number]:
    """Numbers in digits (1,000 and 2.5 and 15th too) and in words up to ninety-nine."""
    found = [
        Number(_number(match[0]), match.start(), match.end()) for match in _DIGITS.finditer(text)
    ]
    found += [Number(int(m[1]), m.start(), m.end()) for m in _ORDINAL.finditer(text)]
    tens: Number | None = None
    for match in re.finditer(r"[^\W\d_]+", text):
        word = match[0].lower()
        if tens and 0 < ONES.get(word, 0) < 10 and text[tens.end : match.start()] in {" ", "-"}:
            found[-1] = Number(tens.value + ONES[word], tens.start, match.end())
        elif word in ONES or word in TENS:
            value = ONES.get(word, TENS.get(word, 0))
            found.append(Number(value, match.start(), match.end()))
        tens = found[-1] if word in TENS else None
    return sorted(found, key=lambda number: number.start)


def names(text: str) -> list[Name]:
    """Proper nouns: runs of capitalised words that no sentence begins with.

    "Santa Clara, CA" and "Rio de Janeiro" are one. A text in capitals only has none.
    """
    if not any(character.islower() for character in text):
        return []
    found: list[Name] = []
    tokens = list(re.finditer(r"[^\W_]+(?:['.-][^\W_]+)*", text))
    position, ended = 0, -1
    while position < len(tokens):
        run = _run(text, tokens, position)
        if run == position:
            position += 1
            continue
        name = text[tokens[position].start() : tokens[run - 1].end()].removesuffix("'s")
        gap = text[ended : tokens[position].start()] if ended >= 0 else ""
        listed = found and re.fullmatch(r"\s*(?:,|\band\b|\bor\b|&|\s)*\s*", gap)
        before = tokens[position - 1][0].lower() if position else ""
        found.append(Name(name, found[-1].after if listed else before))
        position, ended = run, tokens[run - 1].end()
    return found


def quoted(text: str) -> list[str]:
    """What stands in double quotes, or in single ones that are not apostrophes."""
    pairs = re.findall(r"\"([^\"]+)\"|(?<!\w)'([^']+)'(?!\w)", text)
    return [double or single for double, single in pairs]


def listed(items: Sequence[str]) -> str:
    """Items as a person lists them."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def shortened(text: str, limit: int = 160) -> str:
    """A text on one line, cut at a word if it is longer than `limit` characters."""
    line = " ".join(text[: 2 * limit].split())
    return line if len(line) <= limit else line[:limit].rsplit(" ", 1)[0] + " ..."


def one_of(options: Sequence[str], text: str) -> str:
    """An option that depends on nothing but the text."""
    return options[zlib.crc32(text.encode(errors="replace")) % len(options)]


def capitalised(text: str) -> str:
    """The text with a capital first letter, the others as they are."""
    return text[:1].upper() + text[1:]


def _number(text: str) -> int | float:
    bare = text.replace(",", "")
    return float(bare) if "." in bare else int(bare)


def _run(text: str, tokens: list[re.Match[str]], first: int) -> int:
    """The end of the proper noun that begins at a token; `first` itself if none does."""
    if not _is_name(tokens[first][0]):
        return first
    begins = not first or re.search(r"[.!?:\n\"]", text[tokens[first - 1].end() :][:3])
    end = first + 1
    while end < len(tokens):
        gap = text[tokens[end - 1].end() : tokens[end].start()]
        word = tokens[end][0]
        if gap == " " and (_is_name(word) or (word.isdigit() and len(word) < 3)):
            end += 1
        elif gap == ", " and len(word) == 2 and word.isupper() and word.isalpha():
            return end + 1
        elif (
            gap == " "
            and word in CONNECTORS
            and end + 1 < len(tokens)
            and _is_name(tokens[end + 1][0])
        ):
            end += 2
        else:
            break
    if begins and _common(tokens[first][0]):
        return first
    return first if begins and end == first + 1 and len(tokens) > 2 else end


def _is_name(word: str) -> bool:
    return word[0].isupper() and word.lower().removesuffix("'s") not in NOT_NAMES


def _common(word: str) -> bool:
    return word.lower() in STARTERS or word.lower() in STOP_WORDS
