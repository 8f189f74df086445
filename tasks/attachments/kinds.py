"""Decides by its content what an uploaded file is. Name and given type only say what is expected."""

from __future__ import annotations

import codecs
import re
import unicodedata
from pathlib import Path

from tasks.attachments.store import CHUNK
from tasks.models import Attachment
from workspaces.validators import LINE_BREAKERS

Kind = Attachment.Kind
MAX_NAME = 255
DECODED = {"png", "apng", "jpg", "jpeg", "jpe", "jfif", "gif", "webp", "bmp"}
"""Extensions of pictures that are decoded."""
OTHERS = {
    "tif": (b"II*\0", b"MM\0*"),
    "tiff": (b"II*\0", b"MM\0*"),
    "ico": (b"\0\0\1\0",),
    "psd": (b"8BPS",),
}
"""How pictures begin that are passed on as files."""
CONTAINERS = {"heic", "heif", "avif"}
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
ROOT = re.compile(r"<(?:[\w.-]+:)?(\w+)")
HEAD = 4096
MISLEADING = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Characters of names that can't be seen, or change how others are read. Those in words and emoji stay."""
UNSEEN = "Models can't see pictures of this type: the agent gets its path. To show it, attach a PNG or JPEG."


def clean_name(name: str) -> str:
    """Return a file name as one line, without folders, control characters and what could mislead."""
    name = MISLEADING.sub("", name.replace("\\", "/").rpartition("/")[2])
    characters = (" " if unicodedata.category(c) in (*LINE_BREAKERS, "Cs") else c for c in name)
    name = " ".join("".join(characters).split()).lstrip(".")
    if len(name) > MAX_NAME:
        stem, dot, extension = name.rpartition(".")
        ending = f".{extension}"[:20] if dot else ""
        name = (stem or name)[: MAX_NAME - len(ending)] + ending
    return name or "file"


def extension_of(name: str) -> str:
    return Path(name).suffix.lower().removeprefix(".")


def is_picture(head: bytes) -> bool:
    """Whether a file that begins like this is a picture that can be decoded, if it is not damaged."""
    return (
        head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in BMP_HEADERS)
    )


def says_picture(name: str, given_type: str) -> bool:
    """Whether its name or the browser says that it is a picture that can be decoded."""
    return extension_of(name) in DECODED or given_type in {f"image/{each}" for each in DECODED}


def is_other_picture(name: str, head: bytes) -> bool | None:
    """Whether a picture that is not decoded begins as its name says; None if the name says nothing."""
    extension = extension_of(name)
    if extension in CONTAINERS:
        return head[4:8] == b"ftyp"
    return head.startswith(OTHERS[extension]) if extension in OTHERS else None


def note_about(row: Attachment) -> str:
    """Return what a user should know of the file before it is sent; mostly nothing."""
    is_unseen = row.kind == Kind.FILE and extension_of(row.name) in CONTAINERS | OTHERS.keys()
    return UNSEEN if is_unseen else ""


def is_vector(name: str, head: bytes) -> bool:
    """Whether it is, or says to be, an SVG."""
    encoding = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    text = COMMENT.sub("", head.decode(encoding, "ignore")).strip()
    root = ROOT.search(text) if text.startswith("<") else None
    return extension_of(name) == "svg" or bool(root and root[1].lower() == "svg")


def is_text(path: Path) -> bool:
    """Whether all of it is UTF-8 without NUL."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as source:
            while data := source.read(CHUNK):
                if b"\0" in data:
                    return False
                decoder.decode(data)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def type_of(kind: str, head: bytes) -> str:
    """Return the type of what is no picture."""
    if kind == Kind.TEXT:
        return "text/plain"
    if kind == Kind.PDF:
        return "application/pdf"
    archives = ((b"PK\3\4", "application/zip"), (b"\x1f\x8b", "application/gzip"))
    return next((name for mark, name in archives if head.startswith(mark)), "application/octet-stream")
