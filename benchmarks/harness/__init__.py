"""Rounds, child processes, results, and how they are shown; knows nothing of any benchmark."""
