"""Events and states as HTML.

All text comes from models or users, so everything goes through format_html or rendering.markdown.
"""

from __future__ import annotations

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from aitask.lib.formats import ago
from tasks.badges import run_badge
from tasks.models import Event, Run, Task
from tasks.rendering.entries import RENDERERS
from tasks.rendering.forks import fork_button
from tasks.rendering.parts import NOTHING, Entry
from tasks.rendering.parts import readable as readable
from tasks.runs.shell_commands import commands
from tasks.verbs import HEAD_VERBS, possible
from workspaces.catalog import queries as catalog_queries
from workspaces.models import Host


def render_rows(rows: list[tuple[Run, Event]]) -> SafeString:
    """Return the HTML of several events, in their order."""
    seen: set[int] = set()
    shown = []
    for run, event in rows:
        if event.kind == "raw" and not event.data.get("unread"):  # one entry for all of a run
            if run.number in seen and event.seq > 1:
                continue
            seen.add(run.number)
        shown.append(render_event(run, event))
    return mark_safe("".join(shown))  # noqa: S308 - each part is safe


def render_event(run: Run, event: Event) -> SafeString:
    """Return safe HTML of one event; empty for events that only change the state of their run."""
    renderer = RENDERERS.get(event.kind)
    inner = renderer(Entry(run, event.seq, event.data)) if renderer else NOTHING
    head = _run_head(run) if event.seq == 1 else NOTHING
    if not inner:
        return head
    parent = event.data.get("parent")
    return format_html(
        '{}<div class="ev ev-{}{}"{} data-place="{}.{}"{} title="{}">{}{}</div>',
        head,
        event.kind,
        " sub" if parent else "",
        format_html(' data-under="{}-{}"', run.number, parent) if parent else "",
        run.number,
        event.seq,
        _part(run, event),
        event.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        inner,
        fork_button(run, event),
    )


def _part(run: Run, event: Event) -> SafeString:
    """Return the attribute that names what the page has shown while the event was written."""
    part = event.data.get("part")
    return format_html(' data-part="{}-{}"', run.number, part) if part else NOTHING


def _run_head(run: Run) -> SafeString:
    model = " · ".join(filter(None, [run.get_backend_display(), run.model, run.reasoning_effort]))
    return format_html(
        '<div class="runhead" id="run-{}"><h2>Run {}</h2><span class="dim">{}</span>'
        '<span class="grow"></span><span class="dim small">{}</span></div>',
        run.number,
        run.number,
        model,
        ago(run.queued_at),
    )


def render_head(task: Task, run: Run | None) -> SafeString:
    """Return the status strip above the message box: what the run is doing, and the possible verbs."""
    host = task.workspace.host
    link_lost = bool(run and run.is_active and host.link == Host.Link.DOWN)
    context = {
        "task": task,
        "run": run,
        "host": host,
        "link_lost": link_lost,
        "shown": run_badge(run, link_lost=link_lost) if run else None,
        "verbs": possible(task, run, HEAD_VERBS),
        "tokens": total_tokens(run),
        "kinds_of_tokens": kinds_of_tokens(run) if run else "",
        "warning": "" if run and run.is_active else model_warning(task),
        "attach": commands(task, run).get("attach", ""),
    }
    return SafeString(render_to_string("tasks/_head.html", context))


def kinds_of_tokens(run: Run) -> str:
    return (
        f"Input {run.input_tokens} · cache read {run.cache_read_tokens}"
        f" · cache write {run.cache_write_tokens} · output {run.output_tokens}"
    )


def model_warning(task: Task) -> str:
    """Return a warning if the host does not list the model of the next run; empty if it does."""
    offer = catalog_queries.lists_of(task.workspace).get(task.backend)
    return catalog_queries.warning(offer, task.model, task.reasoning_effort)


def total_tokens(run: Run | None) -> int:
    """Return all tokens of the run, including cached ones."""
    if run is None:
        return 0
    return run.input_tokens + run.output_tokens + run.cache_read_tokens + run.cache_write_tokens
