"""Plan runs: an agent reads the workspace and proposes tasks.

A plan is a task of its own, of kind `plan`: so it has a card, a conversation in which it is talked over, a
place in the queue, and its tokens in the usage like every other. Its runs read in a worktree of their own,
which stays as it was; nothing of it can be merged.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from aitask.lib.errors import Refused
from tasks import services
from tasks.models import Run, Task
from tasks.planning.order import MOST_PLANNED
from tasks.planning.titles import title_of
from tasks.runs import services as run_services
from workspaces import clis
from workspaces.models import Workspace

MAX_TEXT = 200_000
"Characters of the longest text that an agent plans."
PROMPT = """\
Plan work in this repository. Read what you need, change nothing.

Turn the text below into tasks for coding agents that work side by side, each alone in its own git worktree.
Their branches are merged one after another.

- Each task is small enough for one agent and one review, and leaves the project working.
- Each prompt stands alone: its agent sees neither this text nor the other prompts. Name files and
  functions that you have found, and what must not change.
- `after` has the indexes, from 0, of tasks that must be merged before this one starts. Name only those that
  it really needs. Tasks that would change the same lines come after each other.
- Leave out what is done already. Propose at most {most} tasks.

The text:

{text}
"""


def planners() -> list[str]:
    """Return the names of the CLIs that can plan."""
    return [cli.name for cli in clis.every() if cli.has_plan_runs]


def start_plan(
    *,
    workspace: Workspace,
    user: AbstractBaseUser,
    text: str,
    backend: str,
    model: str = "",
    reasoning_effort: str = "",
    attachments: Iterable[int] = (),
) -> Run:
    """Queue a plan run for a document or a wish, with the ids of files. Raises Refused."""
    text = text.strip()
    if not text:
        raise Refused("The text is empty.", "Write what should be planned.")
    if len(text) > MAX_TEXT:
        reason = f"The text has {len(text):,} characters. An agent plans at most {MAX_TEXT:,}."
        raise Refused(reason, "Commit it to the repository, and name the file.")
    if backend not in planners():
        names = " or ".join(clis.label_of(name) for name in planners())
        raise Refused(f"{clis.label_of(backend)} can't plan.", f"Choose {names}.")
    with transaction.atomic():
        fields = services.TaskFields(
            kind=Task.Kind.PLAN,
            title=f"Plan: {title_of(text)}",
            prompt=PROMPT.format(most=min(MOST_PLANNED, 50), text=text),
            backend=backend,
            model=model,
            reasoning_effort=reasoning_effort,
            as_chosen=True,
        )
        task = services.create_task(workspace, user, fields)
        services.give_files(task, (), attachments, user)
        return run_services.queue_run(task, user=user)
