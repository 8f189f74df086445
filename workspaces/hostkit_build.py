"""Builds hostkit as a zipapp: the same source gives the same bytes everywhere, and the name has their hash.

So all installations of one version share it on a host, where it makes a copy of itself with bytecode for the
Python there (`workspaces.hostkit.serve.packed`). The app's own machine gets such a copy at once.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import zipfile
from pathlib import Path

from workspaces.hostkit.files import write_atomic
from workspaces.hostkit.serve import packed

PACKAGE = Path(__file__).parent / "hostkit"
SHEBANG = b"#!/usr/bin/env python3\n"
MAIN = b"import sys\nfrom hostkit.__main__ import main\nsys.exit(main())\n"
FIXED_TIME = (1980, 1, 1, 0, 0, 0)


@functools.cache
def build() -> tuple[str, bytes]:
    """Return the zipapp's file name and content."""
    content = SHEBANG + _archive(_sources())
    return f"hostkit-{hashlib.sha256(content).hexdigest()[:16]}.pyz", content


@functools.cache
def build_for_this_machine() -> tuple[str, bytes]:
    """Return the copy for this Python. It is kept where Python keeps bytecode: compiling takes a while."""
    name, content = build()
    compiled = packed.compiled_name(Path(name)).name
    kept = Path(importlib.util.cache_from_source(f"{PACKAGE}.py")).with_name(compiled)
    if not packed.is_whole(kept):
        try:
            write_atomic(kept, packed.with_bytecode(content))
        except OSError:  # the folder is read-only, so each process compiles
            return compiled, packed.with_bytecode(content)
        _remove_earlier(kept)
    return compiled, kept.read_bytes()


def _remove_earlier(kept: Path) -> None:
    for other in kept.parent.glob(f"{kept.name.partition('-')[0]}-*.pyz"):
        if other != kept:
            other.unlink(missing_ok=True)


def _sources() -> dict[str, bytes]:
    """Map the names in the archive to their source."""
    files = {
        f"hostkit/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes() for path in PACKAGE.rglob("*.py")
    }
    return {"__main__.py": MAIN, **dict(sorted(files.items()))}


def _archive(sources: dict[str, bytes]) -> bytes:
    """Return the archive, uncompressed: the same data compresses differently with another zlib."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, source in sources.items():
            info = zipfile.ZipInfo(name, FIXED_TIME)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, source)
    return buffer.getvalue()
