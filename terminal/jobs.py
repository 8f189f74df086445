"""The job of saved terminals: what they show can be found by the search."""

from __future__ import annotations

import re

from aitask.lib.queue import enqueue
from tasks.models import Task
from tasks.search import services as search
from terminal import services
from terminal.places import Place
from workspaces.hosts import HostError

MOST_READ = 1 << 20
"Bytes of the newest saved output."
ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)?|[ -/]*[0-~])"
    r"|[\x00-\x08\x0b-\x1f\x7f]"
)
"Of terminals: colours, movements of the cursor, titles; and control characters except tabs and line feeds."


def index_soon(task: Task | None) -> None:
    """Let a worker index what is saved of a task's terminal. Of workspaces' shells nothing is indexed."""
    if task is not None:
        enqueue(index_saved, task.pk)


def index_saved(task_id: int) -> None:
    """Index what is saved of a task's terminal. Does nothing if its host can't be reached."""
    task = Task.objects.filter(pk=task_id).select_related("workspace").first()
    if task is None:
        return
    try:
        text = services.saved_text(Place.of_task(task), MOST_READ)
    except HostError:
        return  # it is read again when somebody leaves the terminal the next time
    if text:
        search.index_terminal(task, plain(text))


def plain(text: str) -> str:
    """Return the output of a terminal as text."""
    return ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
