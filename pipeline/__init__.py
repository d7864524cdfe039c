"""Build real-time conversations with machines out of composable frame processors.

This is the whole public interface: what a custom processor needs, and what it takes to build and
run a graph from Python. Processors that come with the package live in `processors`.
"""

from pipeline.config import load
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
