"""Files of users on a host: where they are, how they arrive, and that nothing of them stays."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from workspaces.hostkit import processes
from workspaces.hostkit.serve import attachments

from .client import Refused, Serve

FOLDER = "aaaa0000-7-abcdefghij"
CONTENT = bytes(range(256)) * 1000


def described(content: bytes = CONTENT, name: str = "shot.png", **changes: Any) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"folder": FOLDER, "id": 3, "name": name, "size": len(content), "sha256": digest, **changes}


def put(serve: Serve, content: bytes, offset: int = 0, **of: Any) -> None:
    data = base64.b64encode(content).decode()
    serve.call("upload_part", offset=offset, data=data, **{**described(), **of})


def folder_of(serve: Serve) -> Path:
    return Path(serve.hello["state_dir"]) / "attachments" / FOLDER


def test_a_file_arrives_in_parts_in_any_order_and_is_private(serve: Serve) -> None:
    begun = serve.call("upload_begin", **described())
    assert (begun["complete"], begun["size"]) == (False, 0)
    put(serve, CONTENT[100_000:], 100_000)
    put(serve, CONTENT[:100_000])
    put(serve, CONTENT[:100_000])  # a part may come twice
    path = Path(serve.call("upload_end", **described())["path"])
    assert path == folder_of(serve) / "3" / "shot.png" == Path(begun["path"])
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.stat().st_mode & 0o777 for each in (path.parent, path.parent.parent)] == [0o700, 0o700]
    assert [each.name for each in path.parent.iterdir()] == ["shot.png"]


def test_a_file_that_is_there_is_not_sent_again(serve: Serve) -> None:
    put_whole(serve)
    assert serve.call("upload_begin", **described())["complete"]
    (folder_of(serve) / "3" / "shot.png").write_bytes(b"changed by an agent")
    assert not serve.call("upload_begin", **described())["complete"]


def put_whole(serve: Serve) -> None:
    serve.call("upload_begin", **described())
    put(serve, CONTENT)
    serve.call("upload_end", **described())


def test_a_broken_off_upload_is_not_taken_for_a_file_and_goes_on(serve: Serve) -> None:
    serve.call("upload_begin", **described())
    put(serve, CONTENT[:50_000])
    assert not (folder_of(serve) / "3" / "shot.png").exists()
    assert serve.call("upload_begin", **described())["size"] == 50_000
    put(serve, CONTENT[50_000:], 50_000)
    assert Path(serve.call("upload_end", **described())["path"]).read_bytes() == CONTENT


def test_what_differs_from_its_digest_is_removed(serve: Serve) -> None:
    serve.call("upload_begin", **described())
    put(serve, b"x" * len(CONTENT))
    with pytest.raises(Refused, match="did not arrive as it was sent"):
        serve.call("upload_end", **described())
    assert list((folder_of(serve) / "3").iterdir()) == []


@pytest.mark.parametrize("offset", [-1, len(CONTENT)])
def test_nothing_is_written_outside_of_the_file(serve: Serve, offset: int) -> None:
    serve.call("upload_begin", **described())
    with pytest.raises(Refused, match="outside"):
        put(serve, b"x", offset)


@pytest.mark.parametrize(
    "wrong", [{"folder": "../x"}, {"folder": ""}, {"folder": "a/b"}, {"sha256": "../../x"}, {"id": "../9"}]
)
def test_a_file_can_only_be_put_into_the_folder_of_a_task(serve: Serve, wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        serve.call("upload_begin", **described(**wrong))
    assert not (Path(serve.hello["state_dir"]) / "attachments").exists()


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("shot.png", "shot.png"),
        ("Bildschirmfoto 2026-11-30 um 10.12.png", "Bildschirmfoto_2026-11-30_um_10.12.png"),
        ("C:\\Users\\me\\a b.txt", "a_b.txt"),
        ("../../.ssh/authorized_keys", "authorized_keys"),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("😀.png", "file.png"),
        ("name.", "name"),
        ("$(touch x);'\"`&|.md", "touch_x_.md"),
        ("line\nbreak\x1b[31m.log", "line_break_31m.log"),
        ("日本語.zip", "日本語.zip"),
        ("a\u202egnp.exe", "a_gnp.exe"),
        ("...", "file"),
        ("", "file"),
        ("archive.tar.gz", "archive.tar.gz"),
    ],
)
def test_a_name_is_a_plain_word_for_every_shell(given: str, made: str) -> None:
    assert attachments.safe_name(given) == made


def test_a_long_name_keeps_its_extension() -> None:
    name = attachments.safe_name("ü" * 300 + ".jpeg")
    assert name.endswith("ü.jpeg")
    assert len(name.encode()) <= attachments.MAX_NAME


def test_a_full_disk_is_said_in_a_sentence_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    request: Any = None
    params: Any = described()
    attachments.upload_begin(params, request)

    def no_room(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", no_room)
    part: Any = {**params, "offset": 0, "data": base64.b64encode(CONTENT).decode()}
    with pytest.raises(Exception, match=r"There is no room on the host's disk for shot.png \(0.2 MB\)."):
        attachments.upload_part(part, request)
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_a_file_that_can_not_fit_is_refused_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    params: Any = described(size=1 << 60)
    request: Any = None
    with pytest.raises(Exception, match="There is no room"):
        attachments.upload_begin(params, request)


def test_the_folder_of_a_task_is_removed_with_everything_in_it(serve: Serve) -> None:
    put_whole(serve)
    (folder_of(serve) / "by-the-agent" / "deep").mkdir(parents=True)
    for _ in range(2):  # a second time is no error
        serve.call("remove_folders", names=[f"attachments/{FOLDER}", "runs/aaaa0000-9-abc/tmp"])
    assert list(folder_of(serve).parent.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        *("attachments", "attachments/..", "attachments/a/b", "shells", "runs", "runs/..", "runs/x/../tmp"),
        *("runs/x/events.jsonl", "hostkit", "/etc", ""),
    ],
)
def test_nothing_else_can_be_removed(serve: Serve, name: str) -> None:
    put_whole(serve)
    with pytest.raises(Refused, match="no folder of a task"):
        serve.call("remove_folders", names=[name])
    assert (folder_of(serve) / "3" / "shot.png").exists()


def test_a_run_that_is_still_going_on_keeps_everything(serve: Serve) -> None:
    put_whole(serve)
    state = folder_of(serve).parent.parent
    runs = [state / f"runs/aaaa0000-{number}-abc" for number in (8, 9)]
    for run in runs:
        run.mkdir(parents=True)
        (run / "raw.jsonl").write_text("words")
    (runs[1] / "guard.json").write_text(json.dumps(processes.identity(os.getpid())))
    names = [*(f"runs/{run.name}" for run in runs), f"attachments/{FOLDER}"]
    with pytest.raises(Refused, match="still going on"):
        serve.call("remove_folders", names=names)
    assert all(run.exists() for run in (*runs, folder_of(serve)))
    (runs[1] / "guard.json").unlink()
    serve.call("remove_folders", names=names)
    assert not any(run.exists() for run in (*runs, folder_of(serve)))


def test_a_link_in_the_place_of_a_folder_is_not_followed(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    folder_of(serve).parent.mkdir(parents=True)
    folder_of(serve).symlink_to(tmp_path / "kept")
    with pytest.raises(Refused, match="is a link"):
        serve.call("remove_folders", names=[f"attachments/{FOLDER}"])
    assert (tmp_path / "kept").is_dir()
