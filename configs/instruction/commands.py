"""Commands among typed lines."""

from collections.abc import Iterator

from pipeline import Instruction, TextFrame, Transform


class Commands(Transform):
    """Turns "/be ..." into a system instruction."""

    def process(self, frame: TextFrame) -> Iterator[TextFrame | Instruction]:
        command, _, rest = frame.text.partition(" ")
        yield Instruction(rest) if command == "/be" else frame
