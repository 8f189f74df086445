from __future__ import annotations

import json
from pathlib import Path

import pytest

from workspaces.hostkit.journal import MAX_LINE, Journal, last_sequence, span_of_lines


def written(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_events_are_numbered_without_gaps_over_restarts(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(3):
        journal = Journal(path)
        journal.add({"kind": "notice", "text": "one"})
        journal.add({"kind": "notice", "text": "two"})
        journal.close()
    assert [event["seq"] for event in written(path)] == [1, 2, 3, 4, 5, 6]
    assert last_sequence(path) == 6


def test_a_torn_last_line_is_removed_before_the_next_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    Journal(path).add({"kind": "notice", "text": "whole"})
    with path.open("ab") as out:
        out.write(b'{"v":1,"seq":2,"kind":"text","text":"' + b"x" * 200_000)
    assert last_sequence(path) == 1
    Journal(path).add({"kind": "notice", "text": "next"})
    assert [event.get("text") for event in written(path)] == ["whole", "next"]
    assert [event["seq"] for event in written(path)] == [1, 2]


@pytest.mark.parametrize("text", ["x" * 5_000_000, "🎉" * 300_000, '"\\' * 1_000_000])
def test_a_long_text_is_cut_and_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "events.jsonl"
    Journal(path).add({"kind": "tool", "id": "t", "name": "t", "title": text, "input": {"list": [text]}})
    assert path.stat().st_size <= MAX_LINE
    event = written(path)[0]
    assert event["cut"] == len(text)
    assert text.startswith(str(event["title"]))


def test_what_is_not_utf8_survives_as_surrogates(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    Journal(path).add({"kind": "text", "text": b"a\xffb".decode("utf-8", "surrogateescape")})
    assert written(path)[0]["text"] == "a\udcffb"


def test_the_listener_sees_every_event(tmp_path: Path) -> None:
    seen: list[object] = []
    journal = Journal(tmp_path / "events.jsonl", lambda event: seen.append(event["kind"]))
    journal.add({"kind": "state", "state": "running"})
    assert seen == ["state"]


def test_only_whole_lines_are_taken() -> None:
    assert span_of_lines(b"one\ntwo\nthr", 10) == ([b"one", b"two"], 8)
    assert span_of_lines(b"one\ntwo\n", 1) == ([b"one"], 4)
    assert span_of_lines(b"thr", 10) == ([], 0)
