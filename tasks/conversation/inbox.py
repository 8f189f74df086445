"""What the inbox shows: open requests, and runs that have finished or failed."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string

from tasks.conversation import ended, rendering, requests
from tasks.conversation.ended import Tab
from tasks.conversation.last_words import last_words
from tasks.models import Run
from tasks.runs import cli_holds
from workspaces.access import Visitor, visible_workspaces
from workspaces.trials.queries import HeldCli

MOST_SHOWN = 25
"Requests that the inbox shows at once; the others follow as these are answered."

TITLES = {Tab.NEEDS_YOU: "Inbox", Tab.FINISHED: "Finished", Tab.FAILED: "Failed"}
"Titles of the pages."


def tab_called(name: str) -> Tab:
    """Return the part with this name, or the first one."""
    return next((tab for tab in Tab if tab == name), Tab.NEEDS_YOU)


def context_of(user: Visitor, tab: Tab) -> dict[str, Any]:
    """Return what a part of the inbox shows. The number of queries is the same for any number of rows."""
    unseen = ended.unseen(user)
    shown = _requests(user) if tab == Tab.NEEDS_YOU else _runs(user, unseen.of(tab))
    counts = {
        Tab.NEEDS_YOU.value: shown.pop("count"),
        Tab.FINISHED.value: len(unseen.finished),
        Tab.FAILED.value: len(unseen.failed),
    }
    return {"tab": tab.value, "title": TITLES[tab], "counts": counts, "is_cut": unseen.is_cut, **shown}


def _requests(user: Visitor) -> dict[str, Any]:
    asks, held = requests.all_asks(waiting_runs(user)), _held(user)
    groups = requests.groups(asks)
    said = last_words([group.first.run for group in groups[:MOST_SHOWN] if len(group.asks) == 1])
    return {
        "rows": rendering.render_groups(groups[:MOST_SHOWN], user, said),
        "more": sum(len(group.asks) for group in groups[MOST_SHOWN:]),
        "holds": "".join(render_to_string("workspaces/_held_cli.html", {"held": each}) for each in held),
        "count": len([ask for ask in asks if not ask.answered]) + len(held),
    }


def _runs(user: Visitor, runs: list[int]) -> dict[str, Any]:
    shown = ended.rows_of(runs[:MOST_SHOWN])
    return {
        "rows": "".join(render_to_string("tasks/_ended.html", {"row": row}) for row in shown),
        "more": len(runs[MOST_SHOWN:]),
        "holds": "",
        "count": attention_count(user),
    }


def attention_count(user: Visitor) -> int:
    """Return how many open requests and held CLIs wait for a decision."""
    runs = Run.objects.filter(task__workspace__in=visible_workspaces(user), state=Run.State.WAITING)
    return requests.count_open(runs) + len(_held(user))


def waiting_runs(user: Visitor) -> list[Run]:
    """Return the runs with open requests, of all tasks that the user may see."""
    runs = Run.objects.filter(task__workspace__in=visible_workspaces(user), state=Run.State.WAITING)
    of_run = ("backend", "state", "permission_mode", "open_requests", "last_seq")
    of_task = ("task__workspace", "task__title", "task__worktree_path")
    return list(
        runs.select_related("task").prefetch_related("task__workspace").only(*of_run, *of_task).order_by()
    )


def _held(user: Visitor) -> list[HeldCli]:
    return cli_holds.held_clis(list(visible_workspaces(user)))
