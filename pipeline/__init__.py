"""Build real-time conversations with machines out of composable frame processors.

This is the whole public interface: what a custom processor needs, and what it takes to build and
run a graph from Python. Processors that come with the package live in `processors`.

A name is imported when it is first asked for: `pipeline --help` needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import load, read_yaml
    from pipeline.deferring import deferred
    from pipeline.drawing.picture import draw_graph
    from pipeline.errors import (
        ConfigError,
        Finding,
        PipelineError,
        Place,
        ProcessorFailure,
        SettingError,
        did_you_mean,
    )
    from pipeline.files import no_file
    from pipeline.frames import (
        SECOND,
        AudioFrame,
        Code,
        CodeResult,
        DeadLetter,
        Frame,
        Gap,
        Grounding,
        ImageFrame,
        Instruction,
        Interruption,
        Playback,
        SessionEvent,
        Speaker,
        SpeechEnded,
        SpeechStarted,
        TextFrame,
        Thought,
        ToolCall,
        ToolCallCancelled,
        ToolResult,
        ToolsDeclared,
        Transcript,
        TurnEnded,
        TurnStarted,
        Usage,
        VideoFrame,
        WebPage,
    )
    from pipeline.graph import Graph
    from pipeline.inbox import Inbox, InboxSettings
    from pipeline.observing.control import Control
    from pipeline.observing.installed import wants_telemetry
    from pipeline.processor import (
        AudioFormat,
        Context,
        Device,
        Duplex,
        Outbox,
        Processor,
        Sink,
        Source,
        Surroundings,
        Transform,
    )
    from pipeline.runtime.observer import Observer
    from pipeline.runtime.report import Report
    from pipeline.runtime.run import Run, run
    from pipeline.runtime.waker import waker
    from pipeline.runtime.watchdog import Watchdog
    from pipeline.settings import CodeReference, InputPath, OutputPath, code_refused, load_code
    from pipeline.supervision import OnError, Supervision
    from pipeline.wakeup import Wakeup

__version__ = "0.1.0"

__all__ = [
    "SECOND",
    "AudioFormat",
    "AudioFrame",
    "Code",
    "CodeReference",
    "CodeResult",
    "ConfigError",
    "Context",
    "Control",
    "DeadLetter",
    "Device",
    "Duplex",
    "Finding",
    "Frame",
    "Gap",
    "Graph",
    "Grounding",
    "ImageFrame",
    "Inbox",
    "InboxSettings",
    "InputPath",
    "Instruction",
    "Interruption",
    "Observer",
    "OnError",
    "Outbox",
    "OutputPath",
    "PipelineError",
    "Place",
    "Playback",
    "Processor",
    "ProcessorFailure",
    "Report",
    "Run",
    "SessionEvent",
    "SettingError",
    "Sink",
    "Source",
    "Speaker",
    "SpeechEnded",
    "SpeechStarted",
    "Supervision",
    "Surroundings",
    "TextFrame",
    "Thought",
    "ToolCall",
    "ToolCallCancelled",
    "ToolResult",
    "ToolsDeclared",
    "Transcript",
    "Transform",
    "TurnEnded",
    "TurnStarted",
    "Usage",
    "VideoFrame",
    "Wakeup",
    "Watchdog",
    "WebPage",
    "code_refused",
    "deferred",
    "did_you_mean",
    "draw_graph",
    "load",
    "load_code",
    "no_file",
    "read_yaml",
    "run",
    "waker",
    "wants_telemetry",
]


_HOMES = (
    "pipeline.deferring",
    "pipeline.errors",
    "pipeline.frames",
    "pipeline.wakeup",
    "pipeline.supervision",
    "pipeline.settings",
    "pipeline.inbox",
    "pipeline.processor",
    "pipeline.graph",
    "pipeline.runtime.report",
    "pipeline.runtime.observer",
    "pipeline.runtime.run",
    "pipeline.runtime.waker",
    "pipeline.runtime.watchdog",
    "pipeline.files",
    "pipeline.config",
    "pipeline.drawing.picture",
    "pipeline.observing.control",
    "pipeline.observing.installed",
)
"""Where the names above are defined; each imports little but those before it."""


def __getattr__(name: str) -> Any:
    """A public name, when it is first asked for."""
    if name in __all__:
        for module in map(import_module, _HOMES):
            if name in vars(module):
                return globals().setdefault(name, vars(module)[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
