"""The models and voices of the Live API: data, since they change more often than code."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

BackendName = Literal["vertex", "gemini_api"]

VOICES = (
    "Aoede", "Charon", "Fenrir", "Kore", "Leda", "Orus", "Puck", "Zephyr",
    "Achernar", "Achird", "Algenib", "Algieba", "Alnilam", "Autonoe", "Callirrhoe", "Despina",
    "Enceladus", "Erinome", "Gacrux", "Iapetus", "Laomedeia", "Pulcherrima", "Rasalgethi",
    "Sadachbia", "Sadaltager", "Schedar", "Sulafat", "Umbriel", "Vindemiatrix", "Zubenelgenubi",
)  # fmt: skip
"""The prebuilt voices, as spelled on the wire: the eight of 2025, then those of 2026."""


class Model(Struct, frozen=True):
    """What a model of the Live API can do.

    modalities: what it answers with. thinking, code, affective: features that can be asked for.
    video: it can show a face, on Vertex. translates: it interprets, and does nothing else.
    content: whether typed input may come as `clientContent` in mid-session, or only as realtime
    text. nonblocking: functions run beside the conversation unless declared otherwise.
    tokens: its context window. retired: no longer served.
    """

    name: str
    backends: tuple[BackendName, ...]
    modalities: tuple[str, ...] = ("AUDIO",)
    thinking: bool = False
    code: bool = False
    affective: bool = True
    video: bool = False
    translates: bool = False
    content: bool = True
    nonblocking: bool = False
    tokens: int = 128_000
    retired: bool = False


_BOTH: tuple[BackendName, ...] = ("vertex", "gemini_api")
_CASCADE = ("TEXT", "AUDIO")

MODELS = {
    model.name: model
    for model in (
        Model("gemini-2.0-flash-live-preview-04-09", ("vertex", "gemini_api"), _CASCADE,
              code=True, tokens=32_768, retired=True),
        Model("gemini-2.0-flash-live-001", ("gemini_api",), _CASCADE,
              code=True, tokens=32_768, retired=True),
        Model("gemini-live-2.5-flash-preview", ("gemini_api",), _CASCADE,
              code=True, tokens=32_768, retired=True),
        Model("gemini-live-2.5-flash", ("vertex",), _CASCADE, code=True, tokens=32_768),
        Model("gemini-live-2.5-flash-native-audio", ("vertex",)),
        Model("gemini-2.5-flash-native-audio-preview-09-2025", ("gemini_api",), thinking=True),
        Model("gemini-2.5-flash-native-audio-preview-12-2025", ("gemini_api",), thinking=True),
        Model("gemini-3.1-flash-live-preview", ("gemini_api",), thinking=True, affective=False,
              content=False),
        Model("gemini-3.8-live", _BOTH, thinking=True, video=True, content=False,
              nonblocking=True),
        Model("gemini-3.8-live-preview", ("vertex",), thinking=True, video=True, content=False,
              nonblocking=True),
        Model("gemini-3.8-live-extended-thinking", _BOTH, thinking=True, video=True,
              content=False, nonblocking=True),
        Model("gemini-3.8-live-extended-thinking-preview", ("vertex",), thinking=True, video=True,
              content=False, nonblocking=True),
        Model("gemini-3.5-live-translate-preview", ("gemini_api",), translates=True),
        Model("gemini-3.5-transcribe-live", ("gemini_api",), ("TEXT",)),
    )
}  # fmt: skip


def short_name(model: str) -> str:
    """The last part of a resource name: `projects/.../models/gemini-3.8-live` has it at the end."""
    return model.rpartition("/")[2]


def find_model(model: str) -> Model | None:
    """What is known of a model, by its short or full name; None for one that is not known."""
    return MODELS.get(short_name(model))
