"""Backups have the content of attached files, but nothing that is unfinished."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from aitask.backup import archive, services
from tasks.attachments import store
from tasks.tests.attachments.samples import picture, upload
from tasks.tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_a_backup_has_the_content_of_files_and_gives_it_back(
    data_dir: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor == "postgresql":
        pytest.skip("the content is in the database, and in its dump")
    settings.BACKUP_DIR = data_dir / "backups"
    row = upload("shot.png", picture(), make_user())
    store.stage([b"not complete"])

    def dump(target: Path) -> None:
        target.write_bytes(b"database")
        row.delete()
        store.discard([row.sha256])  # its content was still in use when the database was copied

    monkeypatch.setattr("aitask.backup.database.dump", dump)
    made = data_dir / "made.tar.gz"
    services.make(made)
    archive.extract(made, data_dir / "restored")
    restored = {path.name: path for path in (data_dir / "restored" / "data" / "attachments").glob("*/*")}
    assert set(restored) == {row.sha256, row.view_sha256, row.thumbnail_sha256}
    assert restored[row.sha256].read_bytes() == picture()
