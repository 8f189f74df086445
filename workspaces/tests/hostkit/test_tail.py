"""serve: following the events of many runs from given offsets."""

from __future__ import annotations

import json
import queue
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab.processes import cpu_seconds
from aitask.tests.lab.wait import wait_for
from workspaces.hostkit import processes
from workspaces.hostkit.folder import RunFolder
from workspaces.hostkit.journal import Journal

from .client import Json, Serve


class Tail:
    """A tail under way, with what came so far."""

    def __init__(self, serve: Serve) -> None:
        self.serve = serve
        self.number = serve.begin("tail", runs={})
        self.items: list[Json] = []

    def until(self, condition: Any, timeout: float = 20) -> Json:
        """The first item, old or new, that meets the condition."""
        deadline = time.monotonic() + timeout
        while True:
            for item in self.items:
                if condition(item):
                    return item
            answer = self.serve.next(self.number, max(0.01, deadline - time.monotonic()))
            self.items.append(answer.get("item") or answer)

    def texts(self, folder: Path) -> list[str]:
        lines = [item["lines"] for item in self.items if item.get("dir") == str(folder) and "lines" in item]
        return [event["text"] for batch in lines for event in batch]

    def wait_texts(self, folder: Path, wanted: list[str]) -> None:
        self.until(lambda _: self.texts(folder) == wanted)


def follow(serve: Serve, *folders: Path, at: int = 0) -> Tail:
    tail = Tail(serve)
    change(serve, tail, add={str(folder): at for folder in folders})
    return tail


def change(serve: Serve, tail: Tail, **params: Any) -> None:
    assert serve.call("tail_change", tail=tail.number, **params) == {}


def run_folder(tmp_path: Path, name: str = "run") -> tuple[Path, Journal]:
    folder = tmp_path / name
    folder.mkdir()
    return folder, Journal(folder / "events.jsonl")


def test_what_was_there_and_what_comes_is_sent_once_and_in_order(serve: Serve, tmp_path: Path) -> None:
    folder, journal = run_folder(tmp_path)
    journal.add({"kind": "notice", "text": "before"})
    tail = follow(serve, folder)
    tail.wait_texts(folder, ["before"])
    journal.add({"kind": "notice", "text": "after"})
    journal.add({"kind": "notice", "text": "last"})
    tail.wait_texts(folder, ["before", "after", "last"])
    assert tail.items[-1]["offset"] == (folder / "events.jsonl").stat().st_size
    assert [item["start"] for item in tail.items] == [0, *(item["offset"] for item in tail.items[:-1])]


def test_an_offset_skips_what_is_known(serve: Serve, tmp_path: Path) -> None:
    folder, journal = run_folder(tmp_path)
    journal.add({"kind": "notice", "text": "known"})
    tail = follow(serve, folder, at=(folder / "events.jsonl").stat().st_size)
    journal.add({"kind": "notice", "text": "new"})
    tail.wait_texts(folder, ["new"])


def test_half_a_line_waits_for_its_end(serve: Serve, tmp_path: Path) -> None:
    folder, journal = run_folder(tmp_path)
    journal.add({"kind": "notice", "text": "whole"})
    with (folder / "events.jsonl").open("ab", buffering=0) as out:
        out.write(b'{"seq":2,"text":"to')
        tail = follow(serve, folder)
        tail.wait_texts(folder, ["whole"])
        out.write(b'rn"}\n')
        tail.wait_texts(folder, ["whole", "torn"])


def test_a_broken_line_does_not_break_the_stream(serve: Serve, tmp_path: Path) -> None:
    folder, _ = run_folder(tmp_path)
    (folder / "events.jsonl").write_bytes(b'not json "\xff\n{"seq":2,"text":"next"}\n')
    tail = follow(serve, folder)
    item = tail.until(lambda item: "lines" in item)
    assert item["lines"][0] == {"kind": "raw", "line": 'not json "\udcff'}
    assert item["lines"][1]["text"] == "next"


def test_many_events_come_in_bounded_items(serve: Serve, tmp_path: Path) -> None:
    folder, journal = run_folder(tmp_path)
    for number in range(2000):
        journal.add({"kind": "notice", "text": f"{number}"})
    tail = follow(serve, folder)
    tail.wait_texts(folder, [f"{number}" for number in range(2000)])
    assert max(len(item.get("lines", [])) for item in tail.items) <= 512


def test_runs_can_be_added_and_removed_on_the_way(serve: Serve, tmp_path: Path) -> None:
    one, first = run_folder(tmp_path, "one")
    two, second = run_folder(tmp_path, "two")
    tail = follow(serve, one)
    change(serve, tail, add={str(two): 0}, remove=[str(one)])
    second.add({"kind": "notice", "text": "heard"})
    tail.wait_texts(two, ["heard"])  # the change is answered before it is made
    first.add({"kind": "notice", "text": "unheard"})
    second.add({"kind": "notice", "text": "later"})
    tail.wait_texts(two, ["heard", "later"])
    assert tail.texts(one) == []


def test_the_outcome_comes_after_all_events(serve: Serve, tmp_path: Path) -> None:
    folder, journal = run_folder(tmp_path)
    tail = follow(serve, folder)
    for number in range(600):
        journal.add({"kind": "notice", "text": f"{number}"})
    (folder / "outcome.json").write_text(json.dumps({"state": "succeeded"}))
    outcome = tail.until(lambda item: "outcome" in item)
    assert outcome["outcome"] == {"state": "succeeded"}
    assert tail.texts(folder) == [f"{number}" for number in range(600)]


def test_a_folder_that_is_not_there_is_missing_until_it_comes(serve: Serve, tmp_path: Path) -> None:
    tail = follow(serve, tmp_path / "run")
    assert tail.until(lambda item: "missing" in item)["missing"] is True
    folder, journal = run_folder(tmp_path)
    journal.add({"kind": "notice", "text": "there"})
    tail.wait_texts(folder, ["there"])


def test_a_dead_guard_without_outcome_gets_one(serve: Serve, tmp_path: Path) -> None:
    folder, _ = run_folder(tmp_path)
    child = subprocess.Popen(["sleep", "60"])
    (folder / "guard.json").write_text(json.dumps(processes.identity(child.pid)))
    assert RunFolder(folder).guard_pid() == child.pid
    tail = follow(serve, folder)
    child.kill()
    child.wait()
    outcome = tail.until(lambda item: "outcome" in item, 30)["outcome"]
    assert (outcome["state"], outcome["ended_by"]) == ("lost", "serve")
    assert "were killed" in outcome["reason"]


def test_an_outcome_that_can_not_be_written_is_told_as_gone(serve: Serve, tmp_path: Path) -> None:
    folder, _ = run_folder(tmp_path)
    (folder / "guard.json").write_text(json.dumps({"pid": 1, "start_time": 0, "boot_id": "earlier"}))
    (folder / "events.jsonl").unlink()
    (folder / "events.jsonl").mkdir()
    tail = follow(serve, folder)
    assert "could not be written" in tail.until(lambda item: "gone" in item, 30)["gone"]


def test_a_run_of_an_earlier_boot_is_told_as_such(serve: Serve, tmp_path: Path) -> None:
    folder, _ = run_folder(tmp_path)
    (folder / "guard.json").write_text(json.dumps({"pid": 1, "start_time": 0, "boot_id": "earlier"}))
    outcome = follow(serve, folder).until(lambda item: "outcome" in item, 30)["outcome"]
    assert "the host was restarted" in outcome["reason"]


def test_a_cancelled_tail_ends_with_its_answer(serve: Serve, tmp_path: Path) -> None:
    folder, _ = run_folder(tmp_path)
    tail = follow(serve, folder)
    serve.send({"id": tail.number, "cancel": True})
    assert tail.until(lambda item: "ok" in item)["ok"] == {}


def test_an_idle_tail_costs_next_to_nothing(serve: Serve, tmp_path: Path) -> None:
    tail = follow(serve, *(run_folder(tmp_path, f"run{number}")[0] for number in range(20)))
    wait_for(lambda: serve.call("exec", argv=["true"])["rc"] == 0)
    pid = serve.process.pid

    before = cpu_seconds(pid)
    with suppress(queue.Empty):
        serve.next(tail.number, 5)
    assert cpu_seconds(pid) - before <= 0.10  # two hundredths of a core, the clock's grain included


@pytest.mark.parametrize("size", [1024 * 1024, 3_000_000, 50_000_000])
def test_a_line_of_any_length_is_one_short_line_and_the_next_follows(
    serve: Serve, tmp_path: Path, size: int
) -> None:
    folder, _ = run_folder(tmp_path)
    tail = follow(serve, folder)
    with (folder / "events.jsonl").open("ab", buffering=0) as out:
        for at in range(0, size, 1 << 20):
            out.write(b"x" * min(1 << 20, size - at))
        out.write(b'\n{"seq":2,"text":"next"}\n')
    item = tail.until(lambda item: any("line" in line for line in item.get("lines", [])))
    assert item["lines"][0]["kind"] == "raw"
    assert len(item["lines"][0]["line"]) < 1100
    last = tail.until(lambda item: any("text" in line for line in item.get("lines", [])))
    assert last["offset"] == (folder / "events.jsonl").stat().st_size


@pytest.mark.parametrize(
    "line",
    [
        b"\0" * 5000,
        b"[" * 100_000,
        b'{"seq":1,"input":' + b"[" * 600 + b"]" * 600 + b"}",
        '{"seq":1}'.encode("utf-16-le"),
        b"\xef\xbb\xbf{}",
        b'{"seq":' + b"9" * 5000 + b"}",
        b'{"seq":NaN}',
    ],
    ids=["nuls", "brackets", "deep", "utf-16", "bom", "huge number", "nan"],
)
def test_a_line_that_would_break_its_item_is_quoted(serve: Serve, tmp_path: Path, line: bytes) -> None:
    folder, _ = run_folder(tmp_path)
    (folder / "events.jsonl").write_bytes(line + b'\n{"seq":2,"text":"next"}\n')
    item = follow(serve, folder).until(lambda item: "lines" in item)
    assert item["lines"][0]["kind"] == "raw"
    assert item["lines"][1]["text"] == "next"
