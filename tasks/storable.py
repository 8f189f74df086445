"""What every database can hold."""

from __future__ import annotations

from typing import Any


def storable(value: Any) -> Any:
    """PostgreSQL takes neither NUL nor half characters, and both a person and an agent may write them.

    NUL becomes its visible sign, half a character a question mark, at any depth of lists and dictionaries.
    """
    if isinstance(value, str):
        return value.replace("\0", "\u2400").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    return value
