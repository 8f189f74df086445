"""Converts lines of Claude Code to events."""

from __future__ import annotations

import re
import time
from typing import Any, Callable, Dict, List, Optional

from ...base.agent import code_of_status, iso
from ...base.consent import SAME_CALL
from ...base.pictures import pictures_in
from ...base.plans import plan_event
from ...base.titles import one_line, relative, shortened, tool_title, unified_diff, whole_file_diff
from ...wire import (
    Json,
    LimitEvent,
    PlanWindow,
    Question,
    RequestEvent,
    RunEvent,
    ShownPicture,
    ToolResultEvent,
)
from .grants import grants_of

ERROR_CODES = {
    "authentication_failed": "login",
    "rate_limit": "limit",
    "model_not_found": "model",
    "server_error": "connection",
}
NO_SESSION = (
    "No conversation found with session ID",
    "Failed to resume session",
)
NO_MESSAGE = "No message found with message.uuid"
REASONS = ("decision_reason", "blocked_path")
LIMIT_STATES = {"allowed": "ok", "allowed_warning": "warning", "rejected": "reached"}
STATUS = re.compile(r"\b([45]\d\d)\b")
EXIT_CODE = re.compile(r"Exit code (\d+)")


def failure_code(status: Optional[int], error: str, text: str = "") -> str:
    """Return our error code by HTTP status, which may be part of the text, else by the CLI's `error`."""
    if status is None and text.startswith((*NO_SESSION, NO_MESSAGE)):
        return "fork" if text.startswith(NO_MESSAGE) else "session"
    found = STATUS.search(text) if status is None and error == "server_error" else None
    if found:
        status = int(found.group(1))
    if status is not None:
        return code_of_status(int(status))
    return ERROR_CODES.get(error, "other")


def limit_event(info: Json) -> LimitEvent:
    """Convert a rate limit report to a `limit` event."""
    resets_at = iso(info.get("resetsAt"))
    used = info.get("utilization")
    percent = 100.0 if used is None and info.get("status") == "rejected" else _percent(used)
    name = info.get("rateLimitType")
    windows: List[PlanWindow] = (
        [{"window": name, "used_percent": percent, "resets_at": resets_at}] if name else []
    )
    event: LimitEvent = {
        "kind": "limit",
        "status": LIMIT_STATES.get(str(info.get("status")), "ok"),
        "windows": windows,
        "resets_at": resets_at,
    }
    if info.get("isUsingOverage") is True:
        event["extra_usage"] = True
    return event


def _percent(share: Optional[float]) -> Optional[float]:
    return None if share is None else round(float(share) * 100, 1)


def request_event(key: str, request: Json, worktree: str) -> RequestEvent:
    """Convert a can_use_tool request to a `request` event."""
    name, tool_input = str(request.get("tool_name")), request.get("input") or {}
    if name == "ExitPlanMode":
        return plan_event(key, name, tool_input)
    event: RequestEvent = {
        "kind": "request",
        "id": key,
        "request_kind": "approval",
        "tool": name,
        "title": tool_title(name, tool_input, worktree),
        "input": tool_input,
        "description": request.get("description"),
        "reason": "; ".join(str(request[key]) for key in REASONS if request.get(key)) or None,
        "can_edit": True,
        "can_allow_for_run": True,
    }
    if name == "AskUserQuestion":
        event.update({"request_kind": "question", "questions": _questions(tool_input)})
    if event["request_kind"] != "approval":
        event.update({"can_edit": False, "can_allow_for_run": False})
    else:
        event["words"] = {"run": SAME_CALL.format(tool=name)}
        event["grants"] = [grant.as_event() for grant in grants_of(request)]
    _name_server(event, request.get("mcp_server"))
    return event


def _name_server(event: RequestEvent, server: object) -> None:
    """Name the MCP server whose tool it is, and where it is configured, which old versions do not say."""
    if isinstance(server, dict) and server.get("name"):
        source = server.get("source")
        event["server"] = f"{server['name']} ({source})" if source else str(server["name"])
    elif event["tool"].startswith("mcp__"):
        event["server"] = event["tool"].split("__")[1]
    if "server" in event and event["title"] != event["tool"]:
        event["title"] = one_line(f"{event['tool']}: {event['title']}")


def _questions(tool_input: Json) -> List[Question]:
    """Return the questions in the common format. Claude Code identifies questions by their text."""
    return [
        {
            "id": question.get("question"),
            "question": question.get("question"),
            "header": question.get("header"),
            "multiple": bool(question.get("multiSelect")),
            "options": question.get("options") or [],
        }
        for question in tool_input.get("questions") or []
    ]


class ClaudeTranslator:
    """Converts messages of the model and tool results to events."""

    def __init__(self, worktree: str, emit: Callable[[RunEvent], None]) -> None:
        self.worktree = worktree
        self._emit = emit
        self._tools: Dict[str, float] = {}
        self._parents: Dict[str, str] = {}
        self.part_of: Callable[[str, Optional[str]], Optional[str]] = lambda _kind, _parent: None
        "Gives the id of the part that was shown while a text was written."
        self.keep_picture: Callable[[bytes], Optional[ShownPicture]] = lambda _content: None

    def assistant(self, line: Json) -> None:
        parent = line.get("parent_tool_use_id")
        anchor = None if parent else line.get("uuid")
        for block in line["message"].get("content") or []:
            kind = block.get("type")
            if kind == "text" and block.get("text"):
                part = self.part_of("text", parent)
                self._emit(
                    {"kind": "text", "text": block["text"], "parent": parent, "part": part, "anchor": anchor}
                )
            elif kind == "thinking" and block.get("thinking"):
                part = self.part_of("thinking", parent)
                self._emit({"kind": "thinking", "text": block["thinking"], "parent": parent, "part": part})
            elif kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
                self._tool(block, parent)

    def parent_of(self, tool: object) -> Optional[str]:
        """Return the call that has started the sub-agent of an open tool call; None if the agent made it."""
        return self._parents.get(str(tool))

    def _tool(self, block: Json, parent: Optional[str]) -> None:
        if parent:
            self._parents[str(block["id"])] = parent
        tool_input = block.get("input") or {}
        self._tools[block["id"]] = time.monotonic()
        self._emit(
            {
                "kind": "tool",
                "id": block["id"],
                "name": block["name"],
                "title": tool_title(block["name"], tool_input, self.worktree),
                "input": tool_input,
                "parent": parent,
            }
        )

    def user(self, line: Json) -> None:
        content = line["message"].get("content")
        for block in content if isinstance(content, list) else []:
            if block.get("type") == "tool_result":
                self._tool_result(block, line)
            elif block.get("type") == "text" and str(block.get("text")).startswith("[Request interrupted"):
                self._emit({"kind": "notice", "text": "Interrupted."})

    def _tool_result(self, block: Json, line: Json) -> None:
        key, output = block["tool_use_id"], _text_of(block.get("content"))
        began = self._tools.pop(key, None)
        self._parents.pop(key, None)
        failed = bool(block.get("is_error"))
        exit_code = EXIT_CODE.match(output) if failed else None
        event: ToolResultEvent = {
            "kind": "tool_result",
            "id": key,
            "output": output,
            "is_error": failed,
            "exit_code": int(exit_code.group(1)) if exit_code else None,
            "duration_ms": None if began is None else int((time.monotonic() - began) * 1000),
        }
        pictures = list(filter(None, map(self.keep_picture, pictures_in(block.get("content")))))
        if pictures:
            event["pictures"] = pictures
        self._emit(event)
        if not failed:
            self._file_change(key, line.get("tool_use_result"))

    def _file_change(self, key: str, result: object) -> None:
        if not isinstance(result, dict) or "structuredPatch" not in result:
            return
        created = result.get("type") == "create"
        content = str(result.get("content") or "")
        diff = whole_file_diff(content, "+") if created else unified_diff(result["structuredPatch"])
        self._emit(
            {
                "kind": "file_change",
                "id": key,
                "path": relative(str(result.get("filePath")), self.worktree),
                "change": "add" if created else "update",
                "diff": shortened(diff),
            }
        )


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = [
        str(part.get("text")) if part.get("type") == "text" else f"[{part.get('type')}]"
        for part in content or []
        if isinstance(part, dict)
    ]
    return "\n".join(parts)
