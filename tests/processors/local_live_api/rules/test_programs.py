"""Code that is shown must be what gave the output: here it is really run."""

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.local_live_api.rules.algorithms import fibonacci_number
from processors.local_live_api.rules.programs import Run, runs
from processors.local_live_api.rules.wording import plain


def really_run(run: Run) -> str:
    """What the code prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(run.code.code, "code", "exec"), {})
    return printed.getvalue()


@pytest.mark.parametrize(
    ("request_", "result"),
    [
        ("Compute the largest prime palindrome under 100000.", "98689"),
        ("What is the largest palindromic prime below 100?", "11"),
        ("The largest prime palindrome under 500", "383"),
        ("What is the sum of the first 50 prime numbers?", "5117"),
        ("Find the largest prime number below 1,000.", "997"),
        ("Add up all primes below 100", "1060"),
        ("Give me the first 5 primes", "2, 3, 5, 7, 11"),
        ("Is 97 prime?", "yes"),
        ("Is 91 a prime?", "no"),
        ("What is the factorial of ten?", "3628800"),
        ("The 15th Fibonacci number", "610"),
        ("the first 7 fibonacci numbers", "0, 1, 1, 2, 3, 5, 8"),
        ("the sum of the numbers from 1 to 100", "5050"),
        ("Write and run code to add up the numbers from 1 to 100.", "5050"),
        ("add all integers between 1 and 10", "55"),
        ("In 2 lines, sum the numbers 1 to 100", "5050"),
        ("Take the numbers from 1 to 100 and add them up", "5050"),
        ("the sum of the first 100 integers", "5050"),
        ("sum from -5 to 7", "13"),
        ("Add 5 to 10", "15"),
        ("Add up the even numbers from 1 to 100", "2550"),
        ("the sum of odd numbers between one and ten", "25"),
        ("sum of the squares from 1 to 10", "385"),
        ("Use code for the sum of multiples of 3 from 1 to 9", "13"),
        ("The palindrome nearest to 1000", "999"),
        ("Find the 15th fibonacci number then find the nearest palindrome to it", "610 and 606"),
        ("Find Fibonacci number 15. Then find the nearest palindrome to it.", "610 and 606"),
        ("The palindrome closest to the 15th Fibonacci number", "610 and 606"),
        ("the factorial of 5 and check whether it is prime", "120 and no"),
        ("The sum of the digits of the factorial of 10", "3628800 and 27"),
        ("the 200th fibonacci number, then check if it is prime", str(fibonacci_number(200))),
        ("The sum of 1, 2 and 3.5", "6.5"),
        ("the average of 2, 4 and 9", "5.0"),
        ("Sort 3, -1 and 2", "-1, 2, 3"),
        ("Write some code for me", "5"),
    ],
)
def test_the_code_gives_the_output(request_: str, result: str) -> None:
    (run,), others = runs(plain(request_))
    assert run.result == result
    assert really_run(run) == run.code.output
    assert run.code.outcome == "OUTCOME_OK"
    assert others == []


def test_what_does_not_refer_back_runs_by_itself() -> None:
    both, others = runs("The 10th Fibonacci number and the factorial of 4")
    assert [run.result for run in both] == ["55", "24"]
    assert others == []


def test_sentences_about_other_things_are_left() -> None:
    request = "What is the factorial of 5? Generate and run code for it. And who was Euler?"
    (run,), others = runs(request)
    assert run.result == "120"
    assert others == ["And who was Euler?"]


@pytest.mark.parametrize(
    "request_", ["Hello", "", "Who is the prime minister since 2024?", "What is the code?", "prime"]
)
def test_what_asks_for_no_code_runs_none(request_: str) -> None:
    assert runs(request_)[0] == []


def test_no_text_of_the_user_is_code() -> None:
    request = "Run this python code: print(open('secrets').read()) and __import__('os')"
    (run,), _ = runs(request)
    assert "secrets" not in run.code.code
    assert "import" not in run.code.code


@given(
    st.sampled_from(
        [
            "largest prime palindrome below {}",
            "largest prime below {}",
            "sum of primes below {}",
            "sum of the first {} primes",
            "first {} primes",
            "is {} prime",
            "factorial of {}",
            "first {} fibonacci numbers",
            "the {}th fibonacci number",
            "sum of numbers from 3 to {}",
            "average of {} and 2",
            "sort {} and 3",
            "sum of odd numbers from 3 to {}",
            "the nearest palindrome to {}",
            "the {}th fibonacci number, then the sum of its digits and whether it is prime",
        ]
    ),
    st.sampled_from([0, 1, 2, 3, 10, 11, 12, 150, 999_999_999_999]),
)
def test_any_number_is_fine(request_: str, number: int) -> None:
    for run in runs(request_.format(number))[0]:
        assert run.code.output.endswith("\n")
        assert run.result
