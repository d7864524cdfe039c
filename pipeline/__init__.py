"""Build real-time conversations with machines out of composable frame processors.

This is the whole public interface: what a custom processor needs, and what it takes to build and
run a graph from Python. Processors that come with the package live in `processors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.errors import (
    ConfigError,
    Finding,
    PipelineError,
    Place,
    ProcessorFailure,
    SettingError,
    did_you_mean,
)
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
from pipeline.settings import CodeReference, InputPath, OutputPath, code_refused, load_code
from pipeline.supervision import OnError, Supervision

if TYPE_CHECKING:
    from pipeline.config import load, read_yaml
    from pipeline.drawing.picture import draw_graph
    from pipeline.observing.control import Control
    from pipeline.observing.installed import wants_telemetry

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
    "WebPage",
    "code_refused",
    "did_you_mean",
    "draw_graph",
    "load",
    "load_code",
    "read_yaml",
    "run",
    "wants_telemetry",
]


def __getattr__(name: str) -> Any:
    """What a graph built in Python does not need: the YAML parser, the drawing, the socket."""
    if name in ("load", "read_yaml"):
        from pipeline import config

        return getattr(config, name)
    if name == "draw_graph":
        from pipeline.drawing.picture import draw_graph

        return draw_graph
    if name == "Control":
        from pipeline.observing.control import Control

        return Control
    if name == "wants_telemetry":
        from pipeline.observing.installed import wants_telemetry

        return wants_telemetry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
