"""Makes `batch_bench` importable: a small configuration, and jobs for it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
