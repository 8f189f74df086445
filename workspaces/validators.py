"""What a person may type into a workspace; each refusal says what would be right."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from django.core.exceptions import ValidationError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def validate_host_alias(value: str) -> None:
    """A leading dash would be read as an option by ssh; spaces and control characters are never an alias."""
    if value.startswith("-") or any(c.isspace() or not c.isprintable() for c in value):
        raise ValidationError("An alias has no spaces and does not begin with a dash.")


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
