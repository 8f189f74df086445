"""Events about what works beside the agent, and about its session: compactions, models, titles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.template.defaultfilters import pluralize
from django.utils.html import format_html
from django.utils.safestring import SafeString

from aitask.lib.formats import clock, icon, short_number
from tasks.rendering.parts import NOTHING, Entry, block, folded, line

NAMES = {"command": ("terminal", "Background command"), "agent": ("bot", "Sub-agent")}
ENDS = {"completed": "has ended", "failed": "has failed", "stopped": "was stopped"}


def figures(work: dict[str, Any]) -> str:
    """Return tokens, tool calls and time of a work, as far as they are known: `15.8k tokens · 2 tools`."""
    tokens, uses, seconds = (work.get(name) for name in ("tokens", "tool_uses", "seconds"))
    parts = [
        f"{short_number(tokens)} tokens" if tokens else "",
        f"{uses} tool call{pluralize(uses)}" if uses else "",
        clock(seconds) if seconds and seconds >= 1 else "",
    ]
    return " · ".join(filter(None, parts))


def _background(entry: Entry) -> SafeString:
    """What the tool call's own line says of it; and a line of its own when it ends, or if it has no call."""
    data, state = entry.data, entry.text("state")
    mark, name = NAMES.get(entry.text("work"), ("circle-dot", "Background task"))
    in_background = not data.get("waited")
    running = "in the background" if in_background else "working"
    words = " · ".join(filter(None, [running if state == "running" else state, figures(data)]))
    hint = format_html('<i hidden data-of="{}" data-words="{}"></i>', entry.key("tool"), words)
    if state == "running":
        shown = NOTHING if data.get("tool") else line(mark, f"{name} started:", entry.text("title"), "dim")
        return format_html("{}{}", hint, shown)
    if not in_background:
        return hint
    css = "needs" if state == "failed" else "dim"
    label, result = f"{name} {ENDS.get(state, 'has ended')}", entry.text("result")
    title = " · ".join(filter(None, [entry.text("title"), figures(data)]))
    if not result or result == entry.text("title"):
        return format_html("{}{}", hint, line(mark, label, title, css))
    return format_html("{}{}", hint, folded(mark, label, title, block(entry, result)))


def _compaction(entry: Entry) -> SafeString:
    phase, before, after = entry.text("phase"), entry.data.get("before"), entry.data.get("after")
    how = "on request" if entry.data.get("trigger") == "manual" else "automatically"
    if phase == "started":
        return line("circle-dot", "Compacting the conversation", how, "dim")
    if phase == "failed":
        text = "The conversation could not be compacted."
        return line("triangle-alert", text, entry.text(), "needs")
    sizes = [f"{short_number(each)}" for each in (before, after) if isinstance(each, int)]
    more = f"{' → '.join(sizes)} tokens" if sizes and before else ""
    return line("file-minus", f"The conversation was compacted {how}.", more, "dim")


CHANGES = {
    "fallback": "The CLI has changed the model.",
    "refusal": "The model has refused; another one goes on.",
    "rerouted": "The service has changed the model.",
}


def _model_change(entry: Entry) -> SafeString:
    models = " → ".join(filter(None, [entry.text("before"), entry.text("model")]))
    more = " · ".join(filter(None, [models, entry.text()]))
    return line("triangle-alert", CHANGES.get(entry.text("why"), CHANGES["fallback"]), more, "needs")


def _title(entry: Entry) -> SafeString:
    return line("pencil", "The CLI calls this conversation", f"“{entry.text()}”", "dim")


def _session(_entry: Entry) -> SafeString:
    return line("plus", "A new, empty conversation has begun in the same run.", css="dim")


def _local_command(entry: Entry) -> SafeString:
    output, name = entry.text("output"), entry.text("name")
    label = f"/{name}" if name else "Command of the CLI"
    return folded("terminal", label, output.strip().split("\n")[0], block(entry, output))


def _message_returned(entry: Entry) -> SafeString:
    return format_html(
        '<p class="line needs">{}<span><b>Not taken:</b> {} <span class="dim">{}</span></span></p>',
        icon("undo-2", "small"),
        entry.text(),
        entry.text("reason"),
    )


RENDERERS: dict[str, Callable[[Entry], SafeString]] = {
    "background": _background,
    "compaction": _compaction,
    "model_change": _model_change,
    "title": _title,
    "session": _session,
    "local_command": _local_command,
    "message_returned": _message_returned,
}
