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
)
from pipeline.frames import (
    SECOND,
    AudioFrame,
    Frame,
    ImageFrame,
    Interruption,
    SessionEvent,
    Speaker,
    SpeechEnded,
    SpeechStarted,
    TextFrame,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    ToolsDeclared,
    Transcript,
    TurnEnded,
    TurnStarted,
    Usage,
)
from pipeline.graph import Graph
from pipeline.inbox import Inbox, InboxSettings
from pipeline.processor import (
    AudioFormat,
    Context,
    Duplex,
    Outbox,
    Processor,
    Sink,
    Source,
    Transform,
)
from pipeline.runtime.report import Report
from pipeline.runtime.run import Run, run
from pipeline.settings import CodeReference, InputPath, OutputPath, load_code

if TYPE_CHECKING:
    from pipeline.config import load

__version__ = "0.1.0"

__all__ = [
    "SECOND",
    "AudioFormat",
    "AudioFrame",
    "CodeReference",
    "ConfigError",
    "Context",
    "Duplex",
    "Finding",
    "Frame",
    "Graph",
    "ImageFrame",
    "Inbox",
    "InboxSettings",
    "InputPath",
    "Interruption",
    "Outbox",
    "OutputPath",
    "PipelineError",
    "Place",
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
    "TextFrame",
    "ToolCall",
    "ToolCallCancelled",
    "ToolResult",
    "ToolsDeclared",
    "Transcript",
    "Transform",
    "TurnEnded",
    "TurnStarted",
    "Usage",
    "load",
    "load_code",
    "run",
]


def __getattr__(name: str) -> Any:
    """`load` brings the YAML parser, which a graph built in Python does not need."""
    if name == "load":
        from pipeline.config import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
