"""Converts lines of codex app-server to events."""

from __future__ import annotations

import json
import re
import time
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional

from ...base.agent import code_of_status, iso
from ...base.attachments import without_content
from ...base.consent import SAME_CALL
from ...base.pictures import decoded, picture_at, pictures_in
from ...base.titles import one_line, plain_command, relative, shell_of, shortened, whole_file_diff
from ...files import loads
from ...outcome import NO_PLACE
from ...wire import (
    Json,
    LimitEvent,
    PlanWindow,
    Question,
    QuestionOption,
    RequestEvent,
    RunEvent,
    ShownPicture,
    TextEvent,
    ToolResultEvent,
)

ERROR_CODES = {
    "usageLimitExceeded": "limit",
    "sessionBudgetExceeded": "limit",
    "rateLimitExceeded": "limit",
    "unauthorized": "login",
    "modelNotFound": "model",
    "serverOverloaded": "server",
    "internalServerError": "server",
    "flexUnavailable": "server",
    "policyCapacityUnavailable": "server",
    "badRequest": "rejected",
    "contextWindowExceeded": "rejected",
    "cyberPolicy": "rejected",
    "misalignmentPolicyViolation": "rejected",
    "inferenceHookDenied": "rejected",
}
STATUS = re.compile(r"\bstatus (?:code )?(\d{3})\b")
NO_MODEL = re.compile(r"model .{0,80}does not exist|do not have access to (it|the model)", re.DOTALL)
NO_KEY = re.compile(r"Missing environment variable|not logged in|authentication required", re.IGNORECASE)
NO_SESSION = re.compile(
    r"no rollout found for thread|thread not found|failed to (read|resume) (thread|session)"
    r"|paginated (fork|history lineage)",
    re.IGNORECASE,
)
"""The file of the thread, or of the one that it was forked from, is gone or broken."""
NO_TURN = re.compile("turn not found", re.IGNORECASE)
NO_LINK = re.compile(
    r"stream disconnected|error sending request|waiting for network|connection|timed? ?out", re.IGNORECASE
)
WARN_PERCENT = 90
WINDOWS = {300: "five_hour", 10080: "seven_day"}
SIGNS = {"add": "+", "delete": "-"}
"""Kinds of changes for which the CLI reports the file's content instead of a diff."""
NOT_SHOWN = (
    *("threadId", "turnId", "itemId", "approvalId", "startedAtMs", "kind", "command", "cwd", "reason"),
    *(
        "commandActions",
        "availableDecisions",
        "proposedExecpolicyAmendment",
        "proposedNetworkPolicyAmendments",
    ),
)
"""Parameters of a request that its other fields hold, or that are answers which are never given."""
COMMAND_ONCE = (
    "once, as shown; if its sandbox stops it, Codex runs it again outside of it, with all your rights"
)
PERMISSIONS_ONCE = "until the end of this turn, for all commands"
MAX_WAIT_MS = 10**11
SILENT_ITEMS = ("userMessage", "hookPrompt", "enteredReviewMode", "exitedReviewMode", "sleep")


class TurnFailure(NamedTuple):
    text: str
    code: str
    status: Optional[int]


def failure_of(error: Json) -> TurnFailure:
    """Return text, code and HTTP status of an error {message, codexErrorInfo, additionalDetails}."""
    text = _sentence(str(error.get("message") or "The turn failed."))
    details = str(error.get("additionalDetails") or "")
    full = f"{text} {details}"
    status = _status(error.get("codexErrorInfo"), full)
    info = error.get("codexErrorInfo")
    code = ERROR_CODES.get(info, "") if isinstance(info, str) else ""
    if NO_MODEL.search(full):
        code = "model"
    if NO_KEY.search(full):
        code = "login"
    if NO_SESSION.search(full):
        code = "session"
    if NO_TURN.search(full):
        return TurnFailure(NO_PLACE, "fork", status)
    if not code and status:
        code = "rejected" if status == 404 else code_of_status(status)
    if not code and (isinstance(info, dict) or NO_LINK.search(full)):
        code = "connection"
    if not code and "invalid_request_error" in str(error.get("message")):
        code = "rejected"
    return TurnFailure(f"{text} ({details})" if details else text, code or "other", status)


def breaks_off(error: Json) -> bool:
    """Whether the connection was lost during an answer. Codex has one error code for all lost connections."""
    message = f"{error.get('message')} {error.get('additionalDetails')}"
    return "stream disconnected before completion" in message and "error sending request" not in message


def _status(info: object, text: str) -> Optional[int]:
    if isinstance(info, dict):
        for value in info.values():
            if isinstance(value, dict) and value.get("httpStatusCode"):
                return int(value["httpStatusCode"])
    match = STATUS.search(text)
    return int(match.group(1)) if match else None


def _sentence(message: str) -> str:
    """Extract the message if the error is JSON of the service."""
    try:
        inner = loads(message)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return message
    return str(inner)


def windows_of(limits: Json) -> List[PlanWindow]:
    """Return the windows of a plan; empty if nothing is known about it."""
    windows: List[PlanWindow] = []
    for window in (limits.get("primary"), limits.get("secondary")):
        if window:
            minutes = window.get("windowDurationMins")
            windows.append(
                {
                    "window": WINDOWS.get(minutes, f"{minutes} min"),
                    "used_percent": window.get("usedPercent"),
                    "resets_at": iso(window.get("resetsAt")),
                }
            )
    return windows


def limit_event(limits: Json) -> Optional[LimitEvent]:
    """Return a `limit` event, or None if nothing is known about the plan."""
    windows = windows_of(limits)
    if not windows:
        return None
    fullest = max(windows, key=lambda window: window["used_percent"] or 0)
    used = fullest["used_percent"] or 0
    reached = used >= 100 or bool(limits.get("rateLimitReachedType"))
    status = "reached" if reached else "warning" if used >= WARN_PERCENT else "ok"
    return {
        "kind": "limit",
        "status": status,
        "windows": windows,
        "resets_at": None if status == "ok" else fullest.get("resets_at"),
    }


class CodexTranslator:
    """Converts items to events, and keeps open ones for approvals that refer to them by id."""

    def __init__(self, worktree: str, emit: Callable[[RunEvent], None]) -> None:
        self.worktree = worktree
        self.items: Dict[str, Json] = {}
        self.turn: Optional[str] = None
        self.keep_picture: Callable[[bytes], Optional[ShownPicture]] = lambda _content: None
        self._emit = emit

    def started(self, item: Json, parent: Optional[str]) -> None:
        self.items[item["id"]] = item
        name = _tool_name(item)
        if name:
            self._emit(
                {
                    "kind": "tool",
                    "id": item["id"],
                    "name": name,
                    "title": self.title(item),
                    "input": _input(item),
                    "parent": parent,
                }
            )

    def completed(self, item: Json, parent: Optional[str]) -> None:
        known = self.items.pop(item["id"], None)
        kind = item["type"]
        if kind in ("agentMessage", "plan"):
            self._say(item, parent)
        elif kind == "reasoning":
            text = "\n\n".join(item.get("summary") or []) or "\n\n".join(item.get("content") or [])
            if text:
                self._emit({"kind": "thinking", "text": text, "parent": parent, "part": item["id"]})
        elif _tool_name(item):
            if known is None:
                self.started(item, parent)
                self.items.pop(item["id"], None)
            self._result(item)

    def _say(self, item: Json, parent: Optional[str]) -> None:
        """Emit a text of the agent, with the questions that it does not wait for."""
        text, questions = item.get("text"), async_questions(item)
        said: TextEvent = {"kind": "text", "text": text or "", "parent": parent, "part": item["id"]}
        said["anchor"] = None if parent else self.turn
        if questions:
            said["questions"] = questions
        if text or questions:
            self._emit(said)

    def _result(self, item: Json) -> None:
        status = str(item.get("status") or "completed")
        exit_code = item.get("exitCode")
        failed = status in ("failed", "declined") or bool(exit_code)
        event: ToolResultEvent = {
            "kind": "tool_result",
            "id": item["id"],
            "output": _output(item, status),
            "is_error": failed,
            "exit_code": exit_code,
            "duration_ms": item.get("durationMs"),
        }
        pictures = list(filter(None, map(self.keep_picture, _pictures(item))))
        if pictures:
            event["pictures"] = pictures
        self._emit(event)
        if item["type"] == "fileChange" and status == "completed":
            for change in item.get("changes") or []:
                self._file_change(item["id"], change)

    def _file_change(self, key: str, change: Json) -> None:
        kind = (change.get("kind") or {}).get("type", "update")
        diff = str(change.get("diff") or "")
        if kind in SIGNS:
            diff = whole_file_diff(diff, SIGNS[kind])
        self._emit(
            {
                "kind": "file_change",
                "id": key,
                "path": relative(str(change.get("path")), self.worktree),
                "change": kind,
                "diff": shortened(diff),
            }
        )

    def title(self, item: Json) -> str:
        kind = item["type"]
        if kind == "commandExecution":
            return one_line(plain_command(str(item.get("command"))))
        if kind == "fileChange":
            paths = [relative(str(each.get("path")), self.worktree) for each in item["changes"]]
            return one_line(", ".join(paths))
        for key in ("query", "path", "tool", "prompt", "agentPath"):
            if isinstance(item.get(key), str):
                return one_line(relative(item[key], self.worktree))
        return str(kind)


def _tool_name(item: Json) -> str:
    """Return the tool name of an item; empty if it is not a tool call."""
    kind = str(item["type"])
    if kind == "subAgentActivity":
        return "sub-agent" if item.get("kind") == "started" else ""
    if kind in (*SILENT_ITEMS, "agentMessage", "plan", "reasoning", "contextCompaction"):
        return ""
    if kind == "commandExecution":
        return "command"
    if kind == "mcpToolCall":
        return f"{item.get('server')}.{item.get('tool')}"
    return {"fileChange": "apply_patch", "webSearch": "web_search", "imageView": "view_image"}.get(kind, kind)


def _input(item: Json) -> Json:
    if item["type"] == "commandExecution":
        return {"command": plain_command(str(item.get("command"))), "cwd": item.get("cwd")}
    if item["type"] == "fileChange":
        return {"changes": item.get("changes")}
    hidden = ("id", "type", "status", "startedAtMs", "completedAtMs", "result")
    return {name: value for name, value in item.items() if name not in hidden and value is not None}


def _pictures(item: Json) -> Iterator[bytes]:
    """Yield the pictures that the agent has looked at or made, or that a tool has given it."""
    result = item.get("result")
    if item["type"] == "imageView":
        found = picture_at(item.get("path"))
    elif item["type"] == "imageGeneration":
        found = picture_at(item.get("savedPath")) or decoded(result)
    else:
        yield from pictures_in(result.get("content") if isinstance(result, dict) else None)
        return
    if found:
        yield found


def _output(item: Json, status: str) -> str:
    if item["type"] == "imageGeneration":  # its result is the picture
        return "" if status == "completed" else status
    if item.get("aggregatedOutput"):
        return str(item["aggregatedOutput"])
    error = item.get("error") or item.get("failure")
    if isinstance(error, dict):
        return str(error.get("message") or error)
    result = without_content(item.get("result"))
    return json.dumps(result, ensure_ascii=False) if result else "" if status == "completed" else status


def request_event(key: str, method: str, params: Json, translator: CodexTranslator) -> Optional[RequestEvent]:
    """Convert a request of the CLI to a `request` event; None if users can't answer it."""
    build = REQUESTS.get(method)
    return build(key, params, translator) if build else None


def _approval(key: str, tool: str, title: str, tool_input: Json, params: Json) -> RequestEvent:
    return {
        "kind": "request",
        "id": key,
        "request_kind": "approval",
        "tool": tool,
        "title": title,
        "input": tool_input,
        "reason": params.get("reason"),
        "cwd": params.get("cwd"),
        "can_edit": False,
        "can_allow_for_run": True,
        "words": {"run": SAME_CALL.format(tool=tool)},
    }


def _others(params: Json) -> Json:
    """Return the parameters that no field of the event has, such as a folder that is to become writable."""
    others = {name: value for name, value in params.items() if name not in NOT_SHOWN and value is not None}
    if others.get("environmentId") == "local":  # the only environment of a run
        del others["environmentId"]
    return others


def _command_approval(key: str, params: Json, _translator: CodexTranslator) -> RequestEvent:
    full = str(params.get("command") or "")
    command, shell = plain_command(full), shell_of(full)
    given: Json = {"command": command} if full else {}
    if shell:
        given["shell"] = shell
    event = _approval(key, "command", one_line(command) or "command", {**given, **_others(params)}, params)
    event["words"]["once"] = COMMAND_ONCE
    return event


def _change_approval(key: str, params: Json, translator: CodexTranslator) -> Optional[RequestEvent]:
    """Return None if the CLI has not said which changes it means: nobody can allow what is not shown."""
    item = translator.items.get(str(params.get("itemId")))
    if not item or not item.get("changes"):
        return None
    title = translator.title(item) or "file change"
    return _approval(key, "apply_patch", title, {"changes": item["changes"], **_others(params)}, params)


def _permission_approval(key: str, params: Json, _translator: CodexTranslator) -> RequestEvent:
    wanted = params.get("permissions") or {}
    title = one_line(json.dumps(wanted, ensure_ascii=False))
    event = _approval(key, "permissions", title, {"permissions": wanted, **_others(params)}, params)
    event["words"]["once"] = PERMISSIONS_ONCE
    return event


def async_questions(item: Json) -> List[Question]:
    """Return what a message asks while the turn goes on. A message of the user is the answer."""
    given = item.get("questions")
    asked = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    return [
        {
            "id": str(place),
            "question": str(each.get("title") or each.get("question") or ""),
            "options": [_option(option) for option in each.get("options") or []],
        }
        for place, each in enumerate(asked)
    ]


def _option(option: object) -> QuestionOption:
    if isinstance(option, dict):
        label = str(option.get("label") or option.get("title") or option.get("value") or "")
        return {"label": label, "description": option.get("description")}
    return {"label": str(option)}


def _questions(key: str, params: Json, _translator: CodexTranslator) -> RequestEvent:
    questions: List[Question] = [
        {
            "id": question.get("id"),
            "question": question.get("question"),
            "header": question.get("header"),
            "multiple": False,
            "options": question.get("options") or [],
            "other": question.get("isOther") is not False or not question.get("options"),
            "secret": question.get("isSecret") is True,
        }
        for question in params.get("questions") or []
    ]
    title = one_line("; ".join(str(question["question"]) for question in questions))
    return {
        "kind": "request",
        "id": key,
        "request_kind": "question",
        "tool": "request_user_input",
        "title": title,
        "input": {},
        "questions": questions,
        "can_edit": False,
        "can_allow_for_run": False,
        "expires_at": _expiry(params.get("autoResolutionMs")),
    }


def _expiry(milliseconds: object) -> Optional[str]:
    """Return when Codex goes on without an answer; None if it waits."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)):
        return None
    return iso(time.time() + milliseconds / 1000) if 0 < milliseconds < MAX_WAIT_MS else None


REQUESTS: Dict[str, Callable[[str, Json, CodexTranslator], Optional[RequestEvent]]] = {
    "item/commandExecution/requestApproval": _command_approval,
    "item/fileChange/requestApproval": _change_approval,
    "item/permissions/requestApproval": _permission_approval,
    "item/tool/requestUserInput": _questions,
}
