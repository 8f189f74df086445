"""What a pane prints is kept on the host, within bounds, and can be shown again without doing anything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aitask.tests.lab.wait import wait_for
from workspaces.hostkit import scrollback
from workspaces.hostkit.run.record import Record

from .client import Serve

USUAL = scrollback.RESET


def start_recorder(pyz: Path, *words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(pyz), "record", *map(str, words)], stdin=subprocess.PIPE, bufsize=0
    )


def test_the_recorder_keeps_all_bytes_for_its_owner_alone_and_ends_with_its_input(
    pyz: Path, tmp_path: Path
) -> None:
    file = tmp_path / "pane.raw"
    recorder = start_recorder(pyz, file)
    assert recorder.stdin
    recorder.stdin.write(b"one \xff\x1b[31m")
    wait_for(lambda: file.exists() and file.read_bytes() == b"one \xff\x1b[31m", 10, "the bytes at once")
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        recorder.send_signal(number)
    recorder.stdin.write(b" two")
    recorder.stdin.close()
    assert recorder.wait(10) == 0
    assert file.read_bytes() == b"one \xff\x1b[31m two"
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_shown_again_is_not_recorded_again(pyz: Path, tmp_path: Path) -> None:
    file = tmp_path / "pane.raw"
    file.write_bytes(b"before|")
    recorder = start_recorder(pyz, file, 5)
    assert recorder.stdin
    recorder.stdin.write(b"abc")
    recorder.stdin.write(b"defg")
    recorder.stdin.close()
    assert recorder.wait(10) == 0
    assert file.read_bytes() == b"before|fg"


def test_a_recorder_that_can_not_write_goes_on_reading(pyz: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    recorder = start_recorder(pyz, full)
    assert recorder.stdin
    for _ in range(100):
        recorder.stdin.write(b"x" * 65536)
    recorder.stdin.close()
    assert recorder.wait(10) == 0


def test_a_record_keeps_the_newest_within_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "pane.raw"
    record = Record(file, max_bytes=10_000)
    for number in range(2000):
        record.add(b"line %d\r\n" % number)
    (kept,) = scrollback.records(tmp_path)
    lines = scrollback.newest_part(kept, 10_000).split(b"\r\n")
    assert 5_000 <= kept.size <= 10_000
    numbers = [int(line.split()[1]) for line in lines if line.startswith(b"line ")]
    assert numbers == list(range(numbers[0], 2000))


def test_a_record_goes_on_in_the_file_of_an_earlier_one(tmp_path: Path) -> None:
    for text in (b"first\r\n", b"second\r\n"):
        Record(tmp_path / "pane.raw").add(text)
    (kept,) = scrollback.records(tmp_path)
    assert scrollback.newest_part(kept, 1000) == b"first\r\nsecond\r\n" + USUAL


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"a\x1b[c\x1b[>c\x1b[=0c\x1b[6n\x1b[?6n\x1b[>q\x1b[?2026$p\x1b[18t\x1bZ\x05b", b"ab"),
        (b"a\x1b]11;?\x07\x1b]0;title\x1b\\\x1bP$qm\x1b\\\x1b_x\x1b\\\x1b]52;c;eA==\x07b", b"ab"),
        (b"a\x1b[?1000;1006h\x1b[?2004h\x1b[?1h\x1b=\x1b[?25l\x1b[4h\x1b[>4;2mb", b"ab"),
        (b"\x1b[1;31mred\x1b[m \x1b[38:2:1:2:3mx\x1b[2A\x1b[K\x1b[5;1H", None),
        (b"a\x1b[H\x1b[2J\x1b[3Jb\x1bcc", b"a\x1b[H\x1b[2Jb" + scrollback.CLEAR + b"c"),
        (b"half\x1b[3", b"half"),
        (b"half\x1b]0;ti", b"half"),
        ("漢字 ä\x07".encode(), "漢字 ä".encode()),
    ],
)
def test_shown_again_it_looks_the_same_and_asks_nothing(raw: bytes, shown: bytes | None) -> None:
    assert scrollback.harmless(raw) == (raw if shown is None else shown) + USUAL + b"\r\n"


def test_a_program_that_was_killed_on_the_other_screen_leaves_it() -> None:
    assert scrollback.harmless(b"a\x1b[?1049hvim\n").endswith(b"vim\n\x1b[?1049l" + USUAL)
    assert b"1049l" not in scrollback.harmless(b"plain\n")


def test_what_was_saved_last_is_read(tmp_path: Path) -> None:
    pane, saved = tmp_path / "pane.raw", tmp_path / "history.txt"
    pane.write_text("raw")
    saved.write_text("clean\n")
    os.utime(pane, (1000, 1000))
    assert [kept.path for kept in scrollback.records(tmp_path)] == [saved]
    os.utime(pane, (2**31, 2**31))
    assert [kept.path for kept in scrollback.records(tmp_path)] == [pane]


def test_what_an_agent_showed_is_read_where_no_pane_was_recorded(tmp_path: Path) -> None:
    (tmp_path / "terminal.raw").write_text("agent")
    assert [kept.path.name for kept in scrollback.records(tmp_path)] == ["terminal.raw"]
    (tmp_path / "hand.raw").write_text("by hand")
    (tmp_path / "pane.raw").write_text("pane")
    assert [kept.path.name for kept in scrollback.records(tmp_path)] == ["pane.raw", "hand.raw"]
    (tmp_path / "opened-12.raw").write_text("split off by a person")
    names = [kept.path.name for kept in scrollback.records(tmp_path)]
    assert names == ["pane.raw", "hand.raw", "opened-12.raw"]


def test_the_newest_folders_come_first_within_the_limit(serve: Serve, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("new", "none", "old")]
    for folder in (folders[0], folders[2]):
        folder.mkdir()
        (folder / "history.txt").write_text(f"{folder.name}\n" * 10)
    asked = [str(folder) for folder in folders]
    names = [part["data"] for part in serve.call("read_scrollback", folders=asked, limit=1000)["parts"]]
    assert names == ["new\r\n" * 10, "old\r\n" * 10]
    assert len(serve.call("read_scrollback", folders=asked, limit=20)["parts"]) == 1
    assert [part["data"] for part in serve.call("read_scrollback", folders=asked, limit=0)["parts"]] == [
        "",
        "",
    ]


def test_a_new_shell_is_given_what_the_pane_had_shown(serve: Serve, tmp_path: Path) -> None:
    assert serve.call("fold_scrollback", folder=str(tmp_path)) == {"shown": 0}
    (tmp_path / "pane.raw").write_bytes(b"$ echo ok\r\nok\r\n\x1b[c$ ")
    shown = serve.call("fold_scrollback", folder=str(tmp_path))["shown"]
    saved = (tmp_path / "history.txt").read_bytes()
    assert saved.startswith(b"$ echo ok\nok\n$ ")
    assert shown == len(saved.replace(b"\n", b"\r\n"))
    assert serve.call("fold_scrollback", folder=str(tmp_path))["shown"] == shown
