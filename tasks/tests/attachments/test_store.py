"""The content of files is kept by its digest, for as long as a row uses it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from django.db import connection, connections

from aitask.lib.errors import Refused
from tasks.attachments import store
from tasks.models import Attachment, ContentChunk

pytestmark = pytest.mark.django_db
LONG = os.urandom(3 * store.CHUNK + 7)


def kept(data: bytes, **fields: object) -> Attachment:
    content = store.stage([data])
    try:
        with store.locked(content.sha256):
            store.keep(content)
            given = {"name": "a", "kind": "file", "content_type": "x/y", "size": len(data), **fields}
            return Attachment.objects.create(sha256=content.sha256, **given)
    finally:
        content.path.unlink(missing_ok=True)


@pytest.mark.parametrize("data", [b"", b"x", LONG], ids=["empty", "small", "long"])
def test_what_is_kept_is_read_in_chunks(data: bytes) -> None:
    row = kept(data)
    chunks = list(store.read(row.sha256))
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= store.CHUNK
    assert store.exists(row.sha256)


def test_only_the_owner_of_the_process_can_read_it(data_dir: Path) -> None:
    row = kept(b"secret")
    if connection.vendor == "postgresql":
        assert not store.path_of(row.sha256).exists()
        return
    path = store.path_of(row.sha256)
    modes = [oct(each.stat().st_mode & 0o777) for each in (path, path.parent, store.folder())]
    assert modes == ["0o600", "0o700", "0o700"]


def test_content_stays_while_another_row_uses_it_as_original_or_as_copy() -> None:
    first, second = kept(b"same"), kept(b"same")
    other = kept(b"other", view_sha256=first.sha256)
    for row in (first, second):
        row.delete()
        store.discard([first.sha256])
        assert store.exists(first.sha256)
    other.delete()
    store.discard([first.sha256, ""])
    assert not store.exists(first.sha256)


def test_missing_content_is_said() -> None:
    with pytest.raises(Refused, match="missing"):
        store.read("0" * 64)


def test_nothing_is_removed_while_a_backup_is_made_but_later() -> None:
    if connection.vendor == "postgresql":
        pytest.skip("a dump is consistent by itself")
    row = kept(b"in the copy of the database")
    with store.nothing_removed():
        row.delete()
        store.discard([row.sha256])
        assert store.exists(row.sha256)
    store.sweep()
    assert not store.exists(row.sha256)


def test_uploads_that_were_given_up_and_content_without_a_row_are_swept() -> None:
    old, new = store.stage([b"old"]), store.stage([b"new"])
    os.utime(old.path, (0, time.time() - 2 * store.GIVEN_UP_SECONDS))
    lost, used = kept(b"lost"), kept(b"used")
    lost.delete()
    store.sweep()
    assert (old.path.exists(), new.path.exists()) == (False, True)
    assert (store.exists(lost.sha256), store.exists(used.sha256)) == (False, True)


@pytest.mark.django_db(transaction=True)
def test_an_upload_of_the_same_content_at_the_same_moment_keeps_it() -> None:
    """Whichever comes first: afterwards the content is there if a row names it."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time, and in the memory of a test only one thread")
    errors: list[BaseException] = []

    def again_and_again() -> None:
        try:
            for _ in range(20):
                row = kept(b"same")
                assert b"".join(store.read(row.sha256)) == b"same"
                Attachment.objects.filter(pk=row.pk).delete()
                store.discard([row.sha256])
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=again_and_again) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    store.sweep()
    assert not ContentChunk.objects.exists()
