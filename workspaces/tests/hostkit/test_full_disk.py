"""What a run writes while the disk is full: nothing is lost, and its end is told truthfully."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from pathlib import Path
from typing import Any, cast

import pytest

from workspaces.hostkit import reserve
from workspaces.hostkit.folder import RunFolder
from workspaces.hostkit.journal import Journal, read_events
from workspaces.hostkit.outcome import Outcome
from workspaces.hostkit.run import finish as finishing
from workspaces.hostkit.run.cli import CliProcess
from workspaces.hostkit.run.finish import finish
from workspaces.hostkit.run.outside import Outside
from workspaces.hostkit.wire import RunSpec


class Disk:
    """Lets every write fail that needs new space, or take half of the bytes first, as a real disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self._write, self._mkstemp = os.write, tempfile.mkstemp
        monkeypatch.setattr(os, "write", self._writes)
        monkeypatch.setattr(tempfile, "mkstemp", self._makes)
        self._was_short: set[int] = set()

    def _writes(self, handle: int, data: bytes) -> int:
        if not self.full:
            return self._write(handle, data)
        if handle not in self._was_short and len(data) > 1:
            self._was_short.add(handle)
            return self._write(handle, data[: len(data) // 2])
        self._was_short.discard(handle)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _makes(self, *args: Any, **options: Any) -> Any:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._mkstemp(*args, **options)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(finishing, "ROOM_SECONDS", 0.3)
    return Disk(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run")
    made.path.mkdir()
    assert made.claim()
    return made


def texts(path: Path) -> list[str]:
    return [event["text"] for event in read_events(path)]


def test_events_wait_for_room_and_keep_their_order(disk: Disk, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    journal.add({"kind": "notice", "text": "before"})
    disk.full = True
    for number in range(3):
        journal.add({"kind": "notice", "text": f"meanwhile {number}"})
    assert texts(journal.path) == ["before"]
    disk.full = False
    journal.add({"kind": "notice", "text": "after"})
    assert texts(journal.path) == ["before", *(f"meanwhile {number}" for number in range(3)), "after"]
    assert [event["seq"] for event in read_events(journal.path)] == [1, 2, 3, 4, 5]
    assert journal.close() == 0


def test_waiting_events_are_written_without_a_new_one(disk: Disk, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    disk.full = True
    journal.add({"kind": "notice", "text": "waits"})
    disk.full = False
    journal.keep()
    assert texts(journal.path) == ["waits"]


def test_more_than_memory_should_hold_is_an_error(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workspaces.hostkit.journal.MAX_WAITING", 1000)
    journal = Journal(tmp_path / "events.jsonl")
    disk.full = True
    journal.add({"kind": "notice", "text": "x" * 500})
    with pytest.raises(OSError, match="No space"):
        journal.add({"kind": "notice", "text": "x" * 500})
    disk.full = False
    journal.add({"kind": "notice", "text": "y"})
    assert [event["seq"] for event in read_events(journal.path)] == [1, 2]


def test_a_journal_counts_what_found_no_room(disk: Disk, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    disk.full = True
    for _ in range(2):
        journal.add({"kind": "notice", "text": "lost"})
    assert journal.close(0.3) == 2
    assert journal.path.read_bytes() == b""


def test_a_deleted_journal_is_written_again_whole(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    journal = Journal(tmp_path / "run" / "events.jsonl")
    long = "x" * 200_000
    for text in ("one", long):
        journal.add({"kind": "notice", "text": text})
    journal.path.unlink()
    journal.path.parent.rmdir()
    journal.add({"kind": "notice", "text": "three"})
    assert [event["seq"] for event in read_events(journal.path)] == [1, 2, 3]
    assert texts(journal.path)[2] == "three"


def test_the_outcome_of_a_run_finds_its_reserved_space(disk: Disk, folder: RunFolder) -> None:
    disk.full = True
    outcome = finish(folder, Outcome("succeeded"), "guard")
    assert (outcome["state"], outcome["reason_code"], outcome["last_seq"]) == ("failed", "disk_full", 0)
    assert json.loads(folder.outcome.read_text()) == json.loads(json.dumps(outcome))
    assert not reserve.reserved(folder.outcome).exists()


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_run_that_ended_otherwise_keeps_its_reason(disk: Disk, folder: RunFolder, state: Any) -> None:
    disk.full = True
    finish(folder, Outcome(state, "other", "As it was."), "guard")
    assert folder.read_outcome() is not None
    assert (folder.read_outcome() or {})["reason"] == "As it was."


def test_an_outcome_that_is_too_long_for_it_is_shortened(disk: Disk, folder: RunFolder) -> None:
    disk.full = True
    finish(folder, Outcome("failed", "other", "long " * 20_000), "guard")
    assert len((folder.read_outcome() or {})["reason"]) == 1000


def test_a_run_gives_its_reserved_space_back(folder: RunFolder) -> None:
    assert reserve.reserved(folder.outcome).stat().st_size == reserve.SIZE
    finish(folder, Outcome("succeeded"), "guard")
    assert not list(folder.path.glob(".*"))


def test_the_copy_of_the_clis_lines_has_no_half_lines(disk: Disk, tmp_path: Path) -> None:
    kept = CliProcess(tmp_path / "raw.jsonl", lambda _: None, lambda _: None, lambda: None)
    kept._keep(b"<", b'{"number": 1}')
    disk.full = True
    for number in (2, 3):
        kept._keep(b"<", b'{"number": %d}' % number)
    disk.full = False
    kept._keep(b"<", b'{"number": 4}')
    assert (tmp_path / "raw.jsonl").read_text() == '< {"number": 1}\n< {"number": 4}\n'


def test_what_was_reported_of_the_repository_is_kept_when_there_is_room(
    disk: Disk, folder: RunFolder
) -> None:
    outside = Outside(folder, cast("RunSpec", {"worktree": "/nonexistent"}))
    outside._recorded = True
    disk.full = True
    outside.save()
    disk.full = False
    assert not outside.path.exists()
    outside.save()
    assert outside.path.exists()
