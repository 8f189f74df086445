"""Validators of a workspace's fields; each error says what would be valid."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Any

from django.core.exceptions import ValidationError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LINE_BREAKERS = {"Cc", "Zl", "Zp"}


def validate_host_alias(value: str) -> None:
    """Refuse spaces, control characters, and a leading dash, which ssh would take for an option."""
    if value.startswith("-") or any(c.isspace() or not c.isprintable() for c in value):
        raise ValidationError("An alias can't contain spaces or start with a dash.")


def validate_one_line(value: str) -> None:
    """Refuse line breaks: names and paths are passed on in lines."""
    if any(unicodedata.category(character) in LINE_BREAKERS for character in value):
        raise ValidationError("Line breaks and control characters are not allowed.")


def validate_word(value: str) -> None:
    """Refuse what can't be one argument of a CLI or of git."""
    if value.startswith("-") or any(not c.isprintable() or c.isspace() for c in value):
        raise ValidationError("Spaces, control characters and a leading dash are not allowed.")


def validate_folder(value: str) -> None:
    validate_one_line(value)
    if value and value != "~" and not value.startswith(("/", "~/")):
        raise ValidationError("Enter an absolute path that starts with / or ~/.")


def validate_person(value: str) -> None:
    """Refuse what git would drop from a name."""
    validate_one_line(value)
    if any(sign in value for sign in "<>"):
        raise ValidationError("A git name can't contain < or >.")


def validate_globs(value: str) -> None:
    for line in filter(None, (line.strip() for line in value.splitlines())):
        path = PurePosixPath(line)
        if path.is_absolute() or ".." in path.parts or line.startswith("~"):
            raise ValidationError(f"{line}: enter a pattern relative to the repository.")


def validate_environment(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValidationError('Enter an object such as {"NAME": "value"}.')
    for name, content in value.items():
        if not NAME.fullmatch(name):
            raise ValidationError(f"{name!r} is not a valid variable name.")
        if not isinstance(content, str) or "\0" in content:
            raise ValidationError(f"The value of {name} must be a string.")
