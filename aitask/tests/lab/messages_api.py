"""The Anthropic Messages API as far as `claude` uses it."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

from .conversation import Conversation, Event, Turn
from .ledger import Tokens
from .script import (
    Ask,
    Bash,
    Block,
    Call,
    Edit,
    Fault,
    Plan,
    Read,
    Say,
    Step,
    Stream,
    Think,
    Tool,
    Words,
    Write,
)

name = "messages"
final_events = frozenset({"content_block_stop"})

WORKING_DIRECTORY = re.compile(r"working directory: (/[^\n]*)", re.IGNORECASE)
REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>\s*", re.DOTALL)
STEERED = re.compile(
    r"The user sent a new message while you were working:\n(.*?)\n\n(?:IMPORTANT|This is)[^\n]*", re.DOTALL
)
BASH_TIMEOUT_MS = 600_000
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


TRIAL_WORDS = "Answer with the single word ok."
"""Of the prompt of the app's trial turns, which have no tools, like requests for a session's title."""


def read(body: dict[str, Any], headers: dict[str, str]) -> Conversation:
    tools = frozenset(tool["name"] for tool in body.get("tools", []))
    # A resumed session has its environment among the reminders in a message of the user.
    cwd = WORKING_DIRECTORY.search(_system(body)) or WORKING_DIRECTORY.search(_readable(body))
    return Conversation(
        turns=tuple(turn for message in body.get("messages", []) for turn in _turns(message)),
        model=body.get("model", ""),
        effort=body.get("output_config", {}).get("effort", ""),
        session=headers.get("x-claude-code-session-id", ""),
        kind="turn" if tools or TRIAL_WORDS in json.dumps(body.get("messages", [])) else "title",
        stream=bool(body.get("stream")),
        tools=tools,
        cwd=cwd[1] if cwd else "",
    )


def _system(body: dict[str, Any]) -> str:
    """Return the CLI's own words, which are partly in messages for some models."""
    messages = [message["content"] for message in body.get("messages", []) if message["role"] == "system"]
    return _readable([body.get("system", ""), messages])


def _readable(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\\n", "\n")


def _turns(message: dict[str, Any]) -> Iterator[Turn]:
    """Yield the turns of a message. Tool results are user messages; other user texts may be next to them."""
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if message["role"] == "assistant":
        yield Turn("assistant")
        return
    if any(block["type"] == "tool_result" for block in blocks):
        yield Turn("tool")
    texts = [text for block in blocks if (text := _person(block.get("text", ""), message["role"]))]
    if texts:
        yield Turn("user", "\n".join(texts))


def _person(text: str, role: str) -> str:
    """Return the user's text without the reminders that the CLI adds."""
    steered = [match[1] for match in STEERED.finditer(text)]
    if steered:
        return "\n".join(steered)
    return REMINDER.sub("", text) if role == "user" else ""


def _absolute(path: str, talk: Conversation) -> str:
    return path if path.startswith("/") or not talk.cwd else f"{talk.cwd}/{path}"


def _call(block: Call, talk: Conversation) -> tuple[str, dict[str, Any]]:
    match block:
        case Bash(command):
            return "Bash", {"command": command, "description": "Run it", "timeout": BASH_TIMEOUT_MS}
        case Write(path, content):
            return "Write", {"file_path": _absolute(path, talk), "content": content}
        case Edit(path, old, new):
            return "Edit", {"file_path": _absolute(path, talk), "old_string": old, "new_string": new}
        case Read(path):
            return "Read", {"file_path": _absolute(path, talk)}
        case Ask(question, options):
            choices = [{"label": option, "description": option} for option in options]
            asked = {"question": question, "header": "Question", "options": choices, "multiSelect": False}
            return "AskUserQuestion", {"questions": [asked]}
        case Plan(text):
            return "ExitPlanMode", {"plan": text}
        case Tool(tool, arguments):
            return tool, json.loads(arguments)


def _content(block: Block, talk: Conversation) -> dict[str, Any]:
    match block:
        case Say(text):
            return {"type": "text", "text": text}
        case Words() as words if not words.thinks:
            return {"type": "text", "text": words.text}
        case Words() as words:
            return {"type": "thinking", "thinking": words.text, "signature": "bGFi"}
        case Think(text):
            return {"type": "thinking", "thinking": text, "signature": "bGFi"}
        case Stream(lines, _):
            return {"type": "text", "text": "".join(f"line {n}\n" for n in range(1, lines + 1))}
        case _:
            tool, arguments = _call(block, talk)
            return {
                "type": "tool_use",
                "id": f"toolu_{uuid.uuid4().hex[:24]}",
                "name": tool,
                "input": arguments,
            }


def _usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input_tokens,
        "cache_read_input_tokens": tokens.cache_read_tokens,
        "cache_creation_input_tokens": tokens.cache_write_tokens,
        "output_tokens": tokens.output_tokens,
    }


def whole(talk: Conversation, step: Step, tokens: Tokens) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": talk.model,
        "content": [_content(block, talk) for block in step.blocks],
        "stop_reason": "tool_use" if step.calls_tools else "end_turn",
        "stop_sequence": None,
        "usage": _usage(tokens),
    }


def events(talk: Conversation, step: Step, tokens: Tokens) -> Iterator[Event]:
    message = whole(talk, step, tokens)
    opening = message["usage"] | {"output_tokens": 1}
    yield {
        "type": "message_start",
        "message": message | {"content": [], "stop_reason": None, "usage": opening},
    }
    for index, (block, content) in enumerate(zip(step.blocks, message["content"], strict=True)):
        yield {"type": "content_block_start", "index": index, "content_block": _opening(content)}
        for delta in _deltas(block, content):
            if isinstance(delta, float):
                yield delta
            else:
                yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": message["usage"]}
    yield {"type": "message_stop"}


def _opening(content: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, dict[str, Any]] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    return content | empty[content["type"]]


def _deltas(block: Block, content: dict[str, Any]) -> Iterator[Event]:
    match block:
        case Think(text):
            yield {"type": "thinking_delta", "thinking": text}
            yield {"type": "signature_delta", "signature": content["signature"]}
        case Say(text):
            half = len(text) // 2
            yield {"type": "text_delta", "text": text[:half]}
            yield {"type": "text_delta", "text": text[half:]}
        case Stream(lines, pause):
            for number in range(1, lines + 1):
                yield {"type": "text_delta", "text": f"line {number}\n"}
                yield pause
        case Words():
            for word in block.in_time():
                yield word if isinstance(word, float) else _word_delta(word, thinks=block.thinks)
            if block.thinks:
                yield {"type": "signature_delta", "signature": content["signature"]}
        case _:
            yield {"type": "input_json_delta", "partial_json": json.dumps(content["input"])}


def _word_delta(word: str, *, thinks: bool) -> Event:
    return {"type": "thinking_delta", "thinking": word} if thinks else {"type": "text_delta", "text": word}


def word_of(event: dict[str, Any]) -> str:
    """Return the text of a delta; empty for other events."""
    delta = event.get("delta") or {}
    return str(delta.get("text") or delta.get("thinking") or "")


def failure(fault: Fault, message: str) -> tuple[dict[str, Any], dict[str, str]]:
    kind = ERROR_TYPES.get(fault.status, "api_error")
    headers = {"request-id": f"req_{uuid.uuid4().hex[:24]}"}
    if fault.kind == "limit":
        headers |= _unified("rejected", 100, time.time() + 60 * fault.minutes)
        message = "This request would exceed your account's rate limit. Please try again later."
    if fault.kind == "login":
        message = "invalid x-api-key"
    return {"type": "error", "error": {"type": kind, "message": message}}, headers


def quota_headers(percent: float) -> dict[str, str]:
    """Return the headers in which Anthropic reports how much of the plan's windows is used."""
    return _unified("allowed_warning" if percent >= 75 else "allowed", percent, time.time() + 3600)


def _unified(status: str, percent: float, reset: float) -> dict[str, str]:
    prefix = "anthropic-ratelimit-unified"
    headers = {
        f"{prefix}-status": status,
        f"{prefix}-reset": str(int(reset)),
        f"{prefix}-representative-claim": "five_hour",
        f"{prefix}-overage-status": "rejected",
        f"{prefix}-fallback": "unavailable",
    }
    for window, share, later in (("5h", percent, 0), ("7d", percent / 2, 5 * 86400)):
        headers[f"{prefix}-{window}-utilization"] = str(share / 100)
        headers[f"{prefix}-{window}-reset"] = str(int(reset) + later)
        headers[f"{prefix}-{window}-status"] = status if window == "5h" else "allowed"
    if status == "allowed_warning":
        headers[f"{prefix}-5h-surpassed-threshold"] = str(percent / 100)
    return headers
