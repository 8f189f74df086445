"""Keeps the content of files by digest: below DATA_DIR, or in a PostgreSQL database for several machines.

Whoever adds content also saves the row that uses it, within one `locked` transaction; whoever has removed
rows calls `discard` afterwards. So content is removed only while nobody adds a row with the same digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from aitask.lib.errors import Refused
from tasks.models import Attachment, ContentChunk

CHUNK = 256 << 10
GIVEN_UP_SECONDS = 24 * 3600.0
"""When an unfinished upload counts as given up."""
MISSING = "The content of this file is missing."


@dataclass(frozen=True)
class Incoming:
    """Content in a temporary file, with its digest."""

    path: Path
    sha256: str
    size: int
    "Bytes."


def folder() -> Path:
    return Path(settings.DATA_DIR) / "attachments"


def path_of(sha256: str) -> Path:
    return folder() / sha256[:2] / sha256


def in_database() -> bool:
    """Whether the database keeps the content, because several machines may share it."""
    return connection.vendor == "postgresql"


def stage(chunks: Iterable[bytes]) -> Incoming:
    """Write content to a temporary file beside the others. The caller removes it if it is not kept."""
    path = new_file()
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("wb") as out:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                out.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Incoming(path, digest.hexdigest(), size)


def new_file() -> Path:
    """Create an empty temporary file, which only its owner can read. Backups leave it out."""
    for needed in (folder(), incoming := folder() / ".incoming"):
        needed.mkdir(mode=0o700, exist_ok=True)
    path = incoming / secrets.token_hex(12)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return path


@contextlib.contextmanager
def locked(*digests: str) -> Iterator[None]:
    """A transaction in which nobody else adds or removes content with these digests.

    In SQLite, every transaction that is begun by `atomic` keeps others from writing.
    """
    with transaction.atomic():
        if in_database():
            with connection.cursor() as cursor:
                for digest in sorted({digest for digest in digests if digest}):
                    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_key(digest)])
        yield


def _key(digest: str) -> int:
    return int.from_bytes(bytes.fromhex(digest[:16]), signed=True)


def keep(content: Incoming) -> None:
    """Keep content under its digest. Called within `locked`, with the row that uses it."""
    if not in_database():
        target = path_of(content.sha256)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        content.path.replace(target)
    elif not exists(content.sha256):
        with content.path.open("rb") as source:
            for number, data in enumerate(_chunks_of(source)):
                ContentChunk.objects.create(sha256=content.sha256, number=number, data=data)


def exists(sha256: str) -> bool:
    if in_database():
        return ContentChunk.objects.filter(sha256=sha256, number=0).exists()
    return path_of(sha256).exists()


def read(sha256: str) -> Iterator[bytes]:
    """Return the content in chunks. Raises Refused if it is not there."""
    if in_database():
        if not exists(sha256):
            raise Refused(MISSING)
        return _rows_of(sha256)
    try:
        source = path_of(sha256).open("rb")
    except OSError as error:
        raise Refused(MISSING) from error
    return _chunks_of(source)


def _chunks_of(source: IO[bytes]) -> Iterator[bytes]:
    with source:
        yield source.read(CHUNK)  # also of an empty file, which has one empty chunk
        while data := source.read(CHUNK):
            yield data


def _rows_of(sha256: str) -> Iterator[bytes]:
    number = 0
    while (row := ContentChunk.objects.filter(sha256=sha256, number=number).first()) is not None:
        yield bytes(row.data)
        number += 1


def discard(digests: Iterable[str]) -> None:
    """Remove content that no row uses any more. Called after the rows are gone."""
    with _removing() as may:
        for digest in {digest for digest in digests if digest} if may else ():
            with locked(digest):
                if not is_used(digest):
                    ContentChunk.objects.filter(sha256=digest).delete()
                    path_of(digest).unlink(missing_ok=True)


def is_used(sha256: str) -> bool:
    return Attachment.objects.filter(_uses(sha256)).exists()


def _uses(sha256: str | OuterRef) -> Q:
    return Q(sha256=sha256) | Q(view_sha256=sha256) | Q(thumbnail_sha256=sha256)


@contextlib.contextmanager
def _removing() -> Iterator[bool]:
    """Whether content may be removed now: not while a backup is made. What is left, `sweep` removes."""
    if in_database() or not folder().exists():
        yield in_database()
        return
    lock = sqlite3.connect(
        folder() / "removing.lock", isolation_level=None, timeout=0, check_same_thread=False
    )
    try:
        lock.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        yield False
    else:
        yield True
    finally:
        lock.close()


@contextlib.contextmanager
def nothing_removed() -> Iterator[None]:
    """Keep all content meanwhile, so that a backup has what its copy of the database names."""
    if in_database() or not folder().exists():
        yield
        return
    lock = sqlite3.connect(
        folder() / "removing.lock", isolation_level=None, timeout=60, check_same_thread=False
    )
    try:
        lock.execute("BEGIN IMMEDIATE")
        yield
    finally:
        lock.close()


def sweep() -> None:
    """Remove what was left behind: content without a row, and uploads that were never completed."""
    discard(digest for digest in _kept() if not is_used(digest))
    limit = time.time() - GIVEN_UP_SECONDS
    for path in folder().glob(".incoming/*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < limit:
                path.unlink()


def _kept() -> Iterator[str]:
    if in_database():
        unused = ~Exists(Attachment.objects.filter(_uses(OuterRef("sha256"))))
        yield from ContentChunk.objects.filter(unused, number=0).values_list("sha256", flat=True)
    else:
        yield from (path.name for path in folder().glob("??/*") if len(path.name) == 64)
