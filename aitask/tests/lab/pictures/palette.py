"""Reduces a screenshot to 256 colours: a quarter of the bytes without a visible difference."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 256
CHANNELS = {2: 3, 6: 4}
"""Bytes per pixel for PNG's colour types: without and with transparency."""

Colour = bytes


def reduced(png: bytes) -> bytes:
    """Return the same picture as a PNG with a palette."""
    width, height, rows = decode(png)
    counts: Counter[Colour] = Counter()
    for row in rows:
        counts.update(row)
    kept, index = palette_of([colour for colour, _ in counts.most_common()])
    lines = b"".join(b"\0" + bytes(index[pixel] for pixel in row) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", b"".join(kept)), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in parts)


def palette_of(colours: list[Colour]) -> tuple[list[Colour], dict[Colour, int]]:
    """Return the palette, and the palette's colour for each colour; the most common colours come first.

    No colour changes by more than the smallest distance for which 256 colours are enough.
    """
    distance = 0
    while (found := _merged(colours, distance)) is None:
        distance = distance * 2 or 2
    return found


def _merged(colours: list[Colour], distance: int) -> tuple[list[Colour], dict[Colour, int]] | None:
    """Merge colours within `distance`; None if more than 256 are left."""
    kept: list[Colour] = []
    index: dict[Colour, int] = {}
    for colour in colours:
        near = (place for place, other in enumerate(kept) if _is_near(colour, other, distance))
        index[colour] = next(near, len(kept))
        if index[colour] == len(kept):
            kept.append(colour)
        if len(kept) > COLOURS:
            return None
    return kept, index


def _is_near(one: Colour, other: Colour, distance: int) -> bool:
    return (
        abs(one[0] - other[0]) <= distance
        and abs(one[1] - other[1]) <= distance
        and abs(one[2] - other[2]) <= distance
    )


def decode(png: bytes) -> tuple[int, int, list[list[Colour]]]:
    """Return width, height and the colours of each row, without transparency. Reads the PNGs of browsers."""
    chunks = list(_chunks(png))
    width, height, depth, kind, *_, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if depth != 8 or kind not in CHANNELS or interlaced:
        raise ValueError("This is no picture of a browser.")
    step = CHANNELS[kind]
    data = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    above = bytearray(width * step)
    rows = []
    for start in range(0, len(data), width * step + 1):
        above = _unfiltered(data[start], bytearray(data[start + 1 : start + 1 + width * step]), above, step)
        rows.append([bytes(above[at : at + 3]) for at in range(0, len(above), step)])
    return width, height, rows


def _unfiltered(kind: int, line: bytearray, above: bytearray, step: int) -> bytearray:
    """Undo the filter of a row: PNG stores differences to neighbouring bytes."""
    for at in range(len(line)):
        left = line[at - step] if at >= step else 0
        corner = above[at - step] if at >= step else 0
        guesses = (0, left, above[at], (left + above[at]) // 2, _paeth(left, above[at], corner))
        line[at] = (line[at] + guesses[kind]) & 0xFF
    return line


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
