"""What Claude Code is writing at the moment: its partial messages, and the output of commands that run."""

from __future__ import annotations

import itertools
import re
from contextlib import suppress
from typing import Callable, Dict, Optional, Tuple

from ...base.partial import MALFORMED, OUTPUT, TEXT, THINKING, TOOL, OpenParts, call_part, output_part
from ...base.titles import tool_title
from ...wire import Json

PREFIX = "live-"
"""Beginning of the ids of our requests for output."""
KINDS = {"text": TEXT, "thinking": THINKING}
TOOL_BLOCKS = ("tool_use", "server_tool_use", "mcp_tool_use")
DELTAS = {"text_delta": "text", "thinking_delta": "thinking"}
FIELD = re.compile(r'"(\w{1,40})":\s*"((?:[^"\\]|\\.){1,1000})"')
"""A complete field of an input whose end the model has not written yet."""
MAX_HEAD = 4096
"""Characters of an input in which its title is searched for."""


def is_partial(line: Json) -> bool:
    """Whether a line only repeats a part of what another line has whole."""
    kind = line.get("type")
    if kind == "control_request":
        return str(line.get("request_id")).startswith(PREFIX)
    if kind == "control_response":
        return _answered(line).startswith(PREFIX)
    return kind == "stream_event" or (kind == "system" and line.get("subtype") == "thinking_tokens")


def _answered(line: Json) -> str:
    response = line.get("response")
    return str(response.get("request_id")) if isinstance(response, dict) else ""


class ClaudeLive:
    """Fills the open parts of a run from the CLI's lines. `send` sends a line to the CLI."""

    def __init__(self, parts: OpenParts, worktree: str, send: Callable[[Json], None]) -> None:
        self._parts = parts
        self._worktree = worktree
        self._send = send
        self._numbers = itertools.count(1)
        self._blocks: Dict[Tuple[Optional[str], int], str] = {}
        "Ids of open parts by sub-agent and the index of the block in the message."
        self._inputs: Dict[str, Tuple[str, str, int]] = {}
        "Of tool calls: name, beginning of the input, and its length so far."
        self._commands: Dict[str, str] = {}
        "Tool calls of commands that run, by task."
        self._asked: Dict[str, str] = {}
        self._can_ask = True

    def feed(self, line: Json) -> bool:
        """Note a line. Return whether it is only partial, so that nobody else needs it."""
        with suppress(*MALFORMED):
            self._feed(line)
        return line.get("type") != "system" and is_partial(line)

    def _feed(self, line: Json) -> None:
        kind = line.get("type")
        if kind == "stream_event":
            self._stream(line["event"], line.get("parent_tool_use_id"))
        elif kind == "control_response" and is_partial(line):
            self._output(line["response"])
        elif kind == "system":
            self._task(line)
        elif kind == "user":
            self._results(line)
        elif kind == "result":
            self._end_turn()

    def part_of(self, kind: str, parent: Optional[str]) -> Optional[str]:
        """Return the id of the open part that a whole text of this kind completes."""
        for (of, _), identity in self._blocks.items():
            part = self._parts.open_part(identity)
            if of == parent and part and part.kind == kind and part.text:
                return identity
        return None

    def _stream(self, event: Json, parent: Optional[str]) -> None:
        kind = event.get("type")
        if kind in ("message_start", "message_stop"):
            self._end_message(parent)
        elif kind == "content_block_start":
            self._begin((parent, int(event["index"])), event["content_block"])
        elif kind == "content_block_delta":
            self._add(self._blocks.get((parent, int(event["index"])), ""), event["delta"])
        elif kind == "content_block_stop":
            part = self._parts.open_part(self._blocks.get((parent, int(event["index"])), ""))
            if part and part.kind == THINKING and not part.text:
                self._parts.drop(part.identity)

    def _begin(self, key: Tuple[Optional[str], int], block: Json) -> None:
        kind = block.get("type")
        if kind in TOOL_BLOCKS:
            tool = str(block["id"])
            self._blocks[key] = identity = call_part(tool)
            self._inputs[identity] = (str(block.get("name")), "", 0)
            self._parts.begin(identity, TOOL, parent=key[0], tool=tool)
            self._parts.entitle(identity, str(block.get("name")))
        elif kind in KINDS:
            self._blocks[key] = identity = f"{kind}:{next(self._numbers)}"
            self._parts.begin(identity, KINDS[kind], parent=key[0])
            self._parts.add(identity, str(block.get(kind) or ""))

    def _add(self, identity: str, delta: Json) -> None:
        field = DELTAS.get(str(delta.get("type")))
        if field:
            self._parts.add(identity, str(delta.get(field) or ""))
        elif delta.get("type") == "input_json_delta" and identity in self._inputs:
            self._add_input(identity, str(delta.get("partial_json") or ""))

    def _add_input(self, identity: str, text: str) -> None:
        name, head, length = self._inputs[identity]
        head, length = (head + text)[:MAX_HEAD], length + len(text)
        self._inputs[identity] = (name, head, length)
        fields = {key: value.replace("\\n", " ") for key, value in FIELD.findall(head)}
        title = tool_title(name, fields, self._worktree)
        size = f" ({length // 1000} kB)" if length >= 1000 else ""
        self._parts.entitle(identity, name + ("" if title == name else f" {title}") + size)

    def _end_message(self, parent: Optional[str]) -> None:
        """Remove what a broken answer has left open."""
        for key in [key for key in self._blocks if key[0] == parent]:
            identity = self._blocks.pop(key)
            self._inputs.pop(identity, None)
            self._parts.drop(identity)

    def _end_turn(self) -> None:
        self._blocks.clear()
        self._inputs.clear()
        self._commands.clear()
        self._parts.drop_where(lambda _part: True)

    # the output of commands

    def _task(self, line: Json) -> None:
        subtype = line.get("subtype")
        if subtype == "task_started":
            if line.get("task_type") == "local_bash" and not line.get("is_backgrounded"):
                self._commands[str(line["task_id"])] = str(line.get("tool_use_id"))
        elif subtype == "api_retry":
            for parent in {parent for parent, _ in self._blocks}:
                self._end_message(parent)
        elif subtype == "task_notification":
            self._commands.pop(str(line.get("task_id")), None)

    def _results(self, line: Json) -> None:
        content = line["message"].get("content")
        blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
        ended = {str(block.get("tool_use_id")) for block in blocks if block.get("type") == "tool_result"}
        for task in [task for task, tool in self._commands.items() if tool in ended]:
            del self._commands[task]

    def ask_output(self) -> None:
        """Ask for the output of each command that has run for some seconds; the CLI tells of no others."""
        for task in self._commands if self._can_ask else ():
            if task not in self._asked.values():
                key = f"{PREFIX}{next(self._numbers)}"
                self._asked[key] = task
                request = {"subtype": "get_task_output", "task_id": task}
                self._send({"type": "control_request", "request_id": key, "request": request})

    def _output(self, response: Json) -> None:
        tool = self._commands.get(self._asked.pop(str(response.get("request_id")), ""))
        answer = response.get("response")
        if response.get("subtype") == "error":
            self._can_ask = "nsupported" not in str(response.get("error"))  # before 2.1.332
        elif tool and isinstance(answer, dict):
            text = str(answer.get("output") or "")
            total = int(answer.get("total_bytes") or 0)
            identity = self._parts.begin(output_part(tool), OUTPUT, tool=tool).identity
            self._parts.show(identity, text, max(0, total - len(text)) if answer.get("truncated") else 0)
