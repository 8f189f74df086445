"""The zipapp on the host, and its copy with bytecode for the host's Python, which starts in half the time."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import marshal
import os
import sys
import zipfile
from pathlib import Path

from ..files import write_atomic

DIGEST_SIZE = 64
UNCHECKED = (1).to_bytes(4, "little")
"""The flag of bytecode that Python does not compare with its source."""


def compiled_name(zipapp: Path) -> Path:
    """Return the path of the copy for this Python. (The receiver in `bootstrap.py` uses it, too.)"""
    return zipapp.with_name("{}.{}.pyz".format(zipapp.stem, sys.implementation.cache_tag))


def start_compiled(zipapp: Path) -> None:
    """Replace this process by one of the copy, which is made if there is none; return if that fails."""
    copy = compiled_name(zipapp)
    try:
        if not is_whole(copy):
            write_atomic(copy, with_bytecode(zipapp.read_bytes()))
        os.execv(sys.executable, [sys.executable, str(copy), *sys.argv[1:]])
    except OSError:
        pass


def is_whole(copy: Path) -> bool:
    """Return whether the copy ends with the digest of what comes before."""
    try:
        data = copy.read_bytes()
    except OSError:
        return False
    return data[-DIGEST_SIZE:] == digest(data[:-DIGEST_SIZE])


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def is_compiled(zipapp: Path) -> bool:
    return zipapp.stem.endswith(".{}".format(sys.implementation.cache_tag))


def with_bytecode(content: bytes) -> bytes:
    """Return a zipapp with the bytecode of its modules, which ends with its digest.

    Another Python ignores the bytecode and uses the source.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(buffer, "w") as made:
        for info in given.infolist():
            name, source = info.filename, given.read(info)
            made.writestr(zipfile.ZipInfo(name, info.date_time), source)
            made.writestr(zipfile.ZipInfo(name + "c", info.date_time), bytecode(name, source))
        made.comment = bytes(DIGEST_SIZE)
    data = buffer.getvalue()[:-DIGEST_SIZE]
    return data + digest(data)


def bytecode(name: str, source: bytes) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    return importlib.util.MAGIC_NUMBER + UNCHECKED + importlib.util.source_hash(source) + marshal.dumps(code)


class PackedKit:
    """The packed hostkit. Runs are started from its file, so it is written again if somebody deletes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._content = path.read_bytes() if path.is_file() else b""
        except OSError:
            self._content = b""

    def keep(self) -> None:
        if self._content and not self.path.exists():
            write_atomic(self.path, self._content)
