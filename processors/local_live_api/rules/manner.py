"""How the simulated model is told to speak: by its instruction, or by the request itself."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from processors.local_live_api.rules.wording import CONSIDERED, plain, sentences, words


class Language(Struct, frozen=True):
    """A language, by what it is called, and what is said in it."""

    code: str
    names: tuple[str, ...]
    greeting: str
    acknowledgement: str


LANGUAGES = (
    Language("en", ("english",), "Hello!", ""),
    Language("de", ("german", "deutsch"), "Hallo!", "Gerne, hier ist meine Antwort."),
    Language("fr", ("french", "français"), "Bonjour !", "Avec plaisir, voici ma réponse."),
    Language("es", ("spanish", "español"), "¡Hola!", "Con gusto, aquí está mi respuesta."),
    Language("it", ("italian", "italiano"), "Ciao!", "Volentieri, ecco la mia risposta."),
    Language("pt", ("portuguese", "português"), "Olá!", "Com prazer, aqui está a minha resposta."),
    Language("nl", ("dutch", "nederlands"), "Hallo!", "Graag, hier is mijn antwoord."),
    Language("ja", ("japanese", "日本語"), "こんにちは。", "はい、お答えします。"),
    Language("hi", ("hindi", "हिन्दी"), "नमस्ते!", "जी, यह मेरा उत्तर है।"),
)
_NAMED = "|".join(name for language in LANGUAGES for name in language.names)
# A language in which to answer, not what "Italian cooking" or "German cars" tell.
_PINNED = (
    rf"({_NAMED})(?= language\b|\W*$|[.,;:!?)\]\"'/\n\u3002]| ?[-(]"
    r"| (?:only|please|and|or|but|unless|even|always|at|to|no|for|from|when|whenever|if|with|until"
    r"|because|not|regardless|throughout|now|then)\b)"
)
_LANGUAGE = re.compile(
    r"(?<!\bnot )(?<!n't )(?<!\bnever )(?<!\bi )"
    r"(?:\b(?:respond|answer|speak|reply|talk|write|communicate|converse|say (?:it|everything))\b"
    r"[^.!?\n]{0,40}?\bin (?:the |[^\W\d_]+ )?"
    r"|\bspeak (?:only )?(?:the )?|\bonly in (?:the )?|\buse (?:only )?(?:the )?"
    r"|\blanguage(?: is| must be| will be|:) (?:always |only )?"
    rf"|(?:^|[.!?:\n] ?|\bin )(?=(?:{_NAMED}) only\b)){_PINNED}",
    re.IGNORECASE,
)
_QUOTED = r"(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'(?!\w)|([^.!?\n\"]{1,100}))"
_ONLY = re.compile(
    r"\b(?:(?:only|always only|just) (?:ever )?(?:say|reply|answer|respond)(?: with)?"
    r"|(?:reply|answer|respond)(?: to everything)? (?:only|just) with"
    r"|say (?:only|nothing but))(?: the (?:exact )?(?:words?|phrase|text))?:? " + _QUOTED,
    re.IGNORECASE,
)
_END = re.compile(
    r"\b(?:end|finish|close|conclude)\b[^.!?\n\"']{0,60}?\b(?:with|by saying)"
    r"(?: the (?:exact )?(?:words?|phrase|text))?:? " + _QUOTED,
    re.IGNORECASE,
)
_START = re.compile(
    r"\b(?:start|begin|open)\b[^.!?\n\"']{0,60}?\b(?:with|by saying)"
    r"(?: the (?:exact )?(?:words?|phrase|text))?:? " + _QUOTED,
    re.IGNORECASE,
)
_NAME = re.compile(
    r"\b(?:(?i:you are|your name is|you're|act as)(?: (?i:called|named))?"
    r"|(?i:named|called)) ((?!Gemini Live)[A-Z][\w'-]{1,40}(?: [A-Z][\w'-]{1,40})?)"
)
_LENGTHS: tuple[tuple[re.Pattern[str], Literal["word", "sentence"]], ...] = (
    (re.compile(r"\b(?:one|a single|just a|1)[ -]word\b", re.IGNORECASE), "word"),
    (
        re.compile(
            r"\b(?:one|a single|1)(?: short)?[ -]sentence\b|\b(?:brief(?:ly)?|concise(?:ly)?"
            r"|in short|short answers?|keep it short)\b",
            re.IGNORECASE,
        ),
        "sentence",
    ),
)


class Manner(Struct, frozen=True):
    """What is said before, after or instead of an answer, how long it is, and who speaks."""

    name: str | None = None
    only: str | None = None
    start: str = ""
    end: str = ""
    length: Literal["word", "sentence"] | None = None
    language: Language = LANGUAGES[0]


def manner(instruction: str, language: str | None, request: str = "") -> Manner:
    """The manner that a system instruction, a BCP-47 code and a request ask for.

    The request's own wishes for length and language win; then the instruction's language.
    """
    text = _both_ends(instruction)
    named = _NAME.search(text)
    return Manner(
        name=named[1] if named else None,
        only=_given(_ONLY, text),
        start=_given(_START, text) or "",
        end=_given(_END, text) or "",
        length=_length(request) or _length(text),
        language=_language(request) or _language(text) or _coded(language) or LANGUAGES[0],
    )


def shaped(text: str, how: Manner, *, greeting: bool = False, whole: bool = False) -> str:
    """An answer in this manner.

    greeting: it is one. whole: it is one sentence, whatever it quotes.
    """
    if how.only is not None:
        return how.only
    if how.length and not whole:
        text = next(iter(sentences(text)), text)
    if how.length == "word" and words(text):
        text = text.rstrip(' .!?"').rpartition(" ")[2].strip('"') + "."
    opening = how.language.greeting if greeting else how.language.acknowledgement
    if how.language.code == "en" or how.length == "word":
        opening = ""
    if opening and greeting:
        text = text.removeprefix(f"{LANGUAGES[0].greeting} ")
    return " ".join(part for part in (how.start, opening, text, how.end) if part)


def _both_ends(instruction: str) -> str:
    """A plain instruction; of a long one its beginning and its end, where such wishes stand."""
    half = CONSIDERED // 2 - 1
    if len(instruction) > CONSIDERED:
        instruction = f"{instruction[:half]}\n{instruction[-half:]}"
    return plain(instruction)


def _given(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return next((group.strip() for group in match.groups() if group), None) if match else None


def _length(text: str) -> Literal["word", "sentence"] | None:
    return next((length for pattern, length in _LENGTHS if pattern.search(text)), None)


def _language(text: str) -> Language | None:
    match = _LANGUAGE.search(text)
    if match is None:
        return None
    return next((item for item in LANGUAGES if match[1].lower() in item.names), None)


def _coded(code: str | None) -> Language | None:
    primary = (code or "").replace("_", "-").partition("-")[0].lower()
    return next((item for item in LANGUAGES if item.code == primary), None)
