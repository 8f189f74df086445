"""The file of a backup: complete and checked, or refused."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aitask.backup import archive
from aitask.backup.archive import BadBackup, Manifest

ROWS = os.urandom(100_000)
Change = Callable[[tarfile.TarInfo, bytes], list[tuple[tarfile.TarInfo, bytes]]]


def manifest_of(**changes: Any) -> Manifest:
    given = {
        "created_at": "2026-11-29T10:00:00+00:00",
        "engine": "sqlite",
        "version": "0.1.0",
        "installation": "aaaa0000",
        "migrations": {"tasks": ["0001_initial"]},
        "counts": {"task": 3},
        **changes,
    }
    return Manifest(**given)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    files = {"database.sqlite3": tmp_path / "db", "data/secret_key": tmp_path / "key"}
    (tmp_path / "db").write_bytes(ROWS)
    (tmp_path / "key").write_text("secret")
    archive.write(tmp_path / "b.tar.gz", manifest_of(), files)
    return tmp_path / "b.tar.gz"


def changed(backup: Path, change: Change) -> Path:
    """A copy of the backup whose members were changed, each with its own content."""
    target = backup.with_name("changed.tar.gz")
    with tarfile.open(backup) as old, tarfile.open(target, "w:gz") as new:
        for header in old.getmembers():
            source = old.extractfile(header)
            for each, content in change(header, source.read() if source else b""):
                each.size = len(content) if each.isreg() else 0
                new.addfile(each, io.BytesIO(content))
    return target


def test_what_was_written_is_extracted_for_its_owner_only(backup: Path, tmp_path: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    manifest = archive.extract(backup, tmp_path / "out")
    assert (manifest.counts, manifest.migrations) == ({"task": 3}, {"tasks": ["0001_initial"]})
    assert (tmp_path / "out/database.sqlite3").read_bytes() == ROWS
    assert (tmp_path / "out/data/secret_key").read_text() == "secret"
    assert (tmp_path / "out/data/secret_key").stat().st_mode & 0o077 == 0
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_backup_replaces_no_file(backup: Path) -> None:
    before = backup.read_bytes()
    with pytest.raises(FileExistsError):
        archive.write(backup, manifest_of(), {"database.sqlite3": backup})
    assert backup.read_bytes() == before


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_cut_file_is_refused(backup: Path, kept: float) -> None:
    data = backup.read_bytes()
    backup.write_bytes(data[: int(kept * len(data)) if kept < 1 else int(kept)])
    with pytest.raises(BadBackup):
        archive.verify(backup)


@pytest.mark.parametrize("at", [0.2, 0.5, 0.9])
def test_a_flipped_bit_is_found(backup: Path, at: float) -> None:
    data = bytearray(backup.read_bytes())
    data[int(at * len(data))] ^= 4
    backup.write_bytes(data)
    with pytest.raises(BadBackup):
        archive.verify(backup)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/cron.d/x",
        "data/../../x",
        "data/..",
        "data/./x",
        "data//x",
        "data/",
        "..",
        "C:/x",
        "data/C:x",
        "data/a\\b",
        "data/\0",
        "data/restoring.json",
        "data/up.lock",
        "data/up.lock-journal",
        "data/doorbell/x",
        "data/.hidden",
        "else/x",
    ],
)
def test_a_file_in_a_place_of_its_own_is_refused(backup: Path, tmp_path: Path, name: str) -> None:
    def change(header: tarfile.TarInfo, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        if header.name == archive.MANIFEST:
            manifest = json.loads(content)
            manifest["members"][name] = manifest["members"].pop("data/secret_key")
            content = json.dumps(manifest).encode()
        elif header.name == "data/secret_key":
            header.name = name
        return [(header, content)]

    with pytest.raises(BadBackup):
        archive.extract(changed(backup, change), tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


KINDS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE]


@pytest.mark.parametrize("kind", KINDS)
def test_links_and_devices_are_refused(backup: Path, tmp_path: Path, kind: bytes) -> None:
    def change(header: tarfile.TarInfo, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        if header.name == "data/secret_key":
            header.type, header.linkname = kind, "/etc/passwd"
        return [(header, content)]

    with pytest.raises(BadBackup):
        archive.extract(changed(backup, change), tmp_path / "out")
    assert not (tmp_path / "out/data/secret_key").exists()


def test_a_file_twice_or_beside_the_manifest_is_refused(backup: Path) -> None:
    def twice(header: tarfile.TarInfo, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        return [(header, content)] * (2 if header.name == "data/secret_key" else 1)

    with pytest.raises(BadBackup):
        archive.verify(changed(backup, twice))


def test_a_missing_file_is_named(backup: Path) -> None:
    def without(header: tarfile.TarInfo, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        return [] if header.name == "data/secret_key" else [(header, content)]

    with pytest.raises(BadBackup, match="data/secret_key is missing"):
        archive.verify(changed(backup, without))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"engine": "oracle"},
        {"members": []},
        {"members": {"data/x": {"size": 1, "sha256": ""}}},
        {"migrations": None},
        {"counts": {"x": "many"}},
    ],
)
def test_a_manifest_that_says_something_else_is_refused(backup: Path, changes: dict[str, Any]) -> None:
    def change(header: tarfile.TarInfo, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        if header.name == archive.MANIFEST:
            content = json.dumps({**json.loads(content), **changes}).encode()
        return [(header, content)]

    with pytest.raises(BadBackup):
        archive.verify(changed(backup, change))


@pytest.mark.parametrize("content", [b"", b"no backup", b"\x1f\x8b\x08\x00", b"PK\x03\x04", b"\0" * 2048])
def test_any_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BadBackup):
        archive.verify(tmp_path / "x")
