"""The slash commands and skills of Claude Code, and which of them a message may run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import FrozenSet, Iterable, List, Mapping, Set

from ...base.talk import NoAnswer, Talk
from ...wire import Json, OfferedCommand
from .transcripts import home

FOLDERS = (".claude/commands", ".claude/skills")
UNFIT: FrozenSet[str] = frozenset(
    [
        *("clear", "reset", "new", "rename", "name", "resume", "exit", "quit", "login", "logout"),
        *("model", "effort", "fast", "config", "settings", "permissions", "output-style", "mcp"),
        *("autocompact", "auto-mode-setup", "reload-plugins", "reload-skills", "plugin-authoring"),
        *("agents", "list-agents", "peers", "color", "focus", "heapdump", "statusline", "vim"),
        *("workflow-launch-exec", "fewer-permission-prompts", "update-config", "loop", "proactive"),
    ]
)
"""Commands that make no sense in a run: they are about the CLI's own interface, or change the session,
the model or the settings behind the app's back."""
OF_A_CONVERSATION: FrozenSet[str] = frozenset(["compact", "recap"])
"""Commands that have nothing to work on at the start of a session."""
COMMAND = re.compile(r"/([^\s/][^\s]*)(?=\s|\Z)")
NAME = re.compile(r"[A-Za-z0-9][\w:.-]{0,99}\Z")


def initialize(talk: Talk) -> List[OfferedCommand]:
    """Ask a CLI that has just been started. Raises NoAnswer."""
    key = "commands"
    request = {"subtype": "initialize"}
    talk.send({"type": "control_request", "request_id": key, "request": request})
    for line in talk.lines():
        response: Json = line.get("response") or {}
        if line.get("type") == "control_response" and response.get("request_id") == key:
            return offered(response)
    raise NoAnswer("claude did not answer.")


def offered(response: Json) -> List[OfferedCommand]:
    """Return the commands in the answer to `initialize`, without those that make no sense in a run."""
    if response.get("subtype") == "error":
        raise NoAnswer(f"claude did not list its commands: {response.get('error')}")
    listed = (response.get("response") or {}).get("commands") or []
    return [
        {
            "name": str(each["name"]),
            "insert": f"/{each['name']}",
            "description": str(each.get("description") or ""),
            "hint": str(each.get("argumentHint") or ""),
            "in_conversation": each["name"] in OF_A_CONVERSATION,
        }
        for each in listed
        if isinstance(each, dict) and is_fit(each.get("name"))
    ]


def is_fit(name: object) -> bool:
    """Return whether a message may run the command with this name."""
    return isinstance(name, str) and bool(NAME.match(name)) and name not in UNFIT


def own_files(env: Mapping[str, str]) -> List[Path]:
    names = ("commands", "skills", "plugins/installed_plugins.json", "settings.json")
    return [home(env) / name for name in names]


class SlashCommands:
    """The commands that the CLI of a run knows. Empty until it has listed them."""

    def __init__(self) -> None:
        self._names: Set[str] = set()
        self.asked = False

    def learn(self, names: object) -> None:
        """Take a list of names, or of objects with a `name` and `aliases`."""
        for each in names if isinstance(names, list) else []:
            aliases = each.get("aliases") if isinstance(each, dict) else None
            found = [each.get("name") if isinstance(each, dict) else each]
            self._take([*found, *(aliases if isinstance(aliases, list) else [])])

    def _take(self, names: Iterable[object]) -> None:
        self._names.update(name for name in names if isinstance(name, str) and is_fit(name))

    def as_text(self, text: str, *, is_first: bool) -> str:
        """Return what is sent for a text that a user has written; `is_first` at the start of a session.

        A text that begins with a slash and no command that a run may use gets a space in front, so that the
        CLI does not take it as one of its commands.
        """
        found = COMMAND.match(text)
        unfit = OF_A_CONVERSATION if is_first else frozenset()
        is_command = found is not None and found.group(1) in self._names - unfit
        return " " + text if text.startswith("/") and not is_command else text
