"""What the simulated model says when there is nothing to look up, call or run."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from itertools import pairwise

from processors.local_live_api.history import Heard
from processors.local_live_api.rules.memory import facts
from processors.local_live_api.rules.wording import (
    capitalised,
    numbers,
    one_of,
    sentences,
    shortened,
    words,
)

FURTHEST = 500
"""How far it counts at most."""

NAME = "the simulated Live API"

# The first pattern that fits answers; {name} is what the model is called.
_REPLIES = [
    (re.compile(pattern, re.IGNORECASE), reply)
    for pattern, reply in (
        (r"\bare you (?:still )?(?:there|here|listening)|\bcan you hear me\b",
         "Hello! Yes, I am here and listening. This is the simulated Live API."),
        (r"\bhow are you\b|\bhow do you do\b|\bhow is it going\b",
         "I am well, thank you for asking. How can I help you?"),
        (r"\b(?:what is your name|who are you|what are you called|introduce yourself)\b",
         "I am {name}. I answer by simple rules, without a language model behind me."),
        (r"\bwhat are you\b|\bare you (?:a |an )?(?:real|human|bot|robot|ai|model|simulat)",
         "I am {name}, a simulation that answers by rules, so that programs can be tried."),
        (r"\bwhat can you do\b|\bhow can you help\b|\bhelp me\b$|^help\b",
         "I can talk, remember what you tell me, calculate, count, repeat, and call the functions "
         "that you declare. I am a simulation, so do not trust me with more."),
        (r"\bthank(?:s| you)\b|\bcheers\b", "You are welcome! Is there anything else?"),
        (r"\b(?:good ?bye|bye|see you|good ?night|farewell)\b",
         "Goodbye! It was good to talk to you."),
        (r"^(?:stop|wait|pause|be quiet|never ?mind|cancel)\b.{0,20}$",
         "All right, I have stopped. Tell me when to go on."),
        (r"\b(?:joke|make me laugh)\b",
         "Why did the packet cross the network? It had a good connection."),
        (r"\bwhat (?:time|date|day) is it\b|\bwhat is the (?:time|date)\b",
         "I have no clock to read, as I am a simulation. Declare a function for it, and I will "
         "call it."),
    )
]  # fmt: skip
_GREETING = re.compile(
    r"^(?:hello|hi|hey|good (?:morning|afternoon|evening|day)|greetings|hallo|bonjour|hola|ciao"
    r"|ol\u00e1|namaste|howdy)\b(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_SAY = re.compile(
    r"^(?:(?:please|now|and|can you|could you|would you|just)\b,? ?)*"
    r"(?:say|repeat(?: after me)?|echo)(?: the (?:words?|sentence|phrase))?(?: after me)?\b[:,]? "
    r"(?P<what>.+)",
    re.IGNORECASE | re.DOTALL,
)
_COUNT = re.compile(r"\bcount\b.{0,40}\b(?:to|until|till|down|from)\b", re.IGNORECASE)
_LONG = re.compile(
    r"\b(?:story|tale|poem|essay|speech|lecture)\b"
    r"|\btalk (?:for|about .{1,60} for) (?:a while|a long)"
    r"|\b(?:keep|go on) talking\b|\b(?:very )?long (?:answer|text|reply|time)\b"
    r"|\bin (?:great )?detail\b"
    r"|\bas long as you can\b",
    re.IGNORECASE,
)
_YES_OR_NO = re.compile(r"\byes or no\b", re.IGNORECASE)
_PLUS, _MINUS = r"(?:\+|plus)", r"(?:-|\u2212|minus)"
_TIMES, _OVER = r"(?:\*|x|\u00d7|times|multiplied by)", r"(?:/|\u00f7|divided by|over)"
_OPERATIONS: list[tuple[re.Pattern[str], Callable[[float, float], float], str]] = [
    (re.compile(rf"\s*{symbol}\s*", re.IGNORECASE), operation, word)
    for symbol, operation, word in (
        (_PLUS, operator.add, "plus"),
        (_MINUS, operator.sub, "minus"),
        (_TIMES, operator.mul, "times"),
        (_OVER, operator.truediv, "divided by"),
    )
]
_QUESTION = re.compile(
    r"\?\s*$|^(?:who|what|when|where|why|which|how|is|are|do|does|did|was|were|will)\b",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"^(?:please |can you |could you )?(?:give|tell|show|make|write|find|explain|describe|open"
    r"|close|turn|play|send|book|set|call|translate|list|create|help)\b",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(r"^(?:what|who|where) (?:is|are) my ([^?.!,]{1,60})\?", re.IGNORECASE)
_MIRRORED = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "am": "are",
    "you": "me", "your": "my", "yours": "mine", "yourself": "myself",
}  # fmt: skip
_MIRRORED_VERBS = {"i": {"am": "are", "was": "were"}, "you": {"are": "am", "were": "was"}}
"""What becomes of a verb beside a pronoun."""
_AUXILIARIES = {
    *("are", "were", "do", "did", "have", "had", "can", "could", "will", "would", "shall"),
    *("should", "may", "might", "must"),
}
_BEFORE_A_SUBJECT = _AUXILIARIES | {
    *("", "and", "but", "or", "so", "if", "that", "when", "while", "because", "than", "as"),
    *("what", "who", "where", "why", "how", "which"),
}
_AFTER_QUESTION = (
    "I am a simulation and know little of the world, so I cannot tell.",
    "That is beyond the rules I follow, as this is only a simulation.",
    "A real model would know; I am its simulation.",
    "I would have to look that up, and the simulation has nowhere to look.",
)
_AFTER_COMMAND = (
    "I understood every word, but as a simulation I cannot do it.",
    "I would do it gladly if there were a function for it.",
    "I have noted it, and as a simulation that is all I can do.",
)
_AFTER_STATEMENT = (
    "Tell me more about it.",
    "I will keep that in mind.",
    "That is good to know. What comes next?",
    "I am listening, go on.",
)
_STORY = (
    "Here is a long answer about {0}, as long as a simulation can make it.",
    "Once upon a time there was a small server at the edge of a quiet network.",
    "Every morning it listened at its port and waited for somebody to speak of {0}.",
    "Many clients came by, some in a hurry and some with all the time in the world.",
    "One day a voice arrived that nobody there had heard before.",
    "It asked for {0}, and the server did not know what to say.",
    "So it began to collect words, one after the other, and to put them in a row.",
    "The first words were short, and the next ones were a little longer.",
    "When the evening came, the row had become a sentence, and the sentence a story.",
    "The voice listened to the end and did not interrupt a single time.",
    "Then it asked whether there was more to be told about {0}.",
    "There was always more, for a server that waits has much time to think.",
    "They went on until the stars came out and the network grew still.",
    "And if nobody has closed the connection, they are talking to this day.",
    "That is all there is to tell about {0}.",
)


def is_greeting(text: str) -> bool:
    """Whether a plain text is a greeting and little else."""
    match = _GREETING.match(text)
    return match is not None and len(words(match["rest"])) <= 3


def reply(text: str, name: str | None = None, *, word: bool = False) -> str:
    """What there is to say to a plain text.

    name: what the model is called. word: a reply of one word is wanted.
    """
    if not words(text):
        return "I am listening." if not text else "I got no words in that. What can I do for you?"
    if said := _SAY.match(text):
        return said["what"].strip().strip('"') or "I have nothing to repeat."
    if _YES_OR_NO.search(text):
        return one_of(("Yes.", "No."), text)
    if _COUNT.search(text):
        return _counted(text)
    point = _point(text)
    result = _calculated(point)
    if result is not None:
        return result
    if _LONG.search(text) and not re.search(r"\b(?:short|brief|one)\b", text, re.IGNORECASE):
        return " ".join(_STORY).format(_theme(text))
    for pattern, answer in _REPLIES:
        if pattern.search(point):
            return answer.format(name=name or NAME)
    if is_greeting(point):
        who = f"I am {name}, and this" if name else "This"
        return f"Hello! {who} is the simulated Live API. What would you like to talk about?"
    return _reflected(point, word=word)


def sensed(heard: Heard) -> str:
    """What is said of input that has no words: speech by its length, images by their number."""
    parts = []
    if heard.text is None:
        seconds = round(heard.seconds, 1)
        length = f"{seconds:g} second{'' if seconds == 1 else 's'}"
        parts.append(f"I heard you speak for {length}, but the simulation does not know the words.")
    if heard.images:
        images = "an image" if heard.images == 1 else f"{heard.images} images"
        parts.append(f"I got {images}; I do not look into them, as I am a simulation.")
    return " ".join(parts)


def asks(text: str) -> bool:
    """Whether the last sentence of a text is a question."""
    return any(_QUESTION.search(part) for part in sentences(text)[-1:])


def _point(text: str) -> str:
    """The last sentence that asks for something, or the whole text if none does."""
    asking = [part for part in sentences(text) if _QUESTION.search(part) or _COMMAND.search(part)]
    return asking[-1] if asking else text


def _counted(text: str) -> str:
    given = [int(number.value) for number in numbers(text)] or [10]
    first, last = (given[0], given[1]) if len(given) > 1 else (1, given[0])
    if re.search(r"\bdown\b", text, re.IGNORECASE) and len(given) < 2:
        first, last = last, 1
    step = 1 if last >= first else -1
    counted = range(first, last + step, step)[:FURTHEST]
    return ", ".join(map(str, counted)) + "."


def _calculated(text: str) -> str | None:
    """An operation between two numbers; further ones follow from left to right."""
    given = numbers(text)[:20]
    if len(given) < 2:
        return None
    value: float = given[0].value
    said = f"{value:g}"
    for before, after in pairwise(given):
        gap, right = text[before.end : after.start], after.value
        if not gap.strip() and right < 0:  # "12 -7"
            gap, right = "-", -right
        found = next((item for item in _OPERATIONS if item[0].fullmatch(gap)), None)
        if found is None:
            break
        _, operation, word = found
        if operation is operator.truediv and not right:
            return "Nothing can be divided by zero."
        value, said = operation(value, right), f"{said} {word} {_shown(right)}"
    else:
        before = given[0]
    return f"{said} is {_shown(value)}." if " " in said else None


def _shown(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.10g}"


def _theme(text: str) -> str:
    match = re.search(r"\babout (.{1,80}?)(?:[.!?]| for | in |$)", text, re.IGNORECASE)
    return _mirrored(f"about {match[1]}").partition(" ")[2] if match else "words"


def _mirrored(line: str) -> str:
    """The same from the other side: "Do you see me" is "Do I see you"."""
    words = line.split(" ")
    plain = ["", *(word.lower() for word in words), ""]
    said = []
    for before, word, after, given in zip(plain, plain[1:], plain[2:], words, strict=False):
        if word == "you" and (before in _BEFORE_A_SUBJECT or after in _AUXILIARIES):
            said.append("I")
        else:
            verbs = _MIRRORED_VERBS.get(before, {}) | _MIRRORED_VERBS.get(after, {})
            said.append(verbs.get(word) or _MIRRORED.get(word, given))
    return " ".join(said)


def _reflected(text: str, *, word: bool) -> str:
    """The request in the second person, and a remark that depends on what it is."""
    if word:
        return "Perhaps." if _QUESTION.search(text) else "Understood."
    if unknown := _UNKNOWN.search(text):
        return f"You have not told me your {unknown[1]}."
    told = facts(text)
    if told and not text.rstrip().endswith("?"):
        return f"I will remember that. {told[0].sentence}"
    line = shortened(text.rstrip(" .!?"), 240)
    mirrored = _mirrored(line)
    if _QUESTION.search(text):
        return f'You ask: "{capitalised(mirrored)}?" {one_of(_AFTER_QUESTION, text)}'
    if _COMMAND.search(text):
        command = re.sub(r"(?i)^(?:please|can I|could I) ", "", mirrored)
        wish = command[:1].lower() + command[1:]
        return f"You would like me to {wish}. {one_of(_AFTER_COMMAND, text)}"
    return f'I hear that you say: "{capitalised(mirrored)}." {one_of(_AFTER_STATEMENT, text)}'
