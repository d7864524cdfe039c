"""Why there is an error, what one looks like, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple


class Explanation(NamedTuple):
    """Why there is such an error, what one looks like, and what to do about it."""

    cause: str
    example: str
    remedy: str

    def __str__(self) -> str:
        example = "\n".join(f"    {line}" for line in self.example.strip().splitlines())
        return f"{self.cause}\n\nExample:\n\n{example}\n\nRemedy: {self.remedy}\n"
