"""Runs every benchmark."""

from benchmarks import chain, interruption

chain.main()
interruption.main()
