"""A document of twelve points, as this project's own issues are written, with five dependencies."""

from __future__ import annotations

from typing import Any

DOCUMENT = """\
# Files in: drop, paste, attach

**Purpose.** A picture says what a paragraph cannot. Today nothing but words goes to an agent.

Everything works at 390 px, and `just test` passes after each point.

## 1. A store for files

- `Attachment` rows with digest, size and type; content by digest in `DATA_DIR/files/`
- nothing is written twice, and nothing is lost when two uploads meet

## 2. Upload and download by the API (after 1)

```http
POST /api/attachments
---
multipart, field `file`
```

## 3. Drop and paste in the new-task form (after 2)

The caret stays where it was.

## 4. Thumbnails

SVG is never shown, only offered as a download.

## 5. Files of a message (after 2)

Also for a live run; the agent gets them with the next tool result.

## 6. Clean up what no task names (after 1)

Once a day, older than 7 days.

## 7. Limits that are told before the upload

| limit | default |
|---|---|
| one file | 20 MB |
| all of a task | 100 MB |

## 8. Keyboard: `Ctrl U` opens the file picker
## 9. Help page: docs/files.md

1. what can be attached
2. where it is kept

## 10. Show files in the conversation (after 5)

Names are hostile text.

## 11. Search by file name

## 12. Backup and restore take the files along

Restoring an older backup says which files are missing.
"""

TITLES = [
    "1. A store for files",
    "2. Upload and download by the API",
    "3. Drop and paste in the new-task form",
    "4. Thumbnails",
    "5. Files of a message",
    "6. Clean up what no task names",
    "7. Limits that are told before the upload",
    "8. Keyboard: `Ctrl U` opens the file picker",
    "9. Help page: docs/files.md",
    "10. Show files in the conversation",
    "11. Search by file name",
    "12. Backup and restore take the files along",
]
AFTER = [[], [0], [1], [], [1], [0], [], [], [], [4], [], []]


def proposal(count: int = 12) -> dict[str, Any]:
    """The answer of an agent that plans the document."""
    return {
        "tasks": [
            {
                "title": title,
                "prompt": f"Do this: {title}. Keep the API.",
                "after": after,
                "touches": ["tasks/models/attachment.py"],
                "check": "just test",
                "size": "M",
            }
            for title, after in list(zip(TITLES, AFTER, strict=True))[:count]
        ]
    }
