"""The file of a backup: a compressed tar. Its manifest comes first, with size and digest of each member."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from aitask.backup import switch
from aitask.lib.errors import Refused

FORMAT = 1
MANIFEST = "manifest.json"
DATA = "data/"
"""Members below are files of DATA_DIR."""
OF_PROCESSES = {"doorbell", "up.lock", switch.LOCK, switch.PLAN}
"""Files and folders of DATA_DIR that say something about running processes only."""
MAX_MANIFEST = 16 * 1024 * 1024
CHUNK = 1024 * 1024
PART = re.compile(r"[^\x00-\x1f/\\:]{1,255}")
DAMAGED = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError)


class BadBackup(Refused):
    """The file is no backup, is damaged, or is not one that may be restored."""


@dataclass(frozen=True)
class Member:
    """One file of a backup."""

    size: int
    "Bytes."
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup says about itself."""

    created_at: str
    "ISO 8601, in UTC."
    engine: str
    "sqlite or postgresql."
    version: str
    installation: str
    "Key of the installation; empty if it had none yet."
    migrations: dict[str, list[str]]
    "Names of the migrations of each app that the database had."
    counts: dict[str, int]
    "Rows of the main tables, for people."
    members: dict[str, Member] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def database(self) -> str:
        """Name of the member with the database."""
        return {"sqlite": "database.sqlite3", "postgresql": "database.dump"}[self.engine]


def write(path: Path, manifest: Manifest, files: Mapping[str, Path]) -> None:
    """Write a backup of these files by member name: whole or not at all, and readable by its owner only.

    Raises OSError, FileExistsError if there is such a file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as out:
            _write_members(out, manifest, files)
            out.flush()
            os.fsync(out.fileno())
        verify(temporary)
        os.link(temporary, path)  # unlike a rename, it replaces no file
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _write_members(out: IO[bytes], manifest: Manifest, files: Mapping[str, Path]) -> None:
    members = {name: _member_of(file) for name, file in files.items()}
    described = {**asdict(manifest), "members": {name: asdict(member) for name, member in members.items()}}
    text = json.dumps(described, indent=1).encode()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=3) as tar:
        tar.addfile(_header(MANIFEST, len(text)), io.BytesIO(text))
        for name, file in files.items():
            with file.open("rb") as source:
                tar.addfile(_header(name, members[name].size), source)


def _member_of(file: Path) -> Member:
    with file.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
        return Member(source.tell(), digest)


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o600
    return header


def read_manifest(path: Path) -> Manifest:
    """Return what the backup says about itself. Raises BadBackup and OSError."""
    with _opened(path) as tar:
        return _manifest_of(tar)


def verify(path: Path) -> Manifest:
    """Read the whole backup, and compare it with its manifest. Raises BadBackup and OSError."""
    with _opened(path) as tar:
        manifest = _manifest_of(tar)
        for _ in _checked(tar, manifest, None):
            pass
    return manifest


def extract(path: Path, folder: Path) -> Manifest:
    """Write the members below a new folder, which only its owner can read. Raises BadBackup and OSError."""
    folder.mkdir(mode=0o700)
    with _opened(path) as tar:
        manifest = _manifest_of(tar)
        for _ in _checked(tar, manifest, folder):
            pass
    return manifest


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with gzip.open(path) as whole:
            with tarfile.open(fileobj=whole, mode="r|") as tar:
                yield tar
            while whole.read(CHUNK):  # to the end, where the checksum is
                pass
    except DAMAGED as error:
        raise BadBackup(f"{path} is no backup, or is damaged: {error}.") from error


def _manifest_of(tar: tarfile.TarFile) -> Manifest:
    header = tar.next()
    if header is None or header.name != MANIFEST or not header.isreg() or header.size > MAX_MANIFEST:
        raise BadBackup("It has no manifest: it is no backup of AI Task Manager.")
    try:
        given = json.loads(cast(IO[bytes], tar.extractfile(header)).read())
        if given.get("format") != FORMAT:
            raise BadBackup(f"It has the format {given.get('format')!r}, which this version does not know.")
        return _manifest(given)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadBackup(f"Its manifest can't be read: {error}.") from error


def _manifest(given: dict[str, Any]) -> Manifest:
    members = {
        str(name): Member(int(member["size"]), str(member["sha256"]))
        for name, member in given["members"].items()
    }
    if given["engine"] not in ("sqlite", "postgresql"):
        raise BadBackup(f"It is of a database that this version does not know: {given['engine']!r}.")
    manifest = Manifest(
        created_at=str(given["created_at"]),
        engine=given["engine"],
        version=str(given["version"]),
        installation=str(given["installation"]),
        migrations={str(app): list(map(str, names)) for app, names in given["migrations"].items()},
        counts={str(name): int(count) for name, count in given["counts"].items()},
        members=members,
    )
    if manifest.database not in members:
        raise BadBackup("It has no database.")
    for name in members:
        check_name(name)
    return manifest


def check_name(name: str) -> None:
    """Raise BadBackup unless this is the database, or a file of DATA_DIR that a backup may have."""
    parts = name.split("/")
    is_data = name.startswith(DATA) and len(parts) > 1
    if not (is_data or name in ("database.sqlite3", "database.dump")):
        raise BadBackup(f"It has a file in a place of its own: {name!r}.")
    if any(not PART.fullmatch(part) or part.startswith(".") for part in parts):
        raise BadBackup(f"It has a file with a dangerous name: {name!r}.")
    if is_data and parts[1].removesuffix("-journal") in OF_PROCESSES:
        raise BadBackup(f"It has a file that belongs to running processes: {name!r}.")


def _checked(tar: tarfile.TarFile, manifest: Manifest, folder: Path | None) -> Iterator[str]:
    """Yield the names of the members, each checked and, with a folder, written there."""
    seen: set[str] = set()
    while (header := tar.next()) is not None:
        name = header.name
        known = manifest.members.get(name)
        if not header.isreg() or header.issparse() or known is None or name in seen:
            raise BadBackup(f"It has something that its manifest does not name: {name!r}.")
        seen.add(name)
        if header.size != known.size:
            raise BadBackup(f"{name} has {header.size} bytes in place of {known.size}.")
        source = cast(IO[bytes], tar.extractfile(header))
        if _copy(source, folder and folder / name) != known.sha256:
            raise BadBackup(f"{name} is damaged: its digest is another one.")
        yield name
    if missing := set(manifest.members) - seen:
        raise BadBackup(f"It is incomplete: {min(missing)} is missing.")


def _copy(source: IO[bytes], target: Path | None) -> str:
    """Write the content to a new file, if there is a target, and return its digest."""
    digest = hashlib.sha256()
    if target is None:
        for chunk in iter(lambda: source.read(CHUNK), b""):
            digest.update(chunk)
        return digest.hexdigest()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(target, flags, 0o600), "wb") as out:
        for chunk in iter(lambda: source.read(CHUNK), b""):
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def sync_folder(path: Path) -> None:
    """Make renames in the folder durable, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
