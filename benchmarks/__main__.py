"""Runs every benchmark."""

from benchmarks import chain, interruption, local_live_api

chain.main()
interruption.main()
local_live_api.main()
