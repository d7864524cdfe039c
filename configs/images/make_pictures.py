"""Makes 1-circle.png, 2-stripes.png and 3-chequers.jpg, with the standard library only.

Run it again with

    python configs/images/make_pictures.py
"""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).parent
SIDE = 64
WHITE, RED, BLUE = b"\xff\xff\xff", b"\xd0\x20\x20", b"\x20\x40\xc0"


def circle(x: int, y: int) -> bytes:
    """The colour of a pixel: a red disc on white."""
    return RED if (x - 32) ** 2 + (y - 32) ** 2 < 24**2 else WHITE


def stripes(x: int, y: int) -> bytes:
    """The colour of a pixel: blue stripes on white."""
    return BLUE if y // 8 % 2 else WHITE


def png(colour: Callable[[int, int], bytes]) -> bytes:
    """A picture of 24-bit colour; each row begins with the number of its filter, 0 for none."""
    rows = b"".join(b"\0" + b"".join(colour(x, y) for x in range(SIDE)) for y in range(SIDE))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg(level: Callable[[int, int], int]) -> bytes:
    """A grey baseline picture whose blocks of 8 x 8 pixels have one brightness each, 0 to 255.

    A block is then its mean alone: the difference to the block before, as a Huffman code for its
    number of bits and these bits, and one code for the end of the block (ITU-T T.81, F.1.2.1).
    """

    def segment(marker: int, data: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data

    bits, before = "", 0
    for y in range(SIDE // 8):
        for x in range(SIDE // 8):
            mean = (
                level(x, y) - 128
            )  # the first coefficient is 8 times this; the table divides by 8
            difference, before = mean - before, mean
            size = abs(difference).bit_length()
            value = difference if difference >= 0 else difference + (1 << size) - 1
            bits += f"{size:04b}" + (f"{value:0{size}b}" if size else "") + "0"
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    means = bytes([0, 0, 0, 12, *[0] * 12, *range(12)])  # twelve codes of 4 bits: the sizes 0 to 11
    others = bytes([0x10, 1, *[0] * 15, 0])  # one code of 1 bit: the end of the block
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
            segment(0xDB, bytes([0, *[8] * 64])),
            segment(0xC0, struct.pack(">BHHBBBB", 8, SIDE, SIDE, 1, 1, 0x11, 0)),
            segment(0xC4, means),
            segment(0xC4, others),
            segment(0xDA, bytes([1, 1, 0, 0, 63, 0])),
            scan,
            b"\xff\xd9",
        ]
    )


def main() -> None:
    """Writes the three files."""
    (FOLDER / "1-circle.png").write_bytes(png(circle))
    (FOLDER / "2-stripes.png").write_bytes(png(stripes))
    (FOLDER / "3-chequers.jpg").write_bytes(jpeg(lambda x, y: 230 if (x + y) % 2 else 40))


if __name__ == "__main__":
    main()
