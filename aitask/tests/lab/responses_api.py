"""The OpenAI Responses API as far as `codex` uses it, with direct tools and in its JavaScript "code mode"."""

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

name = "responses"
final_events = frozenset({"response.output_item.done"})

RUNNING = re.compile(r"Process running with session ID (\d+)")
INJECTED = re.compile(r"^\s*(<[a-z_]+>|# AGENTS\.md instructions)")
YIELD_MS = 30_000
RUN_IN_JAVASCRIPT = """// @exec: {"yield_time_ms": 600000}
let r = await tools.exec_command({cmd: %s, yield_time_ms: 30000});
let out = r.output;
while (r.session_id !== undefined) {
  r = await tools.write_stdin({session_id: r.session_id, chars: "", yield_time_ms: 30000});
  out += r.output;
}
text(out);
text("exit code " + r.exit_code);
"""


def read(body: dict[str, Any], headers: dict[str, str]) -> Conversation:
    items = body.get("input", [])
    meta = json.loads(headers.get("x-codex-turn-metadata", "{}"))
    last = items[-1] if items else {}
    running = RUNNING.search(_text(last.get("output"))) if _is_output(last) else None
    return Conversation(
        turns=tuple(turn for item in items if (turn := _turn(item))),
        model=body.get("model", ""),
        effort=(body.get("reasoning") or {}).get("effort") or "",
        session=headers.get("thread-id", ""),
        root=headers.get("session-id", ""),
        kind=meta.get("request_kind", "turn"),
        stream=bool(body.get("stream")),
        tools=frozenset(_tool_names(body)),
        cwd="",
        running=int(running[1]) if running else None,
    )


def _tool_names(body: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the tools, which are next to the input or in namespaces within it."""
    stack = [*body.get("tools", [])]
    for item in body.get("input", []):
        stack += item.get("tools", []) if item.get("type") == "additional_tools" else []
    while stack:
        tool = stack.pop()
        stack += tool.get("tools", [])
        if "name" in tool:
            yield tool["name"]


def _is_output(item: dict[str, Any]) -> bool:
    return str(item.get("type", "")).endswith("_output")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or [])


def _turn(item: dict[str, Any]) -> Turn | None:
    kind, role = item.get("type", "message"), item.get("role")
    if role == "user":
        text = _text(item.get("content"))
        return None if INJECTED.match(text) else Turn("user", text)
    if _is_output(item):
        return Turn("tool")
    if role == "assistant" or kind in ("function_call", "custom_tool_call", "reasoning"):
        return Turn("assistant", polls=item.get("name") == "write_stdin")
    return None


def _function(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return _function_call(tool, json.dumps(arguments))


def _function_call(tool: str, arguments: str) -> dict[str, Any]:
    """Return a call of a function. Scripts write `NAMESPACE.NAME`, and `mcp__SERVER__TOOL` as the CLIs do."""
    if tool.startswith("mcp__"):
        server, _, name = tool.removeprefix("mcp__").partition("__")
        namespace = f"mcp__{server}"
    else:
        namespace, _, name = tool.rpartition(".")
    given = {"namespace": namespace} if namespace else {}
    return {"type": "function_call", "name": name, "arguments": arguments, **given}


def _custom(tool: str, text: str) -> dict[str, Any]:
    return {"type": "custom_tool_call", "name": tool, "input": text}


def _shell(command: str, talk: Conversation) -> dict[str, Any]:
    if "exec" in talk.tools:
        return _custom("exec", RUN_IN_JAVASCRIPT % json.dumps(command))
    return _function("exec_command", {"cmd": command, "yield_time_ms": YIELD_MS})


def _patch(hunk: str, talk: Conversation) -> dict[str, Any]:
    patch = f"*** Begin Patch\n{hunk}*** End Patch\n"
    if "exec" in talk.tools:
        return _custom("exec", f"text(await tools.apply_patch({json.dumps(patch)}));\n")
    return _custom("apply_patch", patch)


def _prefixed(sign: str, text: str) -> str:
    return "".join(f"{sign}{line}\n" for line in text.removesuffix("\n").split("\n"))


def _question(question: str, options: tuple[str, ...]) -> dict[str, Any]:
    choices = [{"label": option, "description": option} for option in options]
    asked = {"id": "answer", "header": "Question", "question": question, "options": choices}
    return _function("request_user_input", {"questions": [asked]})


def _call(block: Call, talk: Conversation) -> dict[str, Any]:
    match block:
        case Bash(command):
            return _shell(command, talk)
        case Write(path, content):
            return _patch(f"*** Add File: {path}\n{_prefixed('+', content)}", talk)
        case Edit(path, old, new):
            return _patch(f"*** Update File: {path}\n@@\n{_prefixed('-', old)}{_prefixed('+', new)}", talk)
        case Read(path):
            return _shell(f"cat -- '{path}'", talk)
        case Ask(question, options):
            return _question(question, options)
        case Plan(text):
            return _function("update_plan", {"plan": [{"step": text, "status": "pending"}]})
        case Tool(tool, arguments):
            return _function_call(tool, arguments)


def _message(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part]}


def _reasoning(text: str) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": text}]
    return {"type": "reasoning", "summary": summary, "encrypted_content": "bGFi"}


def _item(block: Block, talk: Conversation) -> dict[str, Any]:
    identity = uuid.uuid4().hex
    match block:
        case Say(text):
            return _message(text) | {"id": f"msg_{identity}"}
        case Stream(lines, _):
            text = "".join(f"line {n}\n" for n in range(1, lines + 1))
            return _message(text) | {"id": f"msg_{identity}"}
        case Words() as words if not words.thinks:
            return _message(words.text) | {"id": f"msg_{identity}"}
        case Words() as words:
            return _reasoning(words.text) | {"id": f"rs_{identity}"}
        case Think(text):
            return _reasoning(text) | {"id": f"rs_{identity}"}
        case _:
            return _call(block, talk) | {"id": f"fc_{identity}", "call_id": f"call_{identity}"}


def _due(talk: Conversation, step: Step) -> tuple[tuple[Block, ...], list[dict[str, Any]]]:
    """Return the step's blocks, or a poll of a command that is still running."""
    if talk.running is not None:
        waiting = Tool("write_stdin", json.dumps({"session_id": talk.running, "yield_time_ms": YIELD_MS}))
        step = Step(blocks=(waiting,))
    return step.blocks, [_item(block, talk) for block in step.blocks]


def _response(identity: str, talk: Conversation, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": identity, "object": "response", "model": talk.model, "output": output} | more


def _usage(tokens: Tokens) -> dict[str, Any]:
    """Return the usage as OpenAI reports it: cached tokens are part of the input."""
    read, written = tokens.cache_read_tokens, tokens.cache_write_tokens
    whole_input = tokens.input_tokens + read + written
    return {
        "input_tokens": whole_input,
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "output_tokens": tokens.output_tokens,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning_tokens},
        "total_tokens": whole_input + tokens.output_tokens,
    }


def whole(talk: Conversation, step: Step, tokens: Tokens) -> dict[str, Any]:
    _, items = _due(talk, step)
    identity = f"resp_{uuid.uuid4().hex}"
    return _response(identity, talk, items, status="completed", usage=_usage(tokens))


def events(talk: Conversation, step: Step, tokens: Tokens) -> Iterator[Event]:
    identity = f"resp_{uuid.uuid4().hex}"
    blocks, items = _due(talk, step)
    yield {"type": "response.created", "response": _response(identity, talk, [], status="in_progress")}
    for index, (block, item) in enumerate(zip(blocks, items, strict=True)):
        yield {"type": "response.output_item.added", "output_index": index, "item": _opening(item)}
        for event in _deltas(block):
            yield (
                event if isinstance(event, float) else event | {"item_id": item["id"], "output_index": index}
            )
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    done = _response(identity, talk, items, status="completed", usage=_usage(tokens))
    yield {"type": "response.completed", "response": done}


def _opening(item: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, dict[str, Any]] = {
        "message": {"content": []},
        "reasoning": {"summary": []},
        "function_call": {"arguments": ""},
        "custom_tool_call": {"input": ""},
    }
    return item | empty[item["type"]]


def _deltas(block: Block) -> Iterator[Event]:
    match block:
        case Say(text):
            half = len(text) // 2
            yield _text_delta(text[:half])
            yield _text_delta(text[half:])
        case Stream(lines, pause):
            for number in range(1, lines + 1):
                yield _text_delta(f"line {number}\n")
                yield pause
        case Words(thinks=thinks):
            if thinks:
                yield _SUMMARY_PART
            for word in block.in_time():
                if isinstance(word, float):
                    yield word
                else:
                    yield _summary_delta(word) if thinks else _text_delta(word)
        case Think(text):
            yield _SUMMARY_PART
            yield _summary_delta(text)


_SUMMARY_PART: dict[str, Any] = {"type": "response.reasoning_summary_part.added", "summary_index": 0}


def _text_delta(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "content_index": 0, "delta": text}


def _summary_delta(text: str) -> dict[str, Any]:
    return {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": text}


def word_of(event: dict[str, Any]) -> str:
    """Return the text of a delta; empty for other events."""
    return str(event.get("delta") or "")


def failure(fault: Fault, message: str) -> tuple[dict[str, Any], dict[str, str]]:
    error: dict[str, Any] = {"type": "server_error" if fault.status >= 500 else "invalid_request_error"}
    headers: dict[str, str] = {}
    if fault.kind == "limit":
        resets_at = int(time.time() + 60 * fault.minutes)
        error = {"type": "usage_limit_reached", "plan_type": "plus", "resets_at": resets_at}
        message = "The usage limit has been reached"
        headers = quota_headers(100)
    if fault.kind == "login":
        error["code"] = "invalid_api_key"
        message = "Incorrect API key provided."
    return {"error": error | {"message": message}}, headers


def quota_headers(percent: float) -> dict[str, str]:
    """Return the headers in which ChatGPT's backend reports how much of the plan's windows is used."""
    now = int(time.time())
    return {
        "x-codex-primary-used-percent": str(percent),
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": str(now + 3600),
        "x-codex-secondary-used-percent": str(percent / 2),
        "x-codex-secondary-window-minutes": "10080",
        "x-codex-secondary-reset-at": str(now + 5 * 86400),
    }
