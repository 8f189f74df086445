"""The help: the documents in `docs/` and `SECURITY.md` as pages of the app.

They are files of the installation, not the users' texts: they are rendered without the limits of
`tasks.rendering.markdown`, and once per process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

if TYPE_CHECKING:
    from markdown_it.token import Token

FIRST = [
    "first-steps",
    "workspaces",
    "board",
    "conversation",
    "terminal",
    "previews",
    "merging",
    "order",
    "plans",
    "attachments",
    "usage",
    "troubleshooting",
]
"""Names of the documents that come first, in this order; the others follow by title."""
BOUNDARIES = "boundaries"
"""Name of the page of `SECURITY.md`, which is not in `docs/`."""
OF_PAGES = {
    "backups": "backup",
    "board": "board",
    "inbox": "conversation",
    "graph": "order",
    "merge": "merging",
    "search": "search",
    "plan": "plans",
    "spotlight": "spotlight",
    "prompt_templates": "board",
    "task": "conversation",
    "task_attempts": "board",
    "task_changes": "merging",
    "task_new": "board",
    "task_ports": "previews",
    "task_terminal": "terminal",
    "terminals": "terminal",
    "train": "merging",
    "usage": "usage",
    "workspace": "workspaces",
    "workspace_terminal": "terminal",
    "workspaces": "workspaces",
}
"""Names of URLs → the document about the page. The longest name that a URL's name begins with counts."""
LINKED_DOCUMENT = re.compile(r"(?:\.\./)?(?P<file>[\w-]+\.md)(?P<anchor>#.*)?")


@dataclass(frozen=True)
class Document:
    """A page of the help. `headings` are its sections: (anchor, text)."""

    name: str
    title: str
    html: SafeString
    headings: list[tuple[str, str]]


@lru_cache(maxsize=1)
def documents() -> dict[str, Document]:
    """Return all documents by name, in the order in which they are listed."""
    root = Path(settings.BASE_DIR)
    files = {path.stem: path for path in root.glob("docs/*.md")}
    files[BOUNDARIES] = root / "SECURITY.md"
    found = [_document(name, path.read_text("utf-8")) for name, path in files.items() if path.is_file()]
    found.sort(key=lambda one: (FIRST.index(one.name) if one.name in FIRST else len(FIRST), one.title))
    return {one.name: one for one in found}


def document_for(url_name: str) -> str:
    """Return the name of the document about a page; empty if there is none."""
    names = (name for name in OF_PAGES if f"{url_name}_".startswith(f"{name}_"))
    return OF_PAGES.get(max(names, key=len, default=""), "")


def _document(name: str, text: str) -> Document:
    from markdown_it import MarkdownIt  # takes memory that a web process without help needs not

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    titles = _name_headings(tokens)
    _point_links_to_pages(tokens)
    return Document(
        name=name,
        title=titles[0][1] if titles else name,
        html=mark_safe(parser.renderer.render(tokens, parser.options, {})),  # noqa: S308 - no raw HTML in it
        headings=titles[1:],
    )


def _name_headings(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """Give the headings GitHub's anchors. Return (anchor, text) of the title and the sections."""
    named = []
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            text = _plain(content)
            anchor = re.sub(r"[^\w\- ]", "", text).strip().lower().replace(" ", "-")
            opening.attrSet("id", anchor)
            if opening.tag in ("h1", "h2"):
                named.append((anchor, text))
    return named


def _plain(content: Token) -> str:
    parts = content.children or []
    return "".join(" " if part.type == "softbreak" else part.content for part in parts)


def _point_links_to_pages(tokens: Sequence[Token]) -> None:
    for content in tokens:
        for part in content.children or []:
            if part.type == "link_open":
                part.attrSet("href", _page_of(str(part.attrGet("href"))))


def _page_of(href: str) -> str:
    """Return where a link of a document leads in the app: `merging.md#undo` is a page of the help."""
    found = LINKED_DOCUMENT.fullmatch(href)
    if not found:
        return href
    name = BOUNDARIES if found["file"] == "SECURITY.md" else found["file"].removesuffix(".md")
    return reverse("help_document", args=[name]) + (found["anchor"] or "")
