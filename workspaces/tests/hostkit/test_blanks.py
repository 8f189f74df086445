"""When a task with files is removed, the transcripts of its agents keep everything but these files."""

from __future__ import annotations

import base64
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from workspaces.hostkit.base.blanks import blank_contents

from .client import Refused, Serve

PICTURE = base64.b64encode(os.urandom(300)).decode()
TEXT = 'a log with "quotes", \\ and ü,\nlong enough to be told from a word'
OURS, OTHER = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"
SAID = {"type": "text", "text": "What is wrong on this picture?"}
SOURCES: dict[str, dict[str, Any]] = {
    "a picture": {"type": "base64", "media_type": "image/png", "data": PICTURE},
    "a text": {"type": "text", "media_type": "text/plain", "data": TEXT},
    "a result of a tool": {"type": "image", "mimeType": "image/png", "data": PICTURE},
    "what Read reports": {"file": {"base64": PICTURE, "type": "image/png"}},
    "a picture of Codex": {"type": "input_image", "image_url": "data:image/png;base64," + PICTURE},
    "JSON in a text": {"body": json.dumps({"source": {"type": "base64", "data": PICTURE}})},
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_contents_are_replaced_in_place_and_the_rest_stays(tmp_path: Path, source: dict[str, Any]) -> None:
    path = tmp_path / "session.jsonl"
    before = [json.dumps({"content": [SAID, {"source": source}]}), json.dumps(SAID)]
    path.write_text("\n".join(before) + "\n")
    os.utime(path, (1_000_000, 1_000_000))
    with path.open("ab") as cli:  # a CLI that has it open goes on writing into the same file
        blank_contents(path)
        cli.write(b"{}\n")
    changed, *rest = path.read_text().splitlines()
    assert rest == [before[1], "{}"]
    assert len(changed) == len(before[0].encode())
    assert json.loads(changed)["content"][0] == SAID
    assert PICTURE not in changed
    assert json.dumps(TEXT)[1:-1] not in changed


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize("more", range(4))
def test_a_picture_becomes_an_empty_one_of_its_type(tmp_path: Path, kind: str, more: int) -> None:
    made = io.BytesIO()
    Image.linear_gradient("L").save(made, kind)
    data = base64.b64encode(made.getvalue() + bytes(more)).decode()
    for before in (f'"data:image/x;base64,{data}"', f'{{"source": {{"data": "{data}"}}}}'):
        (tmp_path / "session.jsonl").write_text(before)
        blank_contents(tmp_path / "session.jsonl")
        after = (tmp_path / "session.jsonl").read_text()
        assert len(after) == len(before)
        (left,) = re.findall(r"[A-Za-z0-9+/=]{41,}", after)
        with Image.open(io.BytesIO(base64.b64decode(left, validate=True))) as picture:
            picture.load()
            assert (picture.format, picture.size) == (kind, (16, 16))
            assert picture.convert("L").getextrema() == (255, 255)


@pytest.mark.parametrize("more", [0, 1, 2, 100_000])
def test_a_pdf_becomes_one_with_an_empty_page(tmp_path: Path, more: int) -> None:
    data = base64.b64encode(b"%PDF-1.7\n" + b"secret words " * 40 + bytes(more)).decode()
    (tmp_path / "session.jsonl").write_text(json.dumps({"data": data}))
    blank_contents(tmp_path / "session.jsonl")
    left = base64.b64decode(json.loads((tmp_path / "session.jsonl").read_text())["data"], validate=True)
    assert len(left) == len(base64.b64decode(data))
    start = int(left.split(b"startxref\n")[1].split()[0])
    places = [int(line[:10]) for line in left[start:].split(b"\n")[3:6]]
    assert [left[place:].partition(b"\n")[0] for place in places] == [b"1 0 obj", b"2 0 obj", b"3 0 obj"]
    assert left.endswith(b"%%EOF\n")
    assert b"secret" not in left


def test_a_transcript_without_files_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text(json.dumps({"input": {"data": "short", "url": "https://example.com/" + "a" * 60}}) + "\n")
    os.utime(path, (1_000_000, 1_000_000))
    before = path.read_bytes()
    blank_contents(path)
    assert (path.read_bytes(), path.stat().st_mtime) == (before, 1_000_000)


class Transcripts:
    """A host on which a run has begun a session of Claude Code, and a person has another one."""

    def __init__(self, serve: Serve, home: Path) -> None:
        self.serve = serve
        self.state = Path(serve.hello["state_dir"])
        run = self.state / "runs/k-1-abc"
        run.mkdir(parents=True)
        spec = {"backend": "claude_code", "environment": {"CLAUDE_CONFIG_DIR": str(home)}, "path": "/bin"}
        (run / "spec.json").write_text(json.dumps(spec))
        (run / "events.jsonl").write_text(json.dumps({"kind": "started", "cli_session": OURS}) + "\n")
        self.ours, self.other = (home / f"projects/-repo/{name}.jsonl" for name in (OURS, OTHER))
        self.ours.parent.mkdir(parents=True)
        for path in (self.ours, self.other):
            path.write_text(json.dumps({"source": SOURCES["a picture"]}))

    def blank(self, *, runs: str = "runs/k-1-abc") -> None:
        self.serve.call("blank_transcripts", folder="attachments/k-1", runs=[runs])


@pytest.fixture
def host(serve: Serve, tmp_path: Path) -> Transcripts:
    return Transcripts(serve, tmp_path / "claude")


def test_only_sessions_of_the_task_are_changed(host: Transcripts) -> None:
    (host.state / "attachments/k-1").mkdir(parents=True)
    host.blank()
    assert PICTURE not in host.ours.read_text()
    assert PICTURE in host.other.read_text()


def test_a_task_that_had_no_files_changes_no_transcript(host: Transcripts) -> None:
    host.blank()
    assert PICTURE in host.ours.read_text()


def test_only_runs_can_be_named(host: Transcripts) -> None:
    (host.state / "attachments/k-1").mkdir(parents=True)
    with pytest.raises(Refused, match="no folder of a run"):
        host.blank(runs="../elsewhere")
