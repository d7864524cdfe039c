"""Exit statuses of all commands."""

DONE = 0
FAILED = 1
"""What was to be done could not be; of a run, a processor failed."""
WRONG_INPUT = 2
"""The input is wrong, and nothing was done."""
STOPPED = 128
"""Plus the number of the signal, as a shell would say it."""
