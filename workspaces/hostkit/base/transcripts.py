"""Reading of CLI transcripts on this host. Only token counts are used, not their text."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, List

from ..files import loads
from ..wire import TOKEN_KINDS, Json


def no_tokens() -> Dict[str, int]:
    return dict.fromkeys(TOKEN_KINDS, 0)


def written_since(folder: Path, pattern: str, since: float) -> List[Path]:
    found = []
    for path in folder.glob(pattern):
        try:
            if path.stat().st_mtime >= since:
                found.append(path)
        except OSError:  # it was removed in the meantime
            continue
    return found


def records(path: Path, *marks: str) -> Iterator[Json]:
    """Yield the JSON objects of lines that contain one of the marks. Skip incomplete lines."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if any(mark in line for mark in marks):
                    record = _parsed(line)
                    if record:
                        yield record
    except OSError:
        return


def _parsed(line: str) -> Json:
    try:
        record = loads(line, depth=None)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
