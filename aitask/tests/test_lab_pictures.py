"""The palette of the README's pictures."""

from __future__ import annotations

import struct
import zlib

from aitask.tests.lab.pictures.palette import SIGNATURE, decode, palette_of, reduced

RED, GREEN, WHITE = b"\xff\0\0", b"\0\x80\0", b"\xff\xff\xff"


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(*lines: bytes) -> bytes:
    """Three pixels a row; each line begins with its filter."""
    header = struct.pack(">IIBBBBB", 3, len(lines), 8, 2, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(lines)))


def test_each_filter_of_png_is_read() -> None:
    zero = bytes(9)
    plain, left, up = b"\0" + RED + GREEN + WHITE, b"\x01" + RED + zero[:6], b"\x02" + zero
    average, paeth = b"\x03" + b"\x80\0\0" + zero[:6], b"\x04" + zero
    _, _, rows = decode(png(plain, left, up, average, paeth))
    assert rows[:3] == [[RED, GREEN, WHITE], [RED] * 3, [RED] * 3]
    assert rows[3] == rows[4] == [b"\xff\0\0"] * 3


def test_a_picture_of_few_colours_has_a_palette_of_just_these() -> None:
    small = reduced(png(b"\0" + RED + GREEN + RED))
    assert b"PLTE" + RED + GREEN in small
    assert zlib.decompress(small[small.index(b"IDAT") + 4 : -16]) == b"\0\0\1\0"


def test_many_colours_become_256_of_which_none_is_far() -> None:
    colours = [bytes((red, green, 0)) for red in range(64) for green in range(64)]
    kept, index = palette_of(colours)
    assert len(kept) <= 256
    assert max(abs(a - b) for each in colours for a, b in zip(each, kept[index[each]], strict=True)) <= 4
