"""The picture: valid, complete, and with room for its text."""

from xml.etree import ElementTree

import pytest

from pipeline.drawing.sketch import Arrow, Box, Sketch
from pipeline.drawing.svg import draw_svg, text_width

SVG = "{http://www.w3.org/2000/svg}"


def parts(drawn: Sketch, kind: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(draw_svg(drawn)).iter(SVG + kind))


def words(drawn: Sketch) -> list[str | None]:
    return [text.text for text in parts(drawn, "text")]


def test_everything_is_in_it(talk: Sketch) -> None:
    shown = words(talk)
    for box in talk.boxes:
        assert shown.count(box.name) == shown.count(box.kind) == 1
    assert shown.count("AudioFrame 16 kHz mono") == 1
    assert shown.count("AudioFrame 16 kHz mono,") == 1
    assert shown.count("SpeechStarted") == 1
    assert shown.count("64 frames, block") == 4
    assert shown.count("latest") == 1


def test_in_line_transforms_and_feedback_are_dashed(talk: Sketch) -> None:
    _, *boxes = parts(talk, "rect")
    assert [box.get("stroke-dasharray") is not None for box in boxes] == [
        box.inline for box in talk.boxes
    ]
    lines = [path for path in parts(talk, "path") if path.get("fill") == "none"]
    assert [line.get("stroke-dasharray") is not None for line in lines] == [
        arrow.feedback for arrow in talk.arrows
    ]


def test_heads_point_at_the_target(talk: Sketch) -> None:
    heads = [path.get("d", "") for path in parts(talk, "path") if path.get("fill") != "none"]
    assert ["l-8 " in head for head in heads] == [not arrow.feedback for arrow in talk.arrows]


def test_text_fits_into_its_box(talk: Sketch) -> None:
    _, *rects = parts(talk, "rect")
    for rect, box in zip(rects, talk.boxes, strict=True):
        assert float(rect.get("width", 0)) >= text_width(box.name, 14)
        assert float(rect.get("width", 0)) >= text_width(box.kind, 11)


def test_a_fragment_is_a_ground_with_its_name_under_what_is_in_it(nested: Sketch) -> None:
    assert words(nested)[:2] == ["leg", "leg.tail"]
    _, outer, inner, *boxes = parts(nested, "rect")
    assert [outer.get("class"), inner.get("class"), boxes[0].get("class")] == [
        *("group", "group"),
        None,
    ]

    def covers(ground: ElementTree.Element, other: ElementTree.Element) -> bool:
        return all(
            float(ground.get(at, 0)) < float(other.get(at, 0))
            and float(other.get(at, 0)) + float(other.get(size, 0))
            < float(ground.get(at, 0)) + float(ground.get(size, 0))
            for at, size in (("x", "width"), ("y", "height"))
        )

    assert covers(outer, inner)
    assert [covers(outer, box) for box in boxes] == [False, True, True, True, False]
    assert [covers(inner, box) for box in boxes] == [False, False, True, True, False]


def test_a_box_that_leads_to_itself() -> None:
    box = Box("gemini", "LiveApi", "duplex", inline=False)
    drawn = Sketch((box,), (Arrow(0, 0, ("TextFrame",), "latest", feedback=True),))
    assert words(drawn) == ["TextFrame", "latest", "gemini", "LiveApi", "gemini", "again"]


def test_text_is_escaped() -> None:
    drawn = Sketch((Box("a", "<T&>", "source", inline=False),), ())
    assert words(drawn) == ["a", "<T&>"]


@pytest.mark.parametrize(
    ("text", "widest"),
    [("WWWW", 4 * 0.989), ("mmmm", 4 * 0.974), ("eeee", 4 * 0.616), ("漢字", 2 * 1.0)],
)
def test_text_is_never_wider_than_measured(text: str, widest: float) -> None:
    """In ems of DejaVu Sans, the widest of the usual fonts."""
    assert text_width(text, 1) >= widest
