"""Every kind of part, to the letter and back."""

import json
from typing import Any

import msgspec
import pytest

from processors.live_api.messages import (
    Blob,
    CodeExecutionResult,
    Content,
    ExecutableCode,
    FileData,
    FunctionCall,
    FunctionResponse,
    Part,
    encode,
)

PARTS = [
    (Part(text=""), {"text": ""}),
    (Part(text="Hm", thought=True), {"text": "Hm", "thought": True}),
    (Part(thought_signature=b"\xfb\xff"), {"thoughtSignature": "+/8="}),
    (
        Part(inline_data=Blob(mime_type="image/png", data=b"\x89", display_name="a.png")),
        {"inlineData": {"mimeType": "image/png", "data": "iQ==", "displayName": "a.png"}},
    ),
    (
        Part(file_data=FileData(mime_type="image/png", file_uri="gs://b/o.png")),
        {"fileData": {"mimeType": "image/png", "fileUri": "gs://b/o.png"}},
    ),
    (
        Part(function_call=FunctionCall(id="1", name="f", args={"snake_key": {"camelKey": None}})),
        {"functionCall": {"id": "1", "name": "f", "args": {"snake_key": {"camelKey": None}}}},
    ),
    (
        Part(
            function_response=FunctionResponse(
                name="f", response={}, parts=[Part(inline_data=Blob(data=b"\x89"))]
            )
        ),
        {
            "functionResponse": {
                "name": "f",
                "response": {},
                "parts": [{"inlineData": {"data": "iQ=="}}],
            }
        },
    ),
    (
        Part(executable_code=ExecutableCode(language="PYTHON", code="print(1)", id="c")),
        {"executableCode": {"language": "PYTHON", "code": "print(1)", "id": "c"}},
    ),
    (
        Part(code_execution_result=CodeExecutionResult(outcome="OUTCOME_NEW", output="1\n")),
        {"codeExecutionResult": {"outcome": "OUTCOME_NEW", "output": "1\n"}},
    ),
]


@pytest.mark.parametrize(("part", "expected"), PARTS)
def test_parts(part: Part, expected: dict[str, Any]) -> None:
    assert json.loads(encode(part)) == expected
    assert msgspec.json.decode(json.dumps(expected), type=Part) == part


def test_instances_do_not_share_their_lists() -> None:
    one, other = Content(), Content()
    one.parts.append(Part(text="a"))
    assert other.parts == Content().parts == []
