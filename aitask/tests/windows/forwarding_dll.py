"""Writes a DLL without code: each function that it exports is another DLL's. The format is Microsoft's PE."""

from __future__ import annotations

import struct
from collections.abc import Mapping

SECTION = 0x1000
"""The address of the only section, relative to the image."""
FILE_ALIGNMENT = 0x200


def forwarding_dll(name: str, forwards: Mapping[str, str]) -> bytes:
    """Return a 64-bit DLL. `forwards` maps its functions to others, such as `advapi32.SystemFunction036`."""
    exports = export_section(name, forwards)
    header = headers(len(exports))
    return header.ljust(FILE_ALIGNMENT, b"\0") + exports.ljust(FILE_ALIGNMENT, b"\0")


def export_section(name: str, forwards: Mapping[str, str]) -> bytes:
    """Return the directory of exports, its tables of addresses, names and ordinals, and their texts."""
    names = sorted(forwards)
    count = len(names)
    tables = SECTION + 40
    texts, places = b"", []
    for text in [name, *(forwards[each] for each in names), *names]:
        places.append(tables + 10 * count + len(texts))
        texts += text.encode() + b"\0"
    directory = struct.pack(
        "<IIHHIIIIIII", 0, 0, 0, 0, places[0], 1, count, count, tables, tables + 4 * count, tables + 8 * count
    )
    addresses = struct.pack(f"<{2 * count}I", *places[1:])
    return directory + addresses + struct.pack(f"<{count}H", *range(count)) + texts


def headers(size: int) -> bytes:
    """Return the headers of a DLL whose only section, the exports, has `size` bytes."""
    dos = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, 240, 0x2022)
    standard = struct.pack("<HBBIIIII", 0x20B, 14, 0, 0, FILE_ALIGNMENT, 0, 0, SECTION)
    image = struct.pack(
        "<QIIHHHHHHIIIIHH",
        0x180000000,
        SECTION,
        FILE_ALIGNMENT,
        6,
        0,
        0,
        0,
        6,
        0,
        0,
        0x2000,
        0x200,
        0,
        3,
        0x160,
    )
    memory = struct.pack("<QQQQII", 1 << 20, 1 << 12, 1 << 20, 1 << 12, 0, 16)
    directories = struct.pack("<II", SECTION, size).ljust(16 * 8, b"\0")
    section = struct.pack("<8sIIIIIIHHI", b".rdata", size, SECTION, 0x200, 0x200, 0, 0, 0, 0, 0x40000040)
    return dos + coff + standard + image + memory + directories + section
