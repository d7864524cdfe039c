"""The browser of the tests of serving shows the page of a session, too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "serving"))  # for `browser`
