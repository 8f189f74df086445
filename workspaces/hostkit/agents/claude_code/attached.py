"""Files of a message as Claude Code takes them best: as content blocks, else by their paths."""

from __future__ import annotations

import base64
import re
from typing import List, Optional, Sequence

from ...base.attachments import content_of, is_picture, note_about
from ...wire import AttachedFile, Json

MAX_TOTAL = 18 << 20
"""Bytes of all blocks of a message: a request may have 32 MB, and is in base64."""
MAX_TEXT = 100_000
MAX_PDF = 8 << 20
MAX_PAGES = 90
"""The service refuses a request with more than 100 pages of PDF, also in all later turns of the session."""
PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
COUNT = re.compile(rb"/Count\s+(\d{1,9})")


def blocks_of(text: str, files: Sequence[AttachedFile]) -> List[Json]:
    """Return the content of a message. The user's text is last: there the CLI looks for its commands."""
    left = MAX_TOTAL
    blocks: List[Json] = []
    shown: List[AttachedFile] = []
    for file in files:
        block = _block(file, left) if file["size"] <= left else None
        if block:
            blocks.append(block)
            shown.append(file)
            left -= file["size"]
    note = note_about(files, shown)
    return [*blocks, *({"type": "text", "text": each} for each in (note, text) if each.strip())]


def _block(file: AttachedFile, left: int) -> Optional[Json]:
    if is_picture(file):
        content = content_of(file, left)
        return {"type": "image", "source": _source(file["media_type"], content)} if content else None
    if file["kind"] == "pdf":
        content = content_of(file, min(left, MAX_PDF))
        return _document(file, _source("application/pdf", content)) if content and is_short(content) else None
    if file["kind"] == "text":
        text = _text_of(content_of(file, min(left, MAX_TEXT)))
        source = {"type": "text", "media_type": "text/plain", "data": text}
        return _document(file, source) if text else None
    return None


def _document(file: AttachedFile, source: Json) -> Json:
    return {"type": "document", "source": source, "title": file["name"][:200]}


def _source(media_type: str, content: bytes) -> Json:
    data = base64.b64encode(content).decode("ascii")
    return {"type": "base64", "media_type": media_type, "data": data}


def _text_of(content: Optional[bytes]) -> str:
    """Return the text; empty if it is none that a request can contain."""
    try:
        text = (content or b"").decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""
    return "" if "\0" in text or not text.strip() else text


def is_short(pdf: bytes) -> bool:
    """Whether the service takes this PDF. If its pages can't be counted or read, it is better a file."""
    if not pdf.startswith(b"%PDF-") or b"/Encrypt" in pdf:
        return False
    pages = max([len(PAGE.findall(pdf)), *map(int, COUNT.findall(pdf))])
    return 0 < pages <= MAX_PAGES
