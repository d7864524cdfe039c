"""What the simulated model does when no scenario tells it: simple rules, always the same.

The texts of its `say` steps are literal: braces in them are not placeholders.
"""

from processors.local_live_api.rules.abilities import Abilities, Function
from processors.local_live_api.rules.answering import answer

__all__ = ["Abilities", "Function", "answer"]
