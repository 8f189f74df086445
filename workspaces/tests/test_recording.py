"""The recorder of a pane, as a host's shell runs it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from aitask.tests.lab.wait import wait_for
from workspaces.recording import ROLL_BYTES, recorder


def start(file: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(recorder(str(file)), stdin=subprocess.PIPE, bufsize=0)


def test_all_bytes_are_kept_at_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "it's a pane.raw"
    running = start(file)
    assert running.stdin
    running.stdin.write(b"one \xff\x1b[31m")
    wait_for(lambda: file.exists() and file.read_bytes() == b"one \xff\x1b[31m", 10, "the first bytes")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        running.send_signal(number)
    running.stdin.write(b" two")
    running.stdin.close()
    assert running.wait(10) == 0
    assert file.read_bytes() == b"one \xff\x1b[31m two"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_long_record_loses_its_oldest_part_only(tmp_path: Path) -> None:
    file, older = tmp_path / "pane.raw", tmp_path / "pane.raw.1"
    text = b"".join(b"%09d\n" % number for number in range(6 * ROLL_BYTES // 10))
    running = start(file)
    running.communicate(text, timeout=60)
    assert running.returncode == 0
    kept = older.read_bytes() + file.read_bytes()
    assert text.endswith(kept)
    assert ROLL_BYTES < len(kept) <= 4 * ROLL_BYTES


def test_what_can_not_be_written_is_read_nevertheless(tmp_path: Path) -> None:
    for file in (Path("/dev/full"), tmp_path / "gone" / "pane.raw"):
        running = start(file)
        running.communicate(b"x" * 5_000_000, timeout=60)
        assert running.returncode == 0


def test_a_record_goes_on_where_an_earlier_one_ended(tmp_path: Path) -> None:
    file = tmp_path / "pane.raw"
    for part in (b"one", b"two"):
        start(file).communicate(part, timeout=60)
    assert file.read_bytes() == b"onetwo"
