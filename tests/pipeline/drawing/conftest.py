import pytest

from pipeline.drawing.sketch import Arrow, Box, Sketch


@pytest.fixture
def talk() -> Sketch:
    """A conversation: a fork, a merge, a cycle, an in-line transform."""
    return Sketch(
        (
            Box("mic", "Microphone", "source", inline=False),
            Box("typed", "TextSource", "source", inline=False),
            Box("gate", "VadGate", "transform", inline=True),
            Box("gemini", "LiveApi", "duplex", inline=False),
            Box("tools", "ToolDispatcher", "duplex", inline=False),
            Box("speaker", "AudioSink", "sink", inline=False),
        ),
        (
            Arrow(0, 2, ("AudioFrame 16 kHz mono",), "", feedback=False),
            Arrow(2, 3, ("AudioFrame 16 kHz mono", "SpeechStarted"), "64 frames, block", False),
            Arrow(1, 3, ("TextFrame",), "64 frames, block", feedback=False),
            Arrow(3, 5, ("AudioFrame",), "latest", feedback=False),
            Arrow(3, 4, ("ToolCall",), "64 frames, block", feedback=False),
            Arrow(4, 3, ("ToolResult",), "64 frames, block", feedback=True),
        ),
    )


@pytest.fixture
def nested() -> Sketch:
    """A fragment with another one within it, between two boxes that are in none."""
    return Sketch(
        (
            Box("mic", "Microphone", "source", inline=False),
            Box("leg.to_16k", "Resampler", "transform", inline=True),
            Box("leg.tail.rate", "Resampler", "transform", inline=True),
            Box("leg.tail.file", "AudioSink", "sink", inline=False),
            Box("gemini", "LiveApi", "duplex", inline=False),
        ),
        (
            Arrow(0, 1, ("AudioFrame",), "", feedback=False),
            Arrow(1, 2, ("AudioFrame",), "", feedback=False),
            Arrow(2, 3, ("AudioFrame",), "latest", feedback=False),
            Arrow(1, 4, ("AudioFrame",), "latest", feedback=False),
        ),
    )
