"""Shows text that an agent could have written: whatever a reader would not see becomes an escape.

Nothing is deleted, so that `unescape(visible(text)) == text` for every text. The escapes are those of Python:
`\\x1b` for a control character and for a byte that is not UTF-8, `\\u202e` for other characters.
"""

from __future__ import annotations

import re
from typing import Iterator, Match, Optional, Sequence, Tuple

MAX_NAMED = 5
UNSEEN = (
    "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"  # controls but tab and newline
    "\\u00ad\\u034f\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u115f\\u1160\\u17b4\\u17b5"
    "\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufe00-\\ufe0f\\ufeff"
    "\\uffa0\\ufff0-\\ufffb\\U000110bd\\U000110cd\\U00013430-\\U0001343f\\U0001bca0-\\U0001bca3"
    "\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff"  # formats, directions, fillers, selectors, tags
    "\\ud800-\\udfff"  # halves of characters, and bytes that are not UTF-8
)
"""Controls, and characters that show nothing or change how others are shown."""
SPACES = "\\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000"
"""Characters that look like a space and are none."""
EMOJI = (
    "\\u00a9\\u00ae\\u203c\\u2049\\u2122\\u2139\\u2190-\\u27bf\\u2934\\u2935\\u2b00-\\u2bff\\u3030\\u303d"
    "\\u3297\\u3299\\U0001f000-\\U0001faff"
)
EMOJI_PARTS = (
    f"(?:(?<=[{EMOJI}])\\ufe0f|(?<=[#*0-9])\\ufe0f(?=\\u20e3)"
    f"|(?<=[{EMOJI}])\\u200d(?=[{EMOJI}])|(?<=[{EMOJI}]\\ufe0f)\\u200d(?=[{EMOJI}]))"
)
"""Selectors and joiners where an emoji needs them."""
TAIL = "x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}"
HIDDEN = re.compile(f"(?!{EMOJI_PARTS})[{UNSEEN}{SPACES}]")
HIDDEN_IN_PROSE = re.compile(f"(?!{EMOJI_PARTS})[{UNSEEN}]")
# A run of backslashes is matched from its start only: the time stays linear however long it is.
AMBIGUOUS = re.compile(f"(?<!\\\\)(\\\\*)({HIDDEN.pattern})|(?<!\\\\)(\\\\+)({TAIL})")
SUSPECT = re.compile(f"[{UNSEEN}{SPACES}]|\\\\[xuU][0-9a-f]{{2}}")
"""Found in each text that `visible` changes, and much faster to search for."""
ESCAPED = re.compile(f"(?<!\\\\)(\\\\+)({TAIL})")


def visible(text: str) -> str:
    """Return the text with an escape for each character that a reader would not see or would mistake.

    These are controls (also carriage returns, but not tabs and newlines), characters that are invisible or
    change the direction of writing, spaces other than the common one, and bytes that are not UTF-8. Where the
    text itself has what reads like such an escape, its backslashes are doubled.
    """
    return "".join(part for part, _ in pieces(text)) if SUSPECT.search(text) else text


def pieces(text: str) -> Iterator[Tuple[str, bool]]:
    """Yield the parts of the visible text, each with whether it is the escape of a character."""
    if not SUSPECT.search(text):
        yield text, False
        return
    at = 0
    for found in AMBIGUOUS.finditer(text):
        before, hidden, backslashes, tail = found.groups()
        yield text[at : found.start()], False
        at = found.end()
        if hidden is not None:
            yield before * 2, False
            yield escape_of(hidden), True
        else:
            yield (backslashes * 2 if _meant(tail) else backslashes) + tail, False
    yield text[at:], False


def unescape(text: str) -> str:
    """Return the text that `visible` has shown as this one."""
    return ESCAPED.sub(_unescaped, text)


def prose(text: str) -> str:
    """Return a text for reading, with the same escapes, but typographic spaces and backslashes as they are.

    It can't be reversed: use `visible` for whatever is allowed, accepted or compared.
    """
    return HIDDEN_IN_PROSE.sub(lambda found: escape_of(found[0]), text.replace("\r\n", "\n"))


def printed(text: str) -> str:
    """Return the visible text of a program's output, in which a line may end with a carriage return too."""
    return visible(text.replace("\r\n", "\n"))


def some_of(names: Sequence[str]) -> str:
    """Return the first names of files, as `visible` shows them, and how many more there are."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(map(visible, names[:MAX_NAMED])) + more


def escape_of(char: str) -> str:
    """Return the escape of one character."""
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _meant(tail: str) -> Optional[str]:
    """Return the character that `visible` shows by a backslash and this tail; None if there is none."""
    code = int(tail[1:], 16)
    if tail[0] == "x" and code >= 0x80:
        code += 0xDC00
    if code > 0x10FFFF:
        return None
    char = chr(code)
    return char if HIDDEN.match(char) and escape_of(char) == "\\" + tail else None


def _unescaped(found: "Match[str]") -> str:
    backslashes, tail = found.groups()
    char = _meant(tail)
    if char is None:
        return found[0]
    literal = backslashes[: len(backslashes) // 2]
    return literal + (char if len(backslashes) % 2 else tail)
