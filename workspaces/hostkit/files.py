"""Helpers for files and JSON."""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Union

if TYPE_CHECKING:
    from .wire import Json


MAX_DEPTH = 64
"""How deep lists and objects may be nested in what is recorded or passed on."""
MAX_DIGITS = 400
"""Digits of a whole number. Python needs quadratic time to read long ones, and servers refuse them."""


class InvalidJson(ValueError):
    """Text from outside that is not the JSON that we accept. The message says why."""


def loads(data: Union[bytes, str], depth: Optional[int] = MAX_DEPTH) -> Any:
    """Parse JSON that anybody could have written: UTF-8, finite numbers, at most `depth` levels.

    With None as depth, only the interpreter limits it. Raises InvalidJson, and nothing else.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        value = json.loads(
            text, parse_int=_whole_number, parse_float=_decimal, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise InvalidJson("it is nested too deep") from None
    except ValueError as error:
        raise InvalidJson(str(error)) from None
    if depth is not None and text.count("[") + text.count("{") > depth and is_deeper(value, depth):
        raise InvalidJson("it is nested deeper than %d levels" % depth)
    return value


def is_deeper(value: Any, depth: int) -> bool:
    """Return whether lists and dictionaries are nested in more than `depth` levels. Does not recurse."""
    level: List[Any] = [value]
    for _ in range(depth + 1):
        level = [each for each in level if isinstance(each, (dict, list))]
        if not level:
            return False
        level = [child for each in level for child in (each.values() if isinstance(each, dict) else each)]
    return True


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("a number has %d digits" % len(digits))
    return int(digits)


def _decimal(text: str) -> Union[float, str]:
    """Return the number, or its text if it is too large for a float: infinity is no JSON."""
    value = float(text)
    return value if math.isfinite(value) else text


def _refuse_constant(name: str) -> None:
    raise ValueError("%s is no JSON" % name)


def dumps(value: object) -> bytes:
    """Return compact JSON without newlines, escaped to ASCII so that surrogates (non-UTF-8 bytes) survive."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def read_json(path: Path) -> Optional[Json]:
    """Return the JSON object in `path`, or None if the file is missing, incomplete or not an object."""
    try:
        value = loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def make_private_folder(path: Path) -> None:
    """Create `path` and its missing parents, all with mode 0700."""
    missing = []
    folder = path
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def write_atomic(path: Path, data: bytes, mode: int = 0o600, exclusive: bool = False) -> None:
    """Write `path` atomically and durably: readers see the whole file or none, even after a power cut.

    With `exclusive`, raise FileExistsError if it already exists.
    """
    make_private_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=str(path.parent))
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            os.fchmod(handle, mode)
            out.write(data)
            out.flush()
            os.fsync(handle)
        _put(temporary, path, exclusive)
    finally:
        if temporary.exists():
            temporary.unlink()
    _sync_folder(path.parent)


def _put(temporary: Path, path: Path, exclusive: bool) -> None:
    if exclusive:
        os.link(str(temporary), str(path))
    else:
        temporary.replace(path)


def _sync_folder(path: Path) -> None:
    handle = os.open(str(path), os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # not supported by some file systems; the rename is still atomic
    finally:
        os.close(handle)
