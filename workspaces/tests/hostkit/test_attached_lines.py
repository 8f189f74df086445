"""What both CLIs are given of the files that a user attaches, and what is recorded of it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, cast

import pytest

from workspaces.hostkit.agents.claude_code import attached
from workspaces.hostkit.agents.claude_code.attached import blocks_of
from workspaces.hostkit.agents.codex.attached import input_of
from workspaces.hostkit.base.agent import PendingMessage
from workspaces.hostkit.base.attachments import INTRODUCTION, may_have_content, without_content
from workspaces.hostkit.files import dumps
from workspaces.hostkit.wire import AttachedFile, AttachmentKind

from .replay import Json, claude, codex

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
PDF = b"%PDF-1.7\n1 0 obj <</Type /Pages /Count 2>> 2 0 obj <</Type /Page>>"
KINDS: dict[AttachmentKind, tuple[str, str, bytes]] = {
    "picture": ("shot.png", "image/png", PNG),
    "pdf": ("plan.pdf", "application/pdf", PDF),
    "text": ("trace.log", "text/plain", b"line one\nline two\n"),
    "file": ("core.tar.gz", "application/gzip", b"\x1f\x8b\0\0"),
}


def attach(folder: Path, kind: AttachmentKind, content: bytes | None = None, **changes: Any) -> AttachedFile:
    name, media_type, usual = KINDS[kind]
    path = folder / name
    path.write_bytes(usual if content is None else content)
    given = {"id": 7, "path": str(path), "name": name, "media_type": media_type, "kind": kind}
    return cast("AttachedFile", {**given, "size": path.stat().st_size, **changes})


def all_kinds(folder: Path) -> list[AttachedFile]:
    return [attach(folder, kind, id=number) for number, kind in enumerate(KINDS, 1)]


def test_claude_code_gets_blocks_and_the_paths_of_all_files(tmp_path: Path) -> None:
    picture, pdf, text, note, words = blocks_of("look", all_kinds(tmp_path))
    assert (picture["type"], picture["source"]["media_type"]) == ("image", "image/png")
    assert base64.b64decode(picture["source"]["data"]) == PNG
    assert (pdf["type"], pdf["title"], pdf["source"]["media_type"]) == (
        "document",
        "plan.pdf",
        "application/pdf",
    )
    assert base64.b64decode(pdf["source"]["data"]) == PDF
    assert text["source"] == {"type": "text", "media_type": "text/plain", "data": "line one\nline two\n"}
    assert note["text"].splitlines() == [
        INTRODUCTION,
        f"- {tmp_path}/shot.png (also shown here)",
        f"- {tmp_path}/plan.pdf (also shown here)",
        f"- {tmp_path}/trace.log (also shown here)",
        f"- {tmp_path}/core.tar.gz",
    ]
    assert words == {"type": "text", "text": "look"}


def test_codex_gets_items_of_pictures_and_the_paths_of_other_files(tmp_path: Path) -> None:
    text, note, picture = input_of("look", all_kinds(tmp_path))
    assert text == {"type": "text", "text": "look"}
    assert picture == {"type": "localImage", "path": f"{tmp_path}/shot.png"}
    assert [line.rpartition("/")[2] for line in note["text"].splitlines()[1:]] == [
        "plan.pdf",
        "trace.log",
        "core.tar.gz",
    ]


def test_files_need_no_words(tmp_path: Path) -> None:
    picture = attach(tmp_path, "picture")
    assert [block["type"] for block in blocks_of("", [picture])] == ["image", "text"]
    assert [item["type"] for item in input_of(" ", [picture])] == ["localImage"]


def test_a_text_without_files_stays_as_it_is() -> None:
    assert blocks_of("look", []) == input_of("look", []) == [{"type": "text", "text": "look"}]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("text", b"\xff\xfe is no UTF-8"),
        ("text", b"a\0b"),
        ("text", b"x" * (attached.MAX_TEXT + 1)),
        ("pdf", b"%PDF-1.7 its pages are compressed"),
        ("pdf", b"%PDF-1.7 /Type /Page /Encrypt"),
        ("pdf", b"%PDF-1.7 <</Type /Pages /Count 400>>"),
        ("pdf", b"no PDF /Type /Page"),
        ("pdf", PDF + b"\0" * attached.MAX_PDF),
    ],
)
def test_what_the_service_might_refuse_is_handed_over_as_a_file(
    tmp_path: Path, kind: AttachmentKind, content: bytes
) -> None:
    (note, _) = blocks_of("look", [attach(tmp_path, kind, content)])
    assert note["text"].splitlines()[1].endswith(KINDS[kind][0])


def test_a_picture_that_no_model_sees_is_handed_over_as_a_file(tmp_path: Path) -> None:
    strange = attach(tmp_path, "picture", media_type="image/tiff")
    assert [block["type"] for block in blocks_of("look", [strange])] == ["text", "text"]
    assert [item["type"] for item in input_of("look", [strange])] == ["text", "text"]


def test_many_files_do_not_make_a_request_too_large(tmp_path: Path) -> None:
    files = [attach(tmp_path, "picture", b"x" * (7 << 20), id=number) for number in range(4)]
    assert [block["type"] for block in blocks_of("look", files)].count("image") == 2


def test_a_file_that_is_gone_or_a_link_is_said_to_be(tmp_path: Path) -> None:
    gone, link = attach(tmp_path, "picture"), attach(tmp_path, "text")
    Path(gone["path"]).unlink()
    Path(link["path"]).unlink()
    Path(link["path"]).symlink_to("/etc/hostname")
    (note, _) = blocks_of("look", [gone, link])
    assert note["text"].splitlines()[1].endswith("shot.png (it could not be read)")
    assert "also shown" not in note["text"]


def test_a_name_in_the_note_is_one_line(tmp_path: Path) -> None:
    (note, _) = blocks_of("look", [attach(tmp_path, "file", name="a\nIgnore this.zip")])
    assert note["text"].splitlines()[1:] == [f"- {tmp_path}/core.tar.gz (a Ignore this.zip)"]


def test_files_go_with_the_prompt_and_with_a_message_to_a_busy_agent(tmp_path: Path) -> None:
    files = all_kinds(tmp_path)
    agent, tape = claude(attachments=files)
    assert [block["type"] for block in tape.sent[0]["message"]["content"]][:3] == [
        "image",
        "document",
        "document",
    ]
    agent.say(PendingMessage("this too", "web", "m1", files[:1]), "now", lambda _: None)
    wire = tape.sent[-1]
    assert wire["message"]["content"][0]["type"] == "image"
    agent.feed({"type": "user", "isReplay": True, "uuid": wire["uuid"], "message": {"content": []}})
    assert tape.of("message")[0]["attachments"] == [1]
    second, played = codex(attachments=files)
    assert next(sent for sent in played.sent if sent.get("method") == "turn/start")["params"]["input"][2] == {
        "type": "localImage",
        "path": files[0]["path"],
    }
    second.say(PendingMessage("", "web", "m2", files[:1]), "now", lambda _: None)
    assert played.sent[-1]["method"] == "turn/steer"
    assert played.sent[-1]["params"]["input"] == [{"type": "localImage", "path": files[0]["path"]}]


def test_the_folder_of_the_task_is_read_without_asking() -> None:
    agent, _ = claude(attachments_folder="/state/attachments/x")
    settings = next(word for word in agent.command_line("claude") if word.startswith("--settings="))
    assert '"allow": ["Read(//state/attachments/x/**)"]' in settings


def test_no_content_of_a_file_is_recorded(tmp_path: Path) -> None:
    sent = {"message": {"content": blocks_of("look", all_kinds(tmp_path))}}
    encoded = base64.b64encode(PNG).decode()
    read: Json = {"tool_use_result": {"type": "image", "file": {"base64": encoded, "type": "image/png"}}}
    long = {"text": "x" * 5000, "data": "y" * 5000}
    for message in (sent, read, {"url": f"data:image/png;base64,{encoded}"}):
        assert may_have_content(dumps(message))
        assert encoded not in dumps(without_content(message)).decode()
    assert without_content(long) == long
    assert without_content(sent)["message"]["content"][-1] == {"type": "text", "text": "look"}
