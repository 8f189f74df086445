"""The skills of Codex. `$name` in a message puts a skill into it; Codex has no commands in messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, Mapping

from ...base.talk import NoAnswer, Talk
from ...wire import Json, OfferedCommand
from .protocol import HANDSHAKE
from .transcripts import home

FOLDERS = (".agents/skills", ".codex/skills")
KEY = 2
NAME = re.compile(r"[A-Za-z0-9][\w:-]{0,99}\Z")
"""Names that `$name` in a text refers to."""


def ask(talk: Talk) -> List[OfferedCommand]:
    """Ask a CLI that has just been started. Raises NoAnswer."""
    talk.send(*HANDSHAKE, {"id": KEY, "method": "skills/list", "params": {"cwds": [talk.folder]}})
    for line in talk.lines():
        if line.get("id") == KEY and "method" not in line:
            return offered(line)
    raise NoAnswer("codex did not answer.")


def offered(answer: Json) -> List[OfferedCommand]:
    """Return the skills in the answer to `skills/list`."""
    if "error" in answer:
        raise NoAnswer(f"codex did not list its skills: {(answer['error'] or {}).get('message')}")
    folders = (answer.get("result") or {}).get("data") or []
    skills = [skill for folder in folders for skill in folder.get("skills") or []]
    return [_skill(skill) for skill in skills if isinstance(skill, dict) and _is_usable(skill)]


def _is_usable(skill: Json) -> bool:
    return skill.get("enabled") is not False and bool(NAME.match(str(skill.get("name") or "")))


def _skill(skill: Json) -> OfferedCommand:
    interface = skill.get("interface")
    short = interface.get("shortDescription") if isinstance(interface, dict) else None
    return {
        "name": str(skill["name"]),
        "insert": f"${skill['name']}",
        "description": str(short or skill.get("description") or ""),
        "hint": "",
        "in_conversation": False,
    }


def own_files(env: Mapping[str, str]) -> List[Path]:
    return [home(env) / "skills", home(env) / "config.toml", Path(env.get("HOME", ""), ".agents/skills")]
