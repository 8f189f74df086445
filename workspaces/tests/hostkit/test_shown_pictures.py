"""Pictures that agents read or make are kept beside the record of their run, bounded and private."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab.given_files import picture
from workspaces.hostkit.base import pictures
from workspaces.hostkit.run.pictures import Pictures
from workspaces.hostkit.wire import ShownPicture

from .replay import Json, claude, codex

PNG = picture() + bytes(2000)
SHOWN = {"sha256": hashlib.sha256(PNG).hexdigest(), "media_type": "image/png", "size": len(PNG)}


def read_result(data: object) -> Json:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    block = {"type": "tool_result", "tool_use_id": "t1", "content": [image, {"type": "text", "text": "seen"}]}
    return {"type": "user", "message": {"role": "user", "content": [block]}}


def test_a_picture_that_claude_code_reads_is_kept_once(tmp_path: Path) -> None:
    agent, tape = claude()
    agent.translator.keep_picture = Pictures(tmp_path / "pictures").keep
    for _ in range(2):
        agent.feed(read_result(base64.b64encode(PNG).decode()))
    assert [event["pictures"] for event in tape.of("tool_result")] == [[SHOWN], [SHOWN]]
    (kept,) = (tmp_path / "pictures").iterdir()
    assert (kept.name, kept.read_bytes()) == (SHOWN["sha256"], PNG)
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def completed(item: Json) -> Json:
    whole = {"id": "i1", "status": "completed", **item}
    return {"method": "item/completed", "params": {"threadId": "thread-1", "turnId": "turn-1", "item": whole}}


def items(path: Path) -> list[Json]:
    encoded = base64.b64encode(PNG).decode()
    content = [{"type": "image", "data": encoded, "mimeType": "image/png"}]
    return [
        {"type": "imageView", "path": str(path)},
        {"type": "imageGeneration", "result": encoded},
        {"type": "imageGeneration", "savedPath": str(path), "result": ""},
        {"type": "mcpToolCall", "server": "s", "tool": "t", "result": {"content": content}},
    ]


@pytest.mark.parametrize("which", range(4))
def test_a_picture_that_codex_looks_at_or_makes_is_kept(tmp_path: Path, which: int) -> None:
    (tmp_path / "shot.png").write_bytes(PNG)
    agent, tape = codex()
    agent.translator.keep_picture = Pictures(tmp_path / "pictures").keep
    agent.feed(completed(items(tmp_path / "shot.png")[which]))
    event = tape.of("tool_result")[0]
    assert event["pictures"] == [SHOWN]
    assert base64.b64encode(PNG).decode() not in event["output"]


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg onload='alert(1)'>", b"GIF8", b"<!doctype html>", b"\x89PNG\r\n\x1a\n" + b"x" * (9 << 20)],
)
def test_what_is_no_picture_or_too_large_is_not_kept(tmp_path: Path, content: bytes) -> None:
    assert Pictures(tmp_path / "pictures").keep(content) is None
    assert not (tmp_path / "pictures").exists()


def test_an_agent_can_not_fill_the_disk_with_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Pictures(tmp_path / "pictures")
    monkeypatch.setattr(kept, "_left", 2 * len(picture(1)) + 10)
    shown: list[ShownPicture | None] = [kept.keep(picture(red)) for red in range(1, 6)]
    assert sum(each is not None for each in shown) == len(list((tmp_path / "pictures").iterdir())) < 5


@pytest.mark.parametrize("data", ["no base64!", 7, None, ["x"], {"a": 1}])
def test_malformed_pictures_are_ignored(data: Any) -> None:
    agent, tape = claude()
    agent.feed(read_result(data))
    assert "pictures" not in tape.of("tool_result")[0]


@pytest.mark.parametrize("name", ["/dev/zero", "/proc/self/mem", "/", "", "\0"])
def test_no_device_or_folder_is_read_as_a_picture(name: str) -> None:
    assert pictures.picture_at(name) is None
