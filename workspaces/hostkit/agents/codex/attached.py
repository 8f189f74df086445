"""Files of a prompt or a message as Codex takes them: pictures as items, with which it names their paths."""

from __future__ import annotations

from typing import List, Sequence

from ...base.attachments import is_picture, note_about
from ...wire import AttachedFile, Json


def input_of(text: str, files: Sequence[AttachedFile]) -> List[Json]:
    """Return the input of a turn. Codex reads the pictures itself, outside of its sandbox."""
    pictures = [file for file in files if is_picture(file)]
    note = note_about([file for file in files if file not in pictures])
    texts = [{"type": "text", "text": each} for each in (text, note) if each.strip()]
    return [*texts, *({"type": "localImage", "path": file["path"]} for file in pictures)]
