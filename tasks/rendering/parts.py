"""Building blocks of rendered events: folded lines, blocks of text, diffs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from aitask.lib.formats import icon
from tasks.models import Run
from workspaces.hostkit.escapes import pieces, printed

LONGEST = 12_000
"Maximum characters of a text on the page; a link shows the rest."
MAX_DIFF_LINES = 400
NOTHING = SafeString("")
COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


@dataclass(frozen=True)
class Entry:
    """One event to render."""

    run: Run
    seq: int
    data: dict[str, Any]

    def text(self, name: str = "text") -> str:
        """Return a field as text, with an escape for whatever could not be seen."""
        return readable(self.data.get(name))

    def key(self, name: str = "id") -> str:
        """Return an id of the CLI, made unique across runs."""
        return f"{self.run.number}-{self.data.get(name) or ''}"


def readable(text: Any) -> str:
    """Return a text of a program or an agent, with an escape for whatever could not be seen."""
    return printed(str(text if text is not None else ""))


def uncoloured(text: str) -> str:
    """Return the output of a program without the codes that colour it. They hide nothing on a page."""
    return COLOURS.sub("", text)


def marked(text: str) -> SafeString:
    """Return the `visible` text as safe HTML, in which the escapes stand out from the text itself."""
    shown = (
        f'<span class="esc">{part}</span>' if is_escape else escape(part) for part, is_escape in pieces(text)
    )
    return mark_safe("".join(shown))  # noqa: S308 - each part is escaped


WISHES = {"command": "run a command", "Bash": "run a command", "apply_patch": "change files"} | dict.fromkeys(
    ("Write", "Edit", "MultiEdit", "NotebookEdit"), "change a file"
)


def wish(tool: Any) -> str:
    """Return what an agent wants to do with a tool, to follow the word "wants"."""
    name = readable(tool)
    return f"to {WISHES.get(name) or f'use {name}'}"


def block(entry: Entry, shown: str, css: str = "") -> SafeString:
    """Return preformatted visible text, truncated if it is very long."""
    more = NOTHING
    if len(shown) > LONGEST:
        shown = shown[:LONGEST]
        url = reverse("task_event", args=[entry.run.task_id, entry.run.number, entry.seq])
        more = format_html('<a class="whole" href="{}" target="_blank" rel="noopener">Show all</a>', url)
    return format_html('<pre class="{}" tabindex="0">{}</pre>{}', css, shown, more)


def folded(sign: str, label: str, title: str, body: SafeString, extra: SafeString = NOTHING) -> SafeString:
    """Return a line that expands to `body`."""
    return format_html(
        '<details{}><summary>{}<b>{}</b> <span class="what">{}</span><span class="how"></span></summary>'
        '<div class="inside">{}</div></details>',
        extra,
        icon(sign, "small"),
        label,
        title[:300],
        body,
    )


def line(sign: str, text: str, more: str = "", css: str = "") -> SafeString:
    """Return a single line."""
    return format_html(
        '<p class="line {}">{}<span>{} <span class="dim">{}</span></span></p>',
        css,
        icon(sign, "small"),
        text,
        more,
    )


def diff_size(added: int, deleted: int) -> SafeString:
    return format_html('<span class="plus">+{}</span> <span class="minus">−{}</span>', added, deleted)


def diff_lines(lines: list[str]) -> SafeString:
    """Return a diff with a CSS class for each kind of line."""
    kinds = {"+": "add", "-": "del", "@": "at"}
    shown = format_html_join(
        "",
        '<span class="{}">{}\n</span>',
        ((kinds.get(text[:1], ""), text) for text in lines[:MAX_DIFF_LINES]),
    )
    rest = len(lines) - MAX_DIFF_LINES
    more = format_html('<p class="dim">… {} more lines</p>', rest) if rest > 0 else NOTHING
    return format_html('<pre class="diff" tabindex="0">{}</pre>{}', shown, more)
