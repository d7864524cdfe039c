"""The check of a graph before it runs, beside the event loop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from anyio import to_thread

from pipeline.deferring import is_anything_deferred, load_deferred
from pipeline.errors import ConfigError, errors_of
from pipeline.processor import Processor

if TYPE_CHECKING:
    from pipeline.graph import Graph


async def check_aside(graph: Graph) -> None:
    """Check it, in a thread if a processor of it looks at the machine: files and devices take
    their time, and other runs share the event loop.

    Logs advice, raises ConfigError for what is wrong. When cancelled, what hangs is left to itself.
    What processors compute with is imported, too, before the clock of the run starts.
    """
    if is_anything_deferred():
        await to_thread.run_sync(load_deferred)
    looks = (type(node.processor).check is not Processor.check for node in graph.nodes.values())
    if any(looks):
        findings = await to_thread.run_sync(graph.check, abandon_on_cancel=True)
    else:
        findings = graph.check()
    if errors := errors_of(findings):
        raise ConfigError(errors)
    for finding in findings:
        logging.getLogger("pipeline").warning("%s", finding)
