"""Builds hostkit as a zipapp: the same source gives the same bytes, and the name holds their hash.

It contains the source, which runs on any Python, and its bytecode for the Python of the app. A host with that
version, such as the app's own machine, starts from the bytecode, in half the time. Others ignore it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import marshal
import os
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

PACKAGE = Path(__file__).parent / "hostkit"
SHEBANG = b"#!/usr/bin/env python3\n"
MAIN = b"import sys\nfrom hostkit.__main__ import main\nsys.exit(main())\n"
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
UNCHECKED = (1).to_bytes(4, "little")
"""The flag of bytecode that Python does not compare with its source."""


def build() -> tuple[str, bytes]:
    """Return the zipapp's file name and content."""
    content = _compiled()
    return f"hostkit-{hashlib.sha256(content).hexdigest()[:16]}.pyz", content


def _compiled() -> bytes:
    """Return the zipapp, which is kept where Python keeps bytecode: compiling all modules takes a while."""
    sources = _sources()
    digest = _digest(sources)
    kept = _cache()
    with suppress(OSError):
        content = kept.read_bytes()
        if content.endswith(digest):
            return content
    content = SHEBANG + _archive(sources, digest)
    try:
        _write(kept, content)
    except OSError:  # the folder is read-only, so each process would compile
        return SHEBANG + _archive(sources)
    return content


def _sources() -> dict[str, bytes]:
    """Map the names in the archive to their source."""
    files = {
        f"hostkit/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes() for path in PACKAGE.rglob("*.py")
    }
    return {"__main__.py": MAIN, **dict(sorted(files.items()))}


def _digest(sources: Mapping[str, bytes]) -> bytes:
    digest = hashlib.sha256(sys.version.encode() + Path(__file__).read_bytes())
    for name, data in sources.items():
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest().encode()


def _cache() -> Path:
    return Path(importlib.util.cache_from_source(f"{PACKAGE}.py")).with_suffix(".pyz")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(temporary).replace(path)


def _archive(sources: Mapping[str, bytes], digest: bytes = b"") -> bytes:
    """Return the archive. With a digest of the sources, it has bytecode, too, and ends with the digest."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if digest else zipfile.ZIP_STORED) as archive:
        for name, source in sources.items():
            _add(archive, name, source)
            if digest:
                _add(archive, f"{name}c", _bytecode(name, source))
        archive.comment = digest
    return buffer.getvalue()


def _bytecode(name: str, source: bytes) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    return importlib.util.MAGIC_NUMBER + UNCHECKED + importlib.util.source_hash(source) + marshal.dumps(code)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, FIXED_TIME)
    info.compress_type = archive.compression
    info.external_attr = 0o644 << 16
    info.create_system = 3
    archive.writestr(info, data)
