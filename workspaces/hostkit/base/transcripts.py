"""Reading of CLI transcripts on this host. Only token counts are used, not their text."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Sequence, cast

from ..files import loads
from ..wire import TOKEN_KINDS, Json, ModelUsage, TranscriptPart

HOUR = "cache_write_1h_tokens"


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


def epoch_of(record: Json) -> float:
    """Return the time of a record in seconds since 1970; 0 if it has none."""
    try:
        return datetime.fromisoformat(str(record.get("timestamp")).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def part_at(starts: Sequence[float], at: float) -> int:
    """Return which part a time belongs to: the last one that had started by then, or the first."""
    return max(0, bisect_right(starts, at) - 1)


def add_tokens(sums: Dict[str, int], tokens: Mapping[str, int]) -> None:
    for name in TOKEN_KINDS:
        sums[name] += tokens[name]


def no_part() -> TranscriptPart:
    return {"tokens": no_tokens(), "by_model": {}}


def add_to_part(part: TranscriptPart, model: str, tokens: Mapping[str, int]) -> None:
    """Add the tokens of a message of this model, and those of its cache writes that are kept for an hour."""
    add_tokens(part["tokens"], tokens)
    used = cast("Dict[str, int]", part["by_model"].setdefault(model, cast("ModelUsage", no_tokens())))
    add_tokens(used, tokens)
    if tokens.get(HOUR):
        used[HOUR] = used.get(HOUR, 0) + tokens[HOUR]
