"""Files for agents: samples of each kind, and which of them a model request contains."""

from __future__ import annotations

import base64
import binascii
import contextlib
import gzip
import hashlib
import io
import json
import os
import struct
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PDF = b"""%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 72 72]>> endobj
% The app's own empty PDF is longer than the shortest that can be written, so that it is one for every reader.
% It takes the place of this one in transcripts of removed tasks, which people can still resume.
trailer <</Root 1 0 R>>
%%EOF
"""
TEXT = "Traceback (most recent call last):\n  zweite Zeile mit ü\n".encode()


def picture(red: int = 200, size: int = 40) -> bytes:
    """Return a PNG of one colour."""
    rows = b"".join(b"\0" + bytes([red, 10, 60]) * size for _ in range(size))
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", binascii.crc32(kind + data))


def archive(content: bytes = b"inside\n") -> bytes:
    """Return a compressed tar archive with one file."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        info = tarfile.TarInfo("inside.txt")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return gzip.compress(made.getvalue(), mtime=0)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def traces_in(content: bytes, *folders: Path) -> list[Path]:
    """Return the files that have this content or a part of it, as it is, in base64, or in JSON."""
    forms = [content[-40:], base64.b64encode(content)[20:60]]
    with contextlib.suppress(UnicodeDecodeError):
        text = content.decode()
        forms += [json.dumps(text, ensure_ascii=pure)[1:-1].encode() for pure in (True, False)]
    found = []
    for folder in folders:
        for root, _, names in os.walk(
            folder
        ):  # what a program removes meanwhile is no error, unlike in rglob
            files = (Path(root, name) for name in names)
            found += [path for path in files if any(form in _read(path) for form in forms)]
    return found


def _read(path: Path) -> bytes:
    """Return the content of a file that is no link; nothing if it has gone."""
    try:
        return b"" if path.is_symlink() or not path.is_file() else path.read_bytes()
    except FileNotFoundError:
        return b""


def digests_in(value: Any) -> Iterator[str]:
    """Yield the SHA-256 of each picture and document in the body of a model request."""
    if isinstance(value, dict):
        source = value.get("source")
        url = value.get("image_url")
        if isinstance(source, dict) and source.get("type") == "base64":
            yield digest(base64.b64decode(source["data"]))
        elif isinstance(source, dict) and source.get("type") == "text":
            yield digest(source["data"].encode())
        elif isinstance(url, str) and url.startswith("data:"):
            yield digest(base64.b64decode(url.partition(",")[2]))
        else:
            for each in value.values():
                yield from digests_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from digests_in(each)
