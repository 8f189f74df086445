"""Displays events in the run's window as text without control characters."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from ..escapes import visible
from ..wire import (
    ErrorEvent,
    FileChangeEvent,
    LimitEvent,
    MessageEvent,
    NoticeEvent,
    OutsideEvent,
    RequestClosedEvent,
    RequestEvent,
    RunEvent,
    RunSpec,
    SettingsEvent,
    StartedEvent,
    TextEvent,
    ThinkingEvent,
    ToolEvent,
    ToolResultEvent,
)
from .pane_work import work_shows
from .record import Record

MAX_WAITING = 1024 * 1024
SHOWN_LINES = 12
SHOWN_COLUMNS = 2000
SHOWN_INPUT, SHOWN_INPUT_LINES = 4000, 60
"""Size of an input up to which it is printed at once. A larger one must be printed before it is allowed."""
CONTROLS = {code: None for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}
"""Characters with which a text could move the cursor, clear the screen or query the terminal."""
BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"


def plain(text: str) -> str:
    """Remove control characters, so that the text is safe on a terminal."""
    return text.replace("\r\n", "\n").translate(CONTROLS)


def clipped(text: str, lines: int = SHOWN_LINES) -> str:
    """Return the first lines, and how many more there are."""
    rows = [row[:SHOWN_COLUMNS] for row in plain(text).strip("\n").split("\n")]
    hidden = len(rows) - lines
    return "\n".join(rows if hidden <= 0 else [*rows[:lines], f"… {hidden} more lines"])


def input_text(event: RequestEvent) -> str:
    """Return every field of a request's input, with an escape for what could not be seen."""
    parts = []
    for name, value in (event.get("input") or {}).items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        shown = visible(text)
        parts.append(
            f"{visible(name)}: {shown}" if "\n" not in shown else f"{visible(name)}:\n{indented(shown)}"
        )
    return "\n".join(parts)


def indented(text: str) -> str:
    return "\n".join("  " + row for row in text.split("\n"))


class PaneWriter:
    """Writes to the window without blocking: a window that does not read must not stop the agent."""

    def __init__(self, record: Path) -> None:
        self._record = Record(record)
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._waiting = bytearray()
        self._dropped = False
        self.unread: Dict[str, str] = {}
        """Inputs of requests that were printed in part, by the request's id."""
        self._out, self._colour = _open_output()
        self._shows: Dict[str, Callable[[Any], None]] = {
            "started": self._started,
            "text": self._text,
            "thinking": self._thinking,
            "tool": self._tool,
            "tool_result": self._tool_result,
            "file_change": self._file_change,
            "request": self._request,
            "request_closed": self._request_closed,
            "message": self._message,
            **work_shows(self.say, clipped),
            "limit": self._limit,
            "notice": self._notice,
            "outside": self._outside,
            "settings": self._settings,
            "error": self._error,
        }

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def detach(self) -> None:
        """Write what can be written immediately, and stop waiting for the terminal."""
        self._flush()
        if self._loop and self._out is not None:
            self._loop.remove_writer(self._out)
        self._loop = None
        self._record.close()

    def title(self, spec: RunSpec) -> None:
        given = (
            spec["backend"],
            spec.get("model"),
            spec.get("reasoning_effort"),
            spec.get("permission_mode"),
        )
        settings = [plain(value) for value in given if value]
        self.say(plain(str(spec.get("title") or "Run")), BOLD)
        self.say("  ".join(settings) + "   type /help for help", DIM)

    def show(self, event: RunEvent) -> None:
        """Show one event. Kinds that have no display are ignored."""
        show = self._shows.get(event["kind"])
        if show:
            show(event)

    def say(self, text: str, colour: str = "") -> None:
        """Print lines. Text from outside must have been passed through `plain`."""
        if self._colour and colour:
            text = "\n".join(f"\x1b[{colour}m{row}\x1b[0m" for row in text.split("\n"))
        self._write((text + "\n").encode("utf-8", "replace"))

    def pass_on(self, output: str) -> None:
        """Show output of a command."""
        self._write(plain(output).encode("utf-8", "replace"))

    # single events

    def _settings(self, event: SettingsEvent) -> None:
        given = (event.get("model"), event.get("reasoning_effort"), event.get("permission_mode"))
        changes = [plain(value) for value in given if value]
        self.say("· from the next turn on: " + "  ".join(changes), DIM)

    def _started(self, event: StartedEvent) -> None:
        details = [event.get("cli_version"), event.get("model"), event.get("cli_session")]
        self.say("· " + plain("  ".join(str(value) for value in details if value)), DIM)

    def _text(self, event: TextEvent) -> None:
        text = plain(event["text"]).strip("\n")
        self.say(indented(text) if event.get("parent") else "\n" + text)

    def _thinking(self, event: ThinkingEvent) -> None:
        self.say(indented(clipped(event["text"], 4)), DIM)

    def _message(self, event: MessageEvent) -> None:
        self.say("> " + clipped(event["text"], 40), BOLD)

    def _notice(self, event: NoticeEvent) -> None:
        self.say("· " + clipped(event["text"]), DIM)

    def _outside(self, event: OutsideEvent) -> None:
        names = [event["name"], *(event.get("paths") or [])[:5]]
        self.say("! changed outside of this run's branch: " + clipped("  ".join(names)), YELLOW)

    def _tool(self, event: ToolEvent) -> None:
        self.say(f"{_arrow(event)} {plain(event['name'])}  {plain(event['title'])}", CYAN)

    def _tool_result(self, event: ToolResultEvent) -> None:
        text = clipped(event.get("output") or "", 8)
        if text or event.get("is_error"):
            self.say(indented(text or "failed"), RED if event.get("is_error") else DIM)

    def _file_change(self, event: FileChangeEvent) -> None:
        self.say(f"  {event['change']} {plain(event['path'])}", GREEN)

    def _request(self, event: RequestEvent) -> None:
        if event["request_kind"] == "question":
            for question in event.get("questions") or []:
                self.say("? " + plain(str(question.get("question"))), YELLOW)
                for number, option in enumerate(question.get("options") or [], 1):
                    self.say(f"    {number}  {plain(str(option.get('label')))}")
            self.say("  /y NUMBER or /y TEXT answers · /n TEXT declines", DIM)
            return
        if event["request_kind"] in ("form", "link", "unknown"):
            self._other_request(event)
            return
        if event["request_kind"] == "plan":
            self.say("? approve this plan", YELLOW)
            self._whole_or_start(event, visible(str(event.get("plan"))))
            self.say("  /y approves · /y ask, /y edits or /y full picks what comes then", DIM)
            self.say("  /n TEXT sends it back", DIM)
            return
        self.say(f"? {visible(event['tool'])}  {visible(event['title'])}", YELLOW)
        if event.get("cwd"):
            self.say("  in " + visible(str(event["cwd"])), DIM)
        if event.get("reason"):
            self.say("  " + visible(str(event["reason"])), DIM)
        self._input(event)
        for_run = " · /a allows this very call for the whole run" if event.get("can_allow_for_run") else ""
        self.say(f"  /y allows{for_run} · /n TEXT denies", DIM)

    def _other_request(self, event: RequestEvent) -> None:
        """Show a form, a link, or what is unknown."""
        if event.get("server"):
            self.say(f"? the MCP server {visible(event['server'])} asks:", YELLOW)
            self.say(indented(clipped(visible(event.get("message") or ""), 20)))
        else:
            self.say(
                f"? {visible(event['tool'])}: this version of the app does not know this request", YELLOW
            )
        if event.get("reason"):
            self.say("  " + visible(str(event["reason"])), DIM)
        if "url" in event:
            self.say("  " + visible(event["url"]), BOLD)
        self._input(event)
        self.say("  " + _ways(event), DIM)

    def _input(self, event: RequestEvent) -> None:
        self._whole_or_start(event, input_text(event))

    def _whole_or_start(self, event: RequestEvent, text: str) -> None:
        """Print what a user decides by; of a long text the beginning, and how to see the rest."""
        rows = text[:SHOWN_INPUT].split("\n")[:SHOWN_INPUT_LINES]
        start = "\n".join(rows)
        if start:
            self.say(indented(start))
        if len(start) < len(text):
            self.unread[event["id"]] = text
            more = f"… {len(text) - len(start):,} more characters: /show prints all, then it can be allowed"
            self.say("  " + more, YELLOW)

    def print_unread(self, request: str) -> None:
        """Print the whole input of a request, so that it can be allowed."""
        self.say(indented(self.unread.pop(request, "Everything is shown above.")))

    def _request_closed(self, event: RequestClosedEvent) -> None:
        self.unread.pop(event.get("id", ""), None)
        reply = event.get("text")
        text = f": {clipped(reply, 3)}" if reply else ""
        self.say(f"  {event['decision'].replace('_', ' ')} ({event['by']}){text}", DIM)

    def _limit(self, event: LimitEvent) -> None:
        if event["status"] != "ok":
            windows = [f"{each['window']} {each['used_percent']} %" for each in event["windows"]]
            self.say(f"! plan limit {event['status']}: " + ", ".join(windows), YELLOW)

    def _error(self, event: ErrorEvent) -> None:
        retrying = event.get("retrying")
        self.say(("… " if retrying else "! ") + clipped(event["text"], 6), YELLOW if retrying else RED)

    # bytes

    def _write(self, data: bytes) -> None:
        self._record.add(data.replace(b"\n", b"\r\n"))
        if self._out is None:
            return
        if len(self._waiting) > MAX_WAITING:
            self._dropped = True
            return
        if self._dropped:
            self._dropped = False
            data = "… (lines were omitted here)\n".encode() + data
        self._waiting += data
        self._flush()

    def _flush(self) -> None:
        if self._out is None:
            return
        try:
            while self._waiting:
                written = os.write(self._out, self._waiting[:65536])
                del self._waiting[:written]
        except BlockingIOError:
            if self._loop:
                self._loop.add_writer(self._out, self._flush)
            return
        except OSError:
            self._out = None  # the terminal was closed; keep recording
            return
        if self._loop:
            self._loop.remove_writer(self._out)


def _ways(event: RequestEvent) -> str:
    """Return how a form, a link, or an unknown request is answered at the keyboard."""
    if event["request_kind"] == "unknown":
        return "/y JSON answers · /n TEXT declines"
    ways = "/n declines · /cancel closes it without an answer"
    if event["request_kind"] == "form":
        return ("/y fills it in, line by line · " if "schema" in event else "/y JSON answers · ") + ways
    return ("/y accepts, when you have opened the address · " if "url" in event else "") + ways


def _arrow(event: ToolEvent) -> str:
    return "  ▸" if event.get("parent") else "▸"


def _open_output() -> "tuple[Optional[int], bool]":
    """Open the terminal a second time, so that O_NONBLOCK does not apply to the shell that runs later."""
    try:
        name = os.ttyname(sys.stdout.fileno())
    except (OSError, ValueError):
        return 1, False
    try:
        return os.open(name, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY), True
    except OSError:
        return None, False
