"""What a person may type into a workspace; each refusal says what would be right."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Any

from django.core.exceptions import ValidationError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LINE_BREAKERS = {"Cc", "Zl", "Zp"}


def validate_host_alias(value: str) -> None:
    """A leading dash would be read as an option by ssh; spaces and control characters are never an alias."""
    if value.startswith("-") or any(c.isspace() or not c.isprintable() for c in value):
        raise ValidationError("An alias has no spaces and does not begin with a dash.")


def validate_one_line(value: str) -> None:
    """Names and paths are shown and passed on in lines."""
    if any(unicodedata.category(character) in LINE_BREAKERS for character in value):
        raise ValidationError("Line breaks and control characters are not possible here.")


def validate_word(value: str) -> None:
    """What becomes one argument of a CLI or of git."""
    if value.startswith("-") or any(not c.isprintable() or c.isspace() for c in value):
        raise ValidationError("No spaces, control characters or leading dash.")


def validate_folder(value: str) -> None:
    validate_one_line(value)
    if value and value != "~" and not value.startswith(("/", "~/")):
        raise ValidationError("Give the whole path, from / or ~/.")


def validate_person(value: str) -> None:
    """git drops what it can't write between a name and an address, and refuses a name of nothing else."""
    validate_one_line(value)
    if any(sign in value for sign in "<>"):
        raise ValidationError("A name for git has no < and >.")


def validate_globs(value: str) -> None:
    for line in filter(None, (line.strip() for line in value.splitlines())):
        path = PurePosixPath(line)
        if path.is_absolute() or ".." in path.parts or line.startswith("~"):
            raise ValidationError(f"{line}: give a pattern inside the repository.")


def validate_environment(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValidationError('Give an object, such as {"NAME": "value"}.')
    for name, content in value.items():
        if not NAME.fullmatch(name):
            raise ValidationError(f"{name!r} is not a name of a variable.")
        if not isinstance(content, str) or "\0" in content:
            raise ValidationError(f"The value of {name} must be a text.")
