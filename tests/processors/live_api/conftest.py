"""Tests over sockets: in virtual time, on asyncio, with the helpers of `live_bench`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # `importlib` mode does not do it
