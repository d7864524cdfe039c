"""Makes importable `portaudio`, the stand-in for a sound card, and `addresses`, real servers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
