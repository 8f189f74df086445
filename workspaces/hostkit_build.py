"""Builds hostkit as a zipapp: the same source gives the same bytes, and the name holds their hash."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).parent / "hostkit"
SHEBANG = b"#!/usr/bin/env python3\n"
MAIN = b"import sys\nfrom hostkit.__main__ import main\nsys.exit(main())\n"
FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def build() -> tuple[str, bytes]:
    """Return the zipapp's file name and content."""
    content = SHEBANG + _archive()
    return f"hostkit-{hashlib.sha256(content).hexdigest()[:16]}.pyz", content


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", MAIN)
        for path in sorted(PACKAGE.rglob("*.py")):
            _add(archive, f"hostkit/{path.relative_to(PACKAGE).as_posix()}", path.read_bytes())
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a file uncompressed: compressors differ between Python versions."""
    info = zipfile.ZipInfo(name, FIXED_TIME)
    info.external_attr = 0o644 << 16
    info.create_system = 3
    archive.writestr(info, data)
