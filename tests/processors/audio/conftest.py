"""Makes importable `portaudio`, the stand-in for a sound card, and `addresses`, real servers."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from portaudio import StandIn


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a stand-in, from its arguments, the sound devices of this machine."""

    def make(*args: Any, **settings: Any) -> StandIn:
        stand_in = StandIn(*args, **settings)
        monkeypatch.setitem(sys.modules, "sounddevice", stand_in)
        return stand_in

    return make
