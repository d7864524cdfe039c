"""Programs that the simulated model writes and runs.

What is shown is the source of what ran, so the output cannot be another's; nothing of the user's
text is ever run.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from processors.local_live_api.rules import algorithms
from processors.local_live_api.rules.wording import listed, numbers, plain, sentences, words
from processors.local_live_api.steps import Code

MOST_NUMBERS = 100
MOST_PROGRAMS = 3

_ASKS_FOR_CODE = re.compile(
    r"\b(?:write|run|execute|use|using|with|generate|show)\b.{0,30}"
    r"\b(?:code|python|program|script)\b",
    re.IGNORECASE,
)


class Program(Struct, frozen=True):
    """What a request has to look like, and what is run for it.

    takes: "one" number up to `most`, "two" as a range (of a single one: from 1), or "all" of them.
    what: the result in words, before the result itself.
    """

    pattern: str
    function: Callable[..., Any]
    what: str
    takes: str = "one"
    most: int = 1_000_000
    helpers: tuple[Callable[..., Any], ...] = ()


_NUMBER = r"(?:-?\d|(?:zero|one|two|three|five|ten)\b)"
_SUM = r"\b(?:sum|add|total)\b"
# What lies before the numbers of "from 1 to 9", "the numbers 1 to 9", "the first 9 numbers".
_RANGE = (
    rf".*?(?:\b(?:from|between) (?={_NUMBER})"
    r"|\b(?:numbers|integers) (?=(?:\S+ |up )(?:to|through|until)\b)"
    r"|\bfirst (?=\S+ (?:whole |natural |positive )?(?:numbers|integers)\b))"
)
_ENORMOUS = 10**400
"""More than any of the programs gives."""

_PROGRAMS = [
    Program(
        r"\b(?:nearest|closest) palindrom|\bpalindrom\w* (?:that is )?(?:nearest|closest)",
        algorithms.nearest_palindrome,
        "the palindrome nearest to {}",
        most=_ENORMOUS,
    ),
    Program(
        r"\bsum of (?:its|the|all|all the) digits|\bdigit sum",
        algorithms.digit_sum,
        "the sum of the digits of {}",
        most=_ENORMOUS,
    ),
    Program(
        r"prime palindrom|palindrom\w* prime",
        algorithms.largest_prime_palindrome,
        "the largest prime palindrome below {}",
        most=10_000_000,
        helpers=(algorithms.is_prime,),
    ),
    Program(
        r"sum .{0,20}first .{0,20}prime",
        algorithms.sum_of_first_primes,
        "the sum of the first {} prime numbers",
        most=1000,
        helpers=(algorithms.is_prime, algorithms.first_primes),
    ),
    Program(
        r"(?:sum|add).{0,20}primes?\b",
        algorithms.sum_of_primes,
        "the sum of the primes below {}",
        most=10_000,
        helpers=(algorithms.is_prime,),
    ),
    Program(
        r"(?:largest|biggest|greatest|highest) prime",
        algorithms.largest_prime,
        "the largest prime below {}",
        most=100_000_000,
        helpers=(algorithms.is_prime,),
    ),
    Program(
        r"\bfirst .{0,20}primes?\b",
        algorithms.first_primes,
        "the list of the first {} primes",
        most=200,
        helpers=(algorithms.is_prime,),
    ),
    Program(
        r"\bprime\b(?! (?:minister|time|video|rib|day))",
        algorithms.is_prime,
        "whether {} is prime",
        most=10_000_000_000,
    ),
    Program(r"\bfactorial\b", algorithms.factorial, "the factorial of {}", most=200),
    Program(
        r"\d(?:st|nd|rd|th) (?:\w+ ){0,4}fibonacci|fibonacci(?: number| of|\() ?\d",
        algorithms.fibonacci_number,
        "Fibonacci number {}",
        most=200,
        helpers=(algorithms.fibonacci,),
    ),
    Program(
        r"\bfibonacci\b",
        algorithms.fibonacci,
        "the list of the first {} Fibonacci numbers",
        most=100,
    ),
    Program(
        rf"^(?=.*{_SUM})(?=.*\beven\b){_RANGE}",
        algorithms.sum_of_even_from_to,
        "the sum of the even numbers from {} to {}",
        takes="two",
    ),
    Program(
        rf"^(?=.*{_SUM})(?=.*\bodd\b){_RANGE}",
        algorithms.sum_of_odd_from_to,
        "the sum of the odd numbers from {} to {}",
        takes="two",
    ),
    Program(
        rf"^(?=.*{_SUM})(?=.*\bsquares\b){_RANGE}",
        algorithms.sum_of_squares_from_to,
        "the sum of the squares from {} to {}",
        takes="two",
    ),
    Program(
        rf"^(?=.*{_SUM})(?!.*\b(?:multiples|cubes|digits|divisors|factors)\b){_RANGE}",
        algorithms.sum_from_to,
        "the sum from {} to {}",
        takes="two",
    ),
    Program(
        rf"{_SUM}(?!.{{0,80}}\b(?:multiples|cubes|squares|divisors)\b)",
        algorithms.total,
        "the sum of {}",
        takes="all",
    ),
    Program(r"\b(?:average|mean of)\b", algorithms.average, "the average of {}", takes="all"),
    Program(r"\bsort(?:ed)?\b", algorithms.in_order, "the sorted list of {}", takes="all"),
]
_COUNT = Program("", algorithms.count_words, "the number of words in your request")
_STEP = re.compile(
    r"[,;]? (?:and )?then |[,;]? and (?=(?:find|compute|calculate|get|give|tell|check|determine"
    r"|what|whether|is|its|the (?:\d+(?:st|nd|rd|th)|nearest|closest|sum|factorial|palindrome))\b)",
    re.IGNORECASE,
)
_NESTED = re.compile(
    r"((?:nearest|closest) palindrome|palindrome (?:that is )?(?:nearest|closest)"
    r"|sum of the digits) (?:to|of) (the .*\b(?:fibonacci|factorial|primes?|sum)\b.*)",
    re.IGNORECASE,
)
_REFERS = re.compile(
    r"\b(?:it|its|that|this|result|answer|nearest|closest)\b|\b(?:the|that|this) number\b",
    re.IGNORECASE,
)
_PATTERNS = [(re.compile(program.pattern, re.IGNORECASE), program) for program in _PROGRAMS]


class Piece(Struct, frozen=True):
    """A program and the numbers that it is run on; None stands for the result of the one before."""

    program: Program
    given: tuple[Any, ...] | None
    about: str


class Run(Struct, frozen=True):
    """Programs that ran: what they are about, their code with the output, the result in words."""

    about: str
    code: Code
    result: str


def runs(text: str) -> tuple[list[Run], list[str]]:
    """The programs that a plain text asks for, and its sentences that ask for none.

    "The 15th Fibonacci number, then the palindrome nearest to it" is one run of two programs. A
    text that asks for code without saying what for gets its words counted.
    """
    chains: list[list[Piece]] = []
    others: list[str] = []
    asked = False
    for sentence in sentences(text):
        explicit = bool(_ASKS_FOR_CODE.search(sentence))
        asked = asked or explicit
        if not _read(sentence, chains) and not explicit:
            others.append(sentence)
    if asked and not chains:
        count = len(words(plain(text)))
        chains.append([Piece(_COUNT, (count,), _COUNT.what)])
    return [_ran(chain) for chain in chains], others


def _read(sentence: str, chains: list[list[Piece]]) -> bool:
    """Adds what a sentence asks for to the chains; whether it asks for anything."""
    found = False
    for part in _parts(sentence):
        piece = _piece(part)
        if piece is None:
            continue
        if piece.given is not None and len(chains) < MOST_PROGRAMS:
            chains.append([piece])
            found = True
        elif piece.given is None and chains and _continues(chains[-1], piece):
            chains[-1].append(piece)
            found = True
    if not found and len(chains) < MOST_PROGRAMS and (piece := _piece(sentence)) and piece.given:
        chains.append([piece])
        found = True
    return found


def _parts(sentence: str) -> list[str]:
    """The steps of a sentence, first things first."""
    if nested := _NESTED.search(sentence):
        return [nested[2], f"{nested[1]} it"]
    return [part for part in _STEP.split(sentence) if part]


def _piece(part: str) -> Piece | None:
    matches = ((program, pattern.search(part)) for pattern, program in _PATTERNS)
    program, match = next((found for found in matches if found[1]), (None, None))
    if program is None or match is None:
        return None
    given = [number.value for number in numbers(part)]
    whole = [min(abs(int(value)), program.most) for value in given]
    if program.takes == "one" and whole:
        return Piece(program, (max(whole),), program.what.format(max(whole)))
    if program.takes == "one" and _REFERS.search(part):
        return Piece(program, None, program.what.format("it"))
    if program.takes == "two":
        ends = [int(number.value) for number in numbers(part) if number.start >= match.end()][:2]
        if not ends:
            return None
        limited = [max(-program.most, min(end, program.most)) for end in ends]
        first, last = sorted(limited if len(ends) > 1 else [1, *limited])
        return Piece(program, (first, last), program.what.format(first, last))
    if program.takes == "all" and len(given) >= 2:
        values = given[:MOST_NUMBERS]
        about = program.what.format(listed([str(value) for value in values]))
        return Piece(program, (values,), about)
    return None


def _results(chain: Sequence[Piece]) -> list[Any]:
    """What each program of a chain gives."""
    found: list[Any] = []
    for piece in chain:
        found.append(piece.program.function(*(found[-1:] if piece.given is None else piece.given)))
    return found


def _continues(chain: Sequence[Piece], piece: Piece) -> bool:
    """Whether a program can take the result of a chain: a whole number that is not too large."""
    result = _results(chain)[-1]
    return len(chain) < MOST_PROGRAMS and type(result) is int and 0 <= result <= piece.program.most


def _ran(chain: Sequence[Piece]) -> Run:
    results = [str(result) for result in _results(chain)]
    functions = [
        item for piece in chain for item in (*piece.program.helpers, piece.program.function)
    ]
    sources = [inspect.getsource(item).rstrip() for item in dict.fromkeys(functions)]
    calls = [f"{piece.program.function.__name__}({_shown(piece)})" for piece in chain]
    if len(calls) == 1:
        lines = [f"print({calls[0]})"]
    else:
        lines = [line for call in calls for line in (f"number = {call}", "print(number)")]
    imports = [line for line in _IMPORTS if any(_IMPORTS[line] in source for source in sources)]
    blocks = ["\n".join(imports)] * bool(imports) + [*sources, "\n".join(lines)]
    said = [_SAID.get(result, result.strip("[]") or "none") for result in results]
    return Run(
        listed([piece.about for piece in chain]),
        Code("\n\n\n".join(blocks) + "\n", "\n".join(results) + "\n"),
        listed(said),
    )


def _shown(piece: Piece) -> str:
    return "number" if piece.given is None else ", ".join(map(repr, piece.given))


_SAID = {"True": "yes", "False": "no"}
_IMPORTS = {
    "from collections.abc import Sequence": "Sequence[",
    "from math import isqrt": "isqrt(",
}
"""What the sources above need, by what they say when they need it."""
