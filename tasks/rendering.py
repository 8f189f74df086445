"""Events as HTML: what a run said and did, the way a person wants to read it.

All text is the model's or a person's, so everything goes through format_html or tasks.markdown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from aitask.templatetags.ui import ago, clock, icon
from tasks import markdown
from tasks.commands import commands
from tasks.models import Event, Run, Task
from workspaces.models import Host

LONGEST = 12_000
"Characters of a text that are put into the page; the rest is one click away."
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")
NOTHING = SafeString("")

Renderer = Callable[[Run, Event], SafeString]


def render_rows(rows: list[tuple[Run, Event]]) -> SafeString:
    """The HTML of many events, in their order."""
    return mark_safe("".join(render_event(run, event) for run, event in rows))  # noqa: S308 - each part is safe


def render_event(run: Run, event: Event) -> SafeString:
    """Safe HTML of one event; empty for events that only change the state of their run."""
    renderer = RENDERERS.get(event.kind)
    inner = renderer(run, event) if renderer else NOTHING
    head = _run_head(run) if event.seq == 1 else NOTHING
    if not inner:
        return head
    return format_html(
        '{}<div class="ev ev-{}{}" data-place="{}.{}" title="{}">{}</div>',
        head,
        event.kind,
        " sub" if event.data.get("parent") else "",
        run.number,
        event.seq,
        event.at.strftime("%H:%M:%S UTC"),
        inner,
    )


def render_head(task: Task, run: Run | None) -> SafeString:
    """The strip above the box: what the run is doing just now, and what can be done about it."""
    host = task.workspace.host
    tokens = (
        run.input_tokens + run.output_tokens + run.cache_read_tokens + run.cache_write_tokens if run else 0
    )
    context = {
        "task": task,
        "run": run,
        "host": host,
        "link_lost": bool(run and run.is_active and host.link == Host.Link.DOWN),
        "tokens": tokens,
        "attach": commands(task, run).get("attach", ""),
    }
    return SafeString(render_to_string("tasks/_head.html", context))


def readable(text: Any) -> str:
    """Text without colour codes and other control characters of a terminal."""
    return CONTROL.sub("", str(text if text is not None else "").replace("\r\n", "\n"))


def _run_head(run: Run) -> SafeString:
    model = " · ".join(filter(None, [run.get_backend_display(), run.model, run.reasoning_effort]))
    return format_html(
        '<div class="runhead" id="run-{}"><h2>Run {}</h2><span class="dim">{}</span><span class="grow"></span>'
        '<span class="dim small">{}</span></div>',
        run.number,
        run.number,
        model,
        ago(run.queued_at),
    )


def _block(run: Run, event: Event, text: str, css: str = "") -> SafeString:
    """Text as it stands, cut when it is very long."""
    shown = readable(text)
    rest = len(shown) - LONGEST
    more = NOTHING
    if rest > 0 or event.data.get("cut"):
        shown = shown[:LONGEST]
        more = format_html(
            '<a class="whole" href="/tasks/{}/events/{}.{}" target="_blank">Show all of it</a>',
            run.task_id,
            run.number,
            event.seq,
        )
    return format_html('<pre class="{}" tabindex="0">{}</pre>{}', css, shown, more)


def _text(run: Run, event: Event) -> SafeString:
    return format_html('<div class="md">{}</div>', markdown.render(readable(event.data.get("text"))))


def _thinking(run: Run, event: Event) -> SafeString:
    text = readable(event.data.get("text")).strip()
    if not text:
        return NOTHING
    return _folded(
        "message-square", "Thought", text.splitlines()[0], format_html('<p class="said">{}</p>', text)
    )


def _folded(name: str, label: str, title: str, body: SafeString, extra: SafeString = NOTHING) -> SafeString:
    return format_html(
        '<details{}><summary>{}<b>{}</b> <span class="what">{}</span><span class="how"></span></summary>'
        '<div class="inside">{}</div></details>',
        extra,
        icon(name, "small"),
        label,
        title[:300],
        body,
    )


TOOL_ICONS = (
    (r"bash|shell|exec|command", "terminal"),
    (r"read|view|open", "eye"),
    (r"write|edit|patch|notebook", "file-pen"),
    (r"grep|glob|search|find|ls$|list", "search"),
    (r"web|fetch|http", "globe"),
    (r"task|agent", "bot"),
    (r"todo|plan", "list"),
)


def tool_icon(name: str) -> str:
    """The sign of a tool, by its name; a wrench for those not known."""
    return next((sign for pattern, sign in TOOL_ICONS if re.search(pattern, name.lower())), "wrench")


def _tool(run: Run, event: Event) -> SafeString:
    data = event.data
    name, title = readable(data.get("name")), readable(data.get("title"))
    body = _block(run, event, tool_input(data), "input")
    mark = format_html(' class="tool" data-tool="{}-{}"', run.number, data.get("id", ""))
    return _folded(tool_icon(name), name, title if title != name else "", body, mark)


def tool_input(data: dict[str, Any]) -> str:
    """What a tool was called with: a command as it is typed, everything else as JSON."""
    given = data.get("input")
    if isinstance(given, dict):
        command = given.get("command")
        if isinstance(command, str):
            return command
        if isinstance(command, list):
            return " ".join(map(str, command))
        return json.dumps(given, indent=2, ensure_ascii=False)
    return str(given or "")


def _tool_result(run: Run, event: Event) -> SafeString:
    data = event.data
    bad = bool(data.get("is_error")) or data.get("exit_code") not in (None, 0)
    output = data.get("output")
    text = output if isinstance(output, str) else json.dumps(output, indent=2, ensure_ascii=False)
    parts = [f"exit {data['exit_code']}" if data.get("exit_code") else "error" if bad else ""]
    if (data.get("duration_ms") or 0) >= 1000:
        parts.append(clock(data["duration_ms"] / 1000))
    body = (
        _block(run, event, text, "output")
        if text and text != "null"
        else format_html("<p class='dim'>No output.</p>")
    )
    mark = format_html(
        ' class="result{}" data-result="{}-{}" data-how="{}"',
        " bad" if bad else "",
        run.number,
        data.get("id", ""),
        " · ".join(filter(None, parts)),
    )
    return _folded("terminal", "Result", readable(text).strip().split("\n")[0], body, mark)


CHANGE_ICONS = {"add": ("file-plus", "Wrote"), "delete": ("file-minus", "Deleted")}


def _file_change(run: Run, event: Event) -> SafeString:
    sign, verb = CHANGE_ICONS.get(event.data.get("change", ""), ("file-pen", "Edited"))
    path = readable(event.data.get("path"))
    diff = readable(event.data.get("diff"))
    if not diff:
        return format_html(
            '<p class="line">{}<b>{}</b> <span class="what">{}</span></p>', icon(sign, "small"), verb, path
        )
    lines = diff.splitlines()
    added = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
    gone = sum(line.startswith("-") and not line.startswith("---") for line in lines)
    size = format_html('<span class="plus">+{}</span> <span class="minus">−{}</span>', added, gone)
    return format_html(
        '<details class="change" data-result="{}-{}"><summary>{}<b>{}</b> <span class="what">{}</span>'
        '<span class="how num">{}</span></summary><div class="inside">{}</div></details>',
        run.number,
        event.data.get("id", ""),
        icon(sign, "small"),
        verb,
        path,
        size,
        diff_lines(lines),
    )


def diff_lines(lines: list[str], most: int = 400) -> SafeString:
    """A diff with its lines told apart by sign and colour."""
    kinds = {"+": "add", "-": "del", "@": "at"}
    shown = format_html_join(
        "", '<span class="{}">{}\n</span>', ((kinds.get(x[:1], ""), x) for x in lines[:most])
    )
    rest = len(lines) - most
    more = format_html('<p class="dim">… {} more lines</p>', rest) if rest > 0 else NOTHING
    return format_html('<pre class="diff" tabindex="0">{}</pre>{}', shown, more)


def _request(run: Run, event: Event) -> SafeString:
    return SafeString(
        render_to_string(
            "tasks/_request.html",
            {
                "run": run,
                "request": event.data,
                "given": readable(tool_input(event.data)),
                "plan": markdown.render(readable(event.data.get("plan"))) if event.data.get("plan") else "",
            },
        )
    )


DECISIONS = {
    "allow": ("check", "Allowed"),
    "allow_for_run": ("check", "Allowed for this run"),
    "deny": ("ban", "Denied"),
    "withdrawn": ("undo-2", "Withdrawn"),
}
BY = {
    "web": "in the browser",
    "keyboard": "in the terminal",
    "agent": "by the agent",
    "mode": "by the permission mode",
}


def _request_closed(run: Run, event: Event) -> SafeString:
    sign, verb = DECISIONS.get(event.data.get("decision", ""), ("check", "Answered"))
    return format_html(
        '<p class="line closes" data-closes="{}-{}">{}<b>{}</b> <span class="dim">{}</span> {}</p>',
        run.number,
        event.data.get("id", ""),
        icon(sign, "small"),
        verb,
        BY.get(event.data.get("by", ""), ""),
        readable(event.data.get("text")),
    )


def _message(run: Run, event: Event) -> SafeString:
    text = readable(event.data.get("text")).strip()
    lines = text.splitlines()
    if len(lines) <= 14 and len(text) <= 1600:
        return format_html('<p class="said">{}</p>', text)
    return format_html(
        '<details class="long"><summary class="said">{}…</summary></details><div class="said all">{}</div>',
        "\n".join(lines[:6])[:800],
        _block(run, event, text),
    )


def _limit(run: Run, event: Event) -> SafeString:
    status = event.data.get("status")
    if status not in ("warning", "reached"):
        return NOTHING
    windows = ", ".join(
        f"{w.get('window')}: {round(w.get('used_percent') or 0)} %" for w in event.data.get("windows") or []
    )
    words = "The plan's limit is reached." if status == "reached" else "The plan's limit is near."
    until = event.data.get("resets_at") or ""
    return _line("gauge", words, f"{windows} {f'resets {until}' if until else ''}", "needs")


def _line(sign: str, words: str, more: str = "", css: str = "") -> SafeString:
    return format_html(
        '<p class="line {}">{}<span>{} <span class="dim">{}</span></span></p>',
        css,
        icon(sign, "small"),
        words,
        more,
    )


def _started(run: Run, event: Event) -> SafeString:
    data = event.data
    verb = "Went on with" if data.get("resumed") else "Started"
    model = " · ".join(str(data[name]) for name in ("model", "reasoning_effort") if data.get(name))
    return _line(
        "play", f"{verb} {run.get_backend_display()} {data.get('cli_version') or ''}".strip(), model, "dim"
    )


def _notice(run: Run, event: Event) -> SafeString:
    return _line("info", readable(event.data.get("text")), css="dim")


ERRORS = {
    "login": "Login refused",
    "limit": "Limit reached",
    "model": "Wrong model",
    "rejected": "Request rejected",
    "server": "Server error",
    "connection": "Connection lost",
    "setup": "Set-up failed",
}


def _error(run: Run, event: Event) -> SafeString:
    data = event.data
    retrying = "Trying again." if data.get("retrying") else ""
    status = f"({data['http_status']})" if data.get("http_status") else ""
    return format_html(
        '<div class="alert {}">{}<div><b>{} {}</b> {}<p class="said">{}</p></div></div>',
        "needs" if retrying else "failed",
        icon("triangle-alert"),
        ERRORS.get(data.get("code", ""), "Error"),
        status,
        retrying,
        readable(data.get("text")),
    )


def _raw(run: Run, event: Event) -> SafeString:
    line = readable(event.data.get("line"))
    return _folded("circle-help", "Unknown line of the CLI", line, _block(run, event, line))


ENDS = {
    "succeeded": ("circle-check", "good", "Finished"),
    "failed": ("circle-x", "bad", "Failed"),
    "cancelled": ("circle-slash", "", "Cancelled"),
}


def _finished(run: Run, event: Event) -> SafeString:
    sign, kind, word = ENDS.get(event.data.get("state", ""), ("circle-help", "", "Ended"))
    diff = event.data.get("diff") or {}
    size = NOTHING
    if diff.get("files"):
        size = format_html(
            '<span class="num">{} files <span class="plus">+{}</span> <span class="minus">−{}</span></span>',
            diff["files"],
            diff.get("additions", 0),
            diff.get("deletions", 0),
        )
    commit = str(event.data.get("commit") or "")[:10]
    return format_html(
        '<div class="ended {}"><span class="badge {}">{}{}</span> {} <code>{}</code><p>{}</p></div>',
        kind,
        kind,
        icon(sign),
        word,
        size,
        commit,
        readable(event.data.get("reason")),
    )


RENDERERS: dict[str, Renderer] = {
    "started": _started,
    "text": _text,
    "thinking": _thinking,
    "tool": _tool,
    "tool_result": _tool_result,
    "file_change": _file_change,
    "request": _request,
    "request_closed": _request_closed,
    "message": _message,
    "limit": _limit,
    "notice": _notice,
    "error": _error,
    "raw": _raw,
    "finished": _finished,
}
