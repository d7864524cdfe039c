"""The local Live API: a server on loopback that speaks the protocol of the Gemini Live API.

It needs no key and no network, and can be used without the rest of this project:

    from processors.local_live_api import serve

    async with serve(backend="gemini-api") as server:
        print(server.url)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from processors.local_live_api.faults import Faults, load_faults
    from processors.local_live_api.scenario import Scenario
    from processors.local_live_api.server import LocalLiveApi, serve
    from processors.local_live_api.switches import Switches

__all__ = ["Faults", "LocalLiveApi", "Scenario", "Switches", "load_faults", "serve"]

_WHERE = {
    "Faults": "faults",
    "LocalLiveApi": "server",
    "Scenario": "scenario",
    "Switches": "switches",
    "load_faults": "faults",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    """The server brings websockets and numpy, which `pipeline --help` does without."""
    if name in _WHERE:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
