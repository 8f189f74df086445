"""Titles of tasks, from the texts that they are made of."""

from __future__ import annotations

import re
import unicodedata

from tasks.planning.after_words import without_references

LONGEST_TITLE = 100
BREAK = re.compile(r"(?<=[.:;!?])\s|\s[–—-]\s")
LEAD = re.compile(r"(\*\*|__)(\S[^\n]{11,98}?)\1")
"Bold words with which a text begins: long enough for a title."
EMPHASIS = re.compile(r"(\*\*|__|(?<!\w)[*_](?=\S))(.+?)\1")


def strip_marks(text: str) -> str:
    """Return one line without heading marks, emphasis and control characters."""
    characters = (" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    line = " ".join("".join(characters).split())
    line = re.sub(r"^#{1,6}\s+|\s+#+$", "", line)
    return EMPHASIS.sub(r"\2", line).strip("# \t")


def title_of(text: str) -> str:
    """Return the first line with words as a title: its first sentence, if the line is long."""
    line = next((found for line in text.split("\n") if (found := strip_marks(line))), text.strip()[:20])
    if lead := LEAD.match(text.lstrip()):
        line = strip_marks(lead[2]).rstrip(".:;") or line
    line = without_references(line) or line
    if len(line) <= LONGEST_TITLE:
        return line
    breaks = [match.start() for match in BREAK.finditer(line[: LONGEST_TITLE + 1])]
    good = next((at for at in breaks if at >= 12), None)
    if good is not None:
        return line[:good].rstrip(" .:;")
    return f"{line[: LONGEST_TITLE - 1].rsplit(' ', 1)[0].rstrip()}…"
