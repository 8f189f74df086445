"""Commands that a user copies into a shell."""

from __future__ import annotations

import shlex


def command_line(*argv: str) -> str:
    """Return a command for a POSIX shell; each argument stays one word, whatever it contains.

    Characters that a terminal would interpret or hide (escapes, line breaks, invisible ones) are written as
    escapes of bash's and zsh's `$'…'`.
    """
    return " ".join(shlex.quote(word) if word.isprintable() else _escaped(word) for word in argv)


def _escaped(word: str) -> str:
    return "$'" + "".join(map(_escape, word)) + "'"


def _escape(character: str) -> str:
    if character in "'\\":
        return f"\\{character}"
    if character.isprintable():
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
