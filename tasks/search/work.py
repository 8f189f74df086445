"""Indexes what tasks have changed, by the diffs of their branches: also what commands and users wrote.

It is done once after each run, by a worker. A row says what is due until it is done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from django.db import transaction

from aitask.lib import leases
from aitask.lib.errors import Refused
from tasks.models import Run, Task, UnindexedWork
from tasks.review.comparisons import view_of
from tasks.search import services
from workspaces.git.diffs import changed_files, file_text, whole_patch
from workspaces.git.generated import HandMade
from workspaces.hosts import HostError

MOST_FILES, MOST_READ, MOST_CHARACTERS = 200, 1 << 20, 128_000
"Files of a diff that are indexed, bytes that are read of it, and characters of its lines that are indexed."
AGAIN = timedelta(minutes=5)
"Until a host is asked again that could not be reached."
AT_ONCE = 10
"Jobs that each round of the follower enqueues."
OBJECTS = re.compile(r"^index ([0-9a-f]{40,64})\.\.([0-9a-f]{40,64})", re.MULTILINE)


def note_end(run: Run) -> None:
    """Let a worker index the branch of a run that has ended, after the transaction that ends it."""
    if run.commit:
        row, _ = UnindexedWork.objects.update_or_create(task_id=run.task_id, defaults={"commit": run.commit})
        leases.enqueue_once(UnindexedWork.objects.filter(pk=row.pk), index, row.pk)


def repair() -> None:
    """Enqueue jobs that were lost or whose host was away. Called in each round of the follower."""
    due = UnindexedWork.objects.filter(leases.unleased())
    for pk in due.order_by("-pk").values_list("pk", flat=True)[:AT_ONCE]:
        leases.enqueue_once(UnindexedWork.objects.filter(pk=pk), index, pk)


def index(pk: int) -> None:
    """Index the diff of a task, and remove the row unless another run has ended meanwhile."""
    rows = UnindexedWork.objects.filter(pk=pk)
    with leases.held(rows) as taken:
        row = rows.select_related("task__workspace").first() if taken else None
        if row is None:
            return
        is_away = _is_host_away(row)
    if is_away:
        leases.pause(UnindexedWork.objects.filter(task__workspace=row.task.workspace_id), AGAIN)


def _is_host_away(row: UnindexedWork) -> bool:
    """Index the task and remove the row, or return that it has to be tried again."""
    changes = None
    try:
        changes = list(changes_of(row.task))
    except HostError as error:
        if error.retryable:
            return True
    except Refused:
        pass  # there is no branch any more: what is known of it stays
    with transaction.atomic():
        if changes is not None:
            services.index_work(row.task, changes)
        UnindexedWork.objects.filter(pk=row.pk, commit=row.commit).delete()
    return False


def changes_of(task: Task) -> Iterator[tuple[str, str]]:
    """Yield the path and the changed lines of each file of the task's diff, as far as they are indexed.

    Of files that nobody writes by hand, only the path is. Raises Refused, HostError and GitError.
    """
    view = view_of(task)
    host, diff = view.site.host, view.range("base")
    files = changed_files(host, diff)[:MOST_FILES]
    hand_made = HandMade(file_text(host, diff, ".gitattributes") or "") if files else HandMade()
    written = [file for file in files if file.additions is not None and not hand_made.why_not(file.path)]
    names = list(dict.fromkeys(path for file in written for path in (file.old_path, file.path)))
    lines = _lines_of(whole_patch(host, diff, names, most=MOST_READ)) if names else {}
    left = MOST_CHARACTERS
    for file in files:
        found = lines.get((file.old_object, file.new_object), "")[:left] if file in written else ""
        left -= len(found)
        yield file.path, found


def _lines_of(patch: str) -> dict[tuple[str, str], str]:
    """Return the changed lines of each file of a diff without context, by its old and new object.

    Lines of a file begin with a sign, so that none of them looks like the head of a file.
    """
    found: dict[tuple[str, str], str] = {}
    for section in f"\n{patch}".split("\ndiff --git "):
        head, _, hunks = section.partition("\n@@ ")
        if objects := OBJECTS.search(head):
            lines = [line for line in hunks.split("\n")[1:] if line[:1] in ("+", "-")]
            found[objects[1], objects[2]] = "\n".join(lines)
    return found
