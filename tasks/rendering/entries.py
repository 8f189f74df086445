"""The functions that render each kind of event, listed in RENDERERS."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.template.defaultfilters import pluralize
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from aitask.lib.formats import at, badge, clock, icon
from tasks.attachments.queries import of_task
from tasks.badges import outcome_badge
from tasks.rendering import asked, inputs, markdown, outside, pictures, plans, proposals, raw, work
from tasks.rendering.parts import (
    NOTHING,
    Entry,
    block,
    diff_lines,
    diff_size,
    folded,
    line,
    readable,
    uncoloured,
    wish,
)
from tasks.runs.reducer import parse_time
from workspaces.hostkit import wire
from workspaces.hostkit.escapes import prose
from workspaces.models import PermissionMode

EMPHASIS = re.compile(r"\*\*|__|^#+ ")
SHORT_LINES, SHORT_TEXT = 14, 1600
"Messages up to this size are shown in full."


def _started(entry: Entry) -> SafeString:
    verb = "Resumed" if entry.data.get("resumed") else "Started"
    if entry.data.get("forked_from"):
        verb = "Forked the conversation in"
    model = " · ".join(filter(None, (entry.text("model"), entry.text("reasoning_effort"))))
    name = f"{entry.run.get_backend_display()} {entry.text('cli_version')}".strip()
    return line("play", f"{verb} {name}", model, "dim")


def _text(entry: Entry) -> SafeString:
    if proposals.is_answer(entry):
        return folded("list", "Answer", "as data", block(entry, entry.text()))
    text = markdown.render(prose(str(entry.data.get("text") or "")))
    return format_html('<div class="md">{}</div>{}', text, asked.questions_of(entry))


def _thinking(entry: Entry) -> SafeString:
    text = entry.text().strip()
    if not text:
        return NOTHING
    title = EMPHASIS.sub("", text.splitlines()[0]).strip()
    body = markdown.render(prose(str(entry.data.get("text") or "")))
    return folded("message-square", "Thought", title, format_html('<div class="md">{}</div>', body))


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
    """Return the icon of a tool by its name; a wrench if it is unknown."""
    return next((shown for pattern, shown in TOOL_ICONS if re.search(pattern, name.lower())), "wrench")


def _tool(entry: Entry) -> SafeString:
    name, title = entry.text("name"), entry.text("title")
    mark = format_html(' class="tool" data-tool="{}"', entry.key())
    body = block(entry, inputs.as_text(entry.data.get("input")), "input")
    return folded(tool_icon(name), name, title if title != name else "", body, mark)


def _tool_result(entry: Entry) -> SafeString:
    data = entry.data
    code, output = data.get("exit_code"), data.get("output")
    bad = bool(data.get("is_error")) or bool(code)
    details = [f"exit {code}" if code else "error" if bad else ""]
    if (data.get("duration_ms") or 0) >= 1000:
        details.append(clock(data["duration_ms"] / 1000))
    text = uncoloured(output) if isinstance(output, str) else inputs.as_json(output)
    text = readable(text)
    is_empty = output in (None, "", [], {})
    body = format_html('<p class="dim">{}</p>', "No output.") if is_empty else block(entry, text, "output")
    mark = format_html(
        ' class="result{}" data-result="{}" data-how="{}"',
        " bad" if bad else "",
        entry.key(),
        " · ".join(filter(None, details)),
    )
    result = folded("terminal", "Result", text.strip().split("\n")[0], body, mark)
    return format_html("{}{}", result, pictures.shown(entry))


CHANGES = {"add": ("file-plus", "Wrote"), "delete": ("file-minus", "Deleted")}


def _file_change(entry: Entry) -> SafeString:
    sign, verb = CHANGES.get(entry.text("change"), ("file-pen", "Edited"))
    diff = entry.text("diff").splitlines()
    if not diff:
        return line(sign, verb, entry.text("path"))
    added = sum(text.startswith("+") and not text.startswith("+++") for text in diff)
    deleted = sum(text.startswith("-") and not text.startswith("---") for text in diff)
    return format_html(
        '<details class="change" data-result="{}"><summary>{}<b>{}</b> <span class="what">{}</span>'
        '<span class="how num">{}</span></summary><div class="inside">{}</div></details>',
        entry.key(),
        icon(sign, "small"),
        verb,
        entry.text("path"),
        diff_size(added, deleted),
        diff_lines(diff),
    )


def _request(entry: Entry) -> SafeString:
    plan = prose(str(entry.data.get("plan") or ""))
    given = "" if plan or entry.data.get("questions") else inputs.as_text(entry.data.get("input"))
    context = {
        "run": entry.run,
        "request": entry.data,
        "title": entry.text("title"),
        "given": given,
        "given_block": block(entry, given) if given else "",
        "wish": wish(entry.data.get("tool")),
        "plan": markdown.render(plan) if plan else "",
        "labels": asked.labels_of(entry),
    }
    return SafeString(render_to_string("tasks/_request.html", context))


MODES = {str(value): str(label) for value, label in PermissionMode.choices}
DECISIONS = {
    "allow": ("check", "Allowed"),
    "allow_for_run": ("check", "Allowed for this run"),
    "deny": ("ban", "Denied"),
    "submit": ("check", "Sent"),
    "cancel": ("ban", "Cancelled"),
    "withdrawn": ("undo-2", "Withdrawn"),
}
PLAN_DECISIONS = {"allow": ("check", "Plan approved"), "deny": ("undo-2", "Plan sent back")}
BY = {
    "web": "in the browser",
    "keyboard": "in the terminal",
    "agent": "by the agent",
    "mode": "by the permission mode",
}


def _settings(entry: Entry) -> SafeString:
    mode = entry.text("permission_mode")
    values = (entry.text("model"), entry.text("reasoning_effort"), MODES.get(mode, mode))
    return line("sliders-horizontal", "From the next turn on", " · ".join(filter(None, values)), "dim")


def _request_closed(entry: Entry) -> SafeString:
    is_plan = entry.text("request_kind") == "plan"
    verbs = {**DECISIONS, **(PLAN_DECISIONS if is_plan else {})}
    sign, verb = verbs.get(entry.text("decision"), ("check", "Answered"))
    if is_plan and entry.text("decision") == "allow":
        return plans.approved(entry, sign, BY.get(entry.text("by"), ""), MODES)
    return format_html(
        '<p class="line closes" data-closes="{}">{}<b>{}</b> <span class="dim">{}</span> {}</p>{}',
        entry.key(),
        icon(sign, "small"),
        verb,
        BY.get(entry.text("by"), ""),
        entry.text(),
        asked.content_of(entry),
    )


def _message(entry: Entry) -> SafeString:
    return format_html("{}{}", _said(entry), _files(entry))


def _files(entry: Entry) -> SafeString:
    """The files that the user has given with a message."""
    ids = entry.data.get("attachments")
    rows = of_task(entry.run.task, ids) if isinstance(ids, list) and ids else []
    return SafeString(render_to_string("tasks/_files.html", {"files": rows})) if rows else NOTHING


def _said(entry: Entry) -> SafeString:
    text = entry.text().strip()
    if not text and entry.data.get("attachments"):
        return NOTHING
    lines = text.splitlines()
    if len(lines) <= SHORT_LINES and len(text) <= SHORT_TEXT:
        return format_html('<p class="said">{}</p>', text)
    return format_html(
        '<details class="long"><summary class="said">{}…</summary></details><div class="all">{}</div>',
        "\n".join(lines[:6])[:800],
        block(entry, text),
    )


def _limit(entry: Entry) -> SafeString:
    texts = {"warning": "The plan's limit is near.", "reached": "The plan's limit is reached."}
    if entry.data.get("extra_usage"):
        texts = dict.fromkeys(
            ("ok", *texts), "The plan's limit is reached. Further requests are extra usage."
        )
    if entry.data.get("status") not in texts:
        return NOTHING
    windows = entry.data.get("windows") or []
    used = ", ".join(f"{each.get('window')}: {round(each.get('used_percent') or 0)} %" for each in windows)
    reset = parse_time(entry.text("resets_at"))
    more = format_html("{} resets {}", used, at(reset)) if reset else used
    return line("gauge", texts[entry.data["status"]], more, "needs")


NOTICES = {wire.DENIED: ("ban", "needs"), wire.PEER_MESSAGE: ("message-square", "needs")}


def _notice(entry: Entry) -> SafeString:
    sign, css = NOTICES.get(entry.text("code"), ("info", "dim"))
    return format_html("{}{}", line(sign, entry.text(), css=css), pictures.shown(entry))


def _outside(entry: Entry) -> SafeString:
    return line("shield-alert", outside.of_event(entry.data), css="needs")


ERRORS = {
    "login": "Login refused",
    "limit": "Limit reached",
    "model": "Wrong model",
    "rejected": "Request rejected",
    "fork": "Can't fork from there",
    "server": "Server error",
    "connection": "Connection lost",
    "session": "Session not found",
    "setup": "Setup failed",
    "proposals": "No plan",
}


def _error(entry: Entry) -> SafeString:
    retrying, status = entry.data.get("retrying"), entry.data.get("http_status")
    return format_html(
        '<div class="alert {}">{}<div><b>{} {}</b> {}<p class="said">{}</p></div></div>',
        "needs" if retrying else "failed",
        icon("triangle-alert"),
        ERRORS.get(entry.text("code"), "Error"),
        f"({status})" if status else "",
        "Retrying." if retrying else "",
        entry.text(),
    )


def _finished(entry: Entry) -> SafeString:
    shown = outcome_badge(entry.text("state"))
    diff = entry.data.get("diff") or {}
    size = NOTHING
    if files := diff.get("files"):
        lines = diff_size(diff.get("additions", 0), diff.get("deletions", 0))
        size = format_html('<span class="num">{} file{} {}</span>', files, pluralize(files), lines)
    reason = entry.text("reason")
    return format_html(
        '<div class="ended {}">{} {} <code>{}</code><p>{}</p></div>',
        shown.kind,
        badge(shown),
        size,
        entry.text("commit")[:10],
        "" if reason.lower() == f"{shown.text}." else reason,
    )


RENDERERS: dict[str, Callable[[Entry], SafeString]] = {
    "started": _started,
    "text": _text,
    "thinking": _thinking,
    "tool": _tool,
    "tool_result": _tool_result,
    "file_change": _file_change,
    "request": _request,
    "settings": _settings,
    "request_closed": _request_closed,
    "message": _message,
    "limit": _limit,
    "notice": _notice,
    "outside": _outside,
    "error": _error,
    "raw": raw.raw_line,
    **work.RENDERERS,
    "proposals": proposals.proposed,
    "finished": _finished,
}
