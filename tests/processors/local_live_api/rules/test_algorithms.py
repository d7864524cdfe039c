"""The functions whose source is shown as code, against slower definitions of the same."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.local_live_api.rules import algorithms

SMALL = st.integers(0, 300)


def is_palindrome(number: int) -> bool:
    return str(number) == str(number)[::-1]


def is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, number))


@given(st.integers(0, 20_000))
def test_the_nearest_palindrome_is_the_first_met_on_either_side(number: int) -> None:
    met = (number + way * far for far in range(number + 12) for way in (-1, 1))
    assert algorithms.nearest_palindrome(number) == next(filter(is_palindrome, met))


@given(st.integers(0, 10**60))
def test_the_nearest_palindrome_of_a_large_number_is_one(number: int) -> None:
    found = algorithms.nearest_palindrome(number)
    assert is_palindrome(found)
    assert abs(found - number) <= 10 ** (len(str(number)) // 2)


@given(SMALL)
def test_primes(number: int) -> None:
    primes = [candidate for candidate in range(number) if is_prime(candidate)]
    assert algorithms.is_prime(number) is is_prime(number)
    assert algorithms.largest_prime(number) == max(primes, default=0)
    assert algorithms.largest_prime_palindrome(number) == max(
        filter(is_palindrome, primes), default=0
    )
    assert algorithms.sum_of_primes(number) == sum(primes)
    assert algorithms.first_primes(len(primes)) == primes
    assert algorithms.sum_of_first_primes(len(primes)) == sum(primes)


@given(SMALL)
def test_products_and_sequences(number: int) -> None:
    assert algorithms.factorial(number) == math.factorial(number)
    found = algorithms.fibonacci(number)
    assert len(found) == number
    assert all(a + b == c for a, b, c in zip(found, found[1:], found[2:], strict=False))
    assert algorithms.fibonacci_number(number) == algorithms.fibonacci(number + 1)[-1]


@given(st.integers(-50, 50), SMALL)
def test_sums_of_ranges(first: int, length: int) -> None:
    last = first + length
    numbers = list(range(first, last + 1))
    assert algorithms.sum_from_to(first, last) == (first + last) * len(numbers) // 2
    assert algorithms.sum_of_even_from_to(first, last) + algorithms.sum_of_odd_from_to(
        first, last
    ) == sum(numbers)
    assert algorithms.sum_of_odd_from_to(first, last) % 2 == sum(n % 2 for n in numbers) % 2
    assert algorithms.sum_of_squares_from_to(first, last) == sum(n**2 for n in numbers)


@pytest.mark.parametrize(("number", "expected"), [(0, 0), (610, 7), (999, 27)])
def test_digits(number: int, expected: int) -> None:
    assert algorithms.digit_sum(number) == expected


def test_values() -> None:
    assert algorithms.total([1, 2, 3.5]) == 6.5
    assert algorithms.average([2, 4, 9]) == 5
    assert algorithms.in_order([3, -1, 2]) == [-1, 2, 3]
    assert algorithms.count_words(4) == 4
