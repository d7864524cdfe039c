"""The frames that a conversation takes from the graph and gives to it."""

from pipeline import (
    AudioFrame,
    Code,
    CodeResult,
    Gap,
    Grounding,
    ImageFrame,
    Instruction,
    Interruption,
    SessionEvent,
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
)

Takes = (
    AudioFrame
    | ImageFrame
    | TextFrame
    | SpeechStarted
    | SpeechEnded
    | ToolResult
    | ToolsDeclared
    | Instruction
)
Gives = (
    AudioFrame
    | VideoFrame
    | TextFrame
    | Transcript
    | SpeechStarted
    | SpeechEnded
    | TurnStarted
    | TurnEnded
    | ToolCall
    | ToolCallCancelled
    | Thought
    | Code
    | CodeResult
    | Grounding
    | Gap
    | SessionEvent
    | Usage
    | Interruption
)
