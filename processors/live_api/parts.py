"""What pieces of the model's output hold, as frames that do not know yet where they belong."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline import (
    AudioFrame,
    Code,
    CodeResult,
    Grounding,
    Speaker,
    SpeechEnded,
    SpeechStarted,
    VideoFrame,
    WebPage,
)
from processors.arrays import np
from processors.live_api.messages import (
    Blob,
    CodeExecutionResult,
    ExecutableCode,
    GroundingMetadata,
    Part,
    VoiceActivity,
)

OUTPUT_RATE = 24_000
OUTCOME_OK = "OUTCOME_OK"
_RATE = re.compile(r"rate=0*([1-9][0-9]{3,5})(?![0-9])")


def read_audio(blob: Blob) -> AudioFrame | None:
    """Sound; None where the bytes are something else. Half a sample at the end is left out.

    A rate below 1 kHz, or from 1 MHz on, is no rate of sound, and taken for the usual one.
    """
    if not blob.mime_type.startswith("audio/pcm"):
        return None
    rate = _RATE.search(blob.mime_type)
    samples = np.frombuffer(blob.data, "<i2", len(blob.data) // 2).reshape(-1, 1)
    return AudioFrame(samples, int(rate[1]) if rate else OUTPUT_RATE, Speaker.MODEL)


def read_shown(part: Part) -> Iterator[VideoFrame | Code | CodeResult]:
    """What is to be seen, and not to be heard or read."""
    video = read_video(part.inline_data) if part.inline_data is not None else None
    if video is not None:
        yield video
    if part.executable_code is not None:
        yield read_code(part.executable_code)
    if part.code_execution_result is not None:
        yield read_result(part.code_execution_result)


def read_video(blob: Blob) -> VideoFrame | None:
    """A piece of the video of an avatar; None where the bytes are something else."""
    if not blob.mime_type.startswith("video/"):
        return None
    return VideoFrame(blob.data, blob.mime_type)


def read_code(code: ExecutableCode) -> Code:
    """Code that the service runs."""
    return Code(code.code, code.language)


def read_result(result: CodeExecutionResult) -> CodeResult:
    """What became of it."""
    return CodeResult(result.output, result.outcome != OUTCOME_OK)


def read_grounding(metadata: GroundingMetadata) -> Grounding:
    """Searches and web pages; other kinds of sources are left out."""
    pages = (chunk.web for chunk in metadata.grounding_chunks if chunk.web)
    return Grounding(
        tuple(metadata.web_search_queries), tuple(WebPage(page.uri, page.title) for page in pages)
    )


def read_activity(activity: VoiceActivity) -> SpeechStarted | SpeechEnded | None:
    """What the service heard the user do; None for kinds that are newer than this."""
    kind = activity.type or activity.voice_activity_type
    if kind == "ACTIVITY_START":
        return SpeechStarted()
    return SpeechEnded() if kind == "ACTIVITY_END" else None
