"""Functions that the simulated model shows and runs as its code; each stands on its own.

Arguments are whole numbers from 0 up unless they are said to be values.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt


def is_prime(number: int) -> bool:
    """Whether no smaller number divides it."""
    return number > 1 and all(number % divisor for divisor in range(2, isqrt(number) + 1))


def largest_prime(limit: int) -> int:
    """The largest prime below a limit."""
    return next((number for number in range(limit - 1, 1, -1) if is_prime(number)), 0)


def largest_prime_palindrome(limit: int) -> int:
    """The largest palindrome below a limit that is prime."""
    # But for 11, palindromes of an even length are multiples of 11.
    for half in range(10 ** ((len(str(limit)) + 1) // 2), 0, -1):
        number = int(str(half) + str(half)[-2::-1])
        if number < limit and is_prime(number):
            return max(number, 11) if limit > 11 else number
    return 0


def first_primes(count: int) -> list[int]:
    """The first primes."""
    primes: list[int] = []
    number = 2
    while len(primes) < count:
        if is_prime(number):
            primes.append(number)
        number += 1
    return primes


def sum_of_first_primes(count: int) -> int:
    """The sum of the first primes."""
    return sum(first_primes(count))


def sum_of_primes(limit: int) -> int:
    """The sum of the primes below a limit."""
    return sum(number for number in range(limit) if is_prime(number))


def factorial(number: int) -> int:
    """The product of 1 to a number."""
    product = 1
    for factor in range(2, number + 1):
        product *= factor
    return product


def fibonacci(count: int) -> list[int]:
    """The first Fibonacci numbers, beginning with 0 and 1."""
    found = [0, 1]
    while len(found) < count:
        found.append(found[-2] + found[-1])
    return found[:count]


def fibonacci_number(position: int) -> int:
    """The Fibonacci number at a position, the first two being 1."""
    return fibonacci(position + 1)[-1]


def sum_from_to(first: int, last: int) -> int:
    """The sum of all whole numbers from one to another."""
    return sum(range(first, last + 1))


def sum_of_even_from_to(first: int, last: int) -> int:
    """The sum of the even numbers from one to another."""
    return sum(number for number in range(first, last + 1) if number % 2 == 0)


def sum_of_odd_from_to(first: int, last: int) -> int:
    """The sum of the odd numbers from one to another."""
    return sum(number for number in range(first, last + 1) if number % 2)


def sum_of_squares_from_to(first: int, last: int) -> int:
    """The sum of the squares of all whole numbers from one to another."""
    return sum(number * number for number in range(first, last + 1))


def nearest_palindrome(number: int) -> int:
    """The palindrome nearest to a number, the smaller one of two."""
    digits = str(number)
    half = int(digits[: (len(digits) + 1) // 2])
    shorter, longer = int("9" * (len(digits) - 1) or "0"), int("9" * len(digits)) + 2
    lefts = map(str, (max(half - 1, 0), half, half + 1))
    mirrored = [int(left + left[::-1][len(digits) % 2 :]) for left in lefts]
    return min(shorter, longer, *mirrored, key=lambda it: (abs(it - number), it))


def digit_sum(number: int) -> int:
    """The sum of the digits of a number."""
    return sum(map(int, str(number)))


def total(values: Sequence[float]) -> float:
    """The sum of some numbers."""
    return sum(values)


def average(values: Sequence[float]) -> float:
    """The mean of some numbers."""
    return sum(values) / len(values)


def in_order(values: Sequence[float]) -> list[float]:
    """Some numbers from the smallest to the largest."""
    return sorted(values)


def count_words(count: int) -> int:
    """The sum of one for every word."""
    return sum(1 for _ in range(count))
