"""Overlap checks: trial merges of all open branches of a workspace."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import combinations
from typing import Any

from django.utils import timezone

from aitask.lib import doorbell, leases
from aitask.lib.errors import Refused
from tasks.models import Radar, Run, Task
from tasks.order.predecessors import predecessors_by_task, standing_on
from tasks.repository import Site, site_of
from tasks.trains import outdated, stacked
from workspaces.git import git, overlap
from workspaces.git.automatic import that_run
from workspaces.git.diffs import key_of, path_of, upstream_commit
from workspaces.git.repos import base_names, contains, refs
from workspaces.hostkit.escapes import visible
from workspaces.models import Workspace

AT_ONCE = 2
"Parallel trial merges; few, because agents need the machine as well."
MERGES_OF_A_PROCESS = 32
MAX_FILES = 40
MAX_ADDED = 500
"New files of a branch for which the user's checkout is looked at."
LIVE_INTERVAL = timedelta(seconds=60)
"Interval of checks while runs are live."
REST_INTERVAL = timedelta(minutes=10)
"Interval of checks whether merged branches have got more commits."
Pair = dict[str, Any]


def enqueue_check(workspace_id: int) -> None:
    """Enqueue an overlap check. Cheap if nothing has changed."""
    row, _ = Radar.objects.get_or_create(workspace_id=workspace_id)
    rows = Radar.objects.filter(pk=row.pk)
    rows.update(wanted_at=timezone.now())
    leases.enqueue_once(rows, check_overlaps, row.pk)


def repair() -> None:
    """Enqueue checks whose job was lost, and checks of live branches that are due again."""
    rows = Radar.objects.all()
    leases.end_leases_of_dead_processes(rows)
    for pk in rows.filter(leases.unleased(), wanted_at__isnull=False).values_list("pk", flat=True):
        leases.enqueue_once(rows.filter(pk=pk), check_overlaps, pk)
    recently = timezone.now() - LIVE_INTERVAL
    live = Workspace.objects.filter(tasks__runs__state__in=Run.ACTIVE).exclude(radar__looked_at__gt=recently)
    earlier = timezone.now() - REST_INTERVAL
    merged = outdated.merged_tasks().filter(workspace__radar__looked_at__lt=earlier)
    idle = merged.filter(workspace__radar__wanted_at__isnull=True)
    for pk in set(idle.values_list("workspace", flat=True)):
        enqueue_check(pk)
    for pk in live.exclude(radar__wanted_at__isnull=False).distinct().values_list("pk", flat=True):
        enqueue_check(pk)


def check_overlaps(row_id: int) -> None:
    """Run an overlap check of what has changed since the last one."""
    with leases.held(Radar.objects.filter(pk=row_id)) as taken:
        if not taken:
            return
        row = Radar.objects.select_related("workspace").get(pk=row_id)
        started, wanted = time.monotonic(), row.wanted_at
        try:
            check = OverlapCheck(row)
            voided = outdated.void_outdated_merges(check.site, row.workspace)
            if stacked.move_stacked(check.site, row.workspace) or voided:
                check = OverlapCheck(row)
            values = check.run()
            reason = ""
        except Refused as error:
            values, reason = {}, str(error)
        seconds = round(time.monotonic() - started, 3)
        Radar.objects.filter(pk=row_id).update(
            **values, reason=reason, looked_at=timezone.now(), seconds=seconds
        )
        Radar.objects.filter(pk=row_id, wanted_at=wanted).update(wanted_at=None)
    if values:
        doorbell.ring("board", f"workspace:{row.workspace_id}")


class OverlapCheck:
    """Compares all open branches with each other and with main. Results for unchanged tips are reused."""

    def __init__(self, row: Radar) -> None:
        self.row = row
        self.site: Site = site_of(row.workspace)
        self.tasks = {task.pk: task for task in open_tasks(row.workspace)}
        below = {pk: standing_on(found) for pk, found in predecessors_by_task(self.tasks.values()).items()}
        self.below = {pk: each for pk, each in below.items() if each}
        "Stacked tasks, with the predecessors that they stand on."
        branches = [task.branch for task in self.tasks.values()]
        branches += [each.branch for each in self.below.values()]
        names = [f"refs/heads/{branch}" for branch in branches]
        origin = base_names(self.site.branch)[1]
        host, repo = self.site.host, self.site.place.path
        found = refs(host, repo, self.site.mainline.ref, origin, *names) if names else {}
        self.main = found.get(self.site.mainline.ref, "")
        self.origin = found.get(origin, "")
        tips = {pk: found.get(f"refs/heads/{task.branch}", "") for pk, task in self.tasks.items()}
        self.tips = {pk: tip for pk, tip in tips.items() if tip}
        bases = {pk: found.get(f"refs/heads/{each.branch}", "") for pk, each in self.below.items()}
        self.bases = {pk: base for pk, base in bases.items() if base}
        self.conflicts: dict[tuple[str, str], list[str]] = _known_conflicts(row)
        "The files in which two commits conflict, as they are shown, for those that a check has merged."
        self.live = set(
            Run.objects.filter(task__in=self.tasks, state__in=Run.ACTIVE).values_list("task", flat=True)
        )

    def run(self) -> dict[str, Any]:
        """Return the row's new values; empty if nothing has changed."""
        same = self.row.main == self.main and self.row.tips == _texts(self.tips)
        if same and not self.live and self.row.looked_at and not self.row.reason:
            with_main = self._in_the_way(self.row.with_main)
            return {"with_main": with_main} if with_main != self.row.with_main else {}
        if not self.main:
            return {"main": "", "tips": {}, "pairs": [], "with_main": {}}
        self.behind_origin = self._is_behind_origin()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            touched = dict(zip(self.tips, pool.map(self._touched, self.tips), strict=True))
            self._try_merges(pool, touched)
            found = pool.map(lambda pk: self._with_main(pk, touched[pk]), self.tips)
            with_main = dict(zip(map(str, self.tips), found, strict=True))
        pairs = [pair for pair in (self._pair(two, touched) for two in self._compared()) if pair]
        return {
            "main": self.main,
            "tips": _texts(self.tips),
            "pairs": pairs,
            "with_main": self._in_the_way(with_main),
        }

    def _in_the_way(self, with_main: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Add to each branch the untracked files of the user's checkout that its new files would replace."""
        added = {path_of(key) for found in with_main.values() for key in found.get("added", [])}
        blocked = self.site.mainline.untracked_at(sorted(added)) if added else []
        return {
            pk: {**found, "blocked": _shown(set(_met(blocked, map(path_of, found.get("added", [])))))}
            for pk, found in with_main.items()
        }

    def _touched(self, pk: int) -> overlap.Touched:
        """Return what a branch changes, including uncommitted files of a live run."""
        host = self.site.host
        found = overlap.touched_by(host, self.site.place.path, self._base(pk), self.tips[pk])
        if pk in self.live and self.tasks[pk].worktree_path:
            found.paths.update(overlap.uncommitted_paths(host, self.tasks[pk].worktree_path))
        return found

    def _base(self, pk: int) -> str:
        """Return what a branch is compared with: main, or the branch of the predecessor that it stands on."""
        return self.bases.get(pk, self.main)

    def _compared(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs of branches to compare: all but those of which one stands on the other."""
        on = {pk: each.number for pk, each in self.below.items()}
        for left, right in combinations(self.tips, 2):
            if on.get(left) != right and on.get(right) != left:
                yield left, right

    def _try_merges(self, pool: ThreadPoolExecutor, touched: dict[int, overlap.Touched]) -> None:
        """Find the conflicts of all commits that may have some and that no earlier check has merged."""
        commits = {(self._base(pk), tip): None for pk, tip in self.tips.items()}
        for left, right in self._compared():
            if touched[left].meets(touched[right]):
                commits[self.tips[left], self.tips[right]] = None
        unknown = [pair for pair in commits if pair not in self.conflicts]
        host, repo = self.site.host, self.site.place.path
        starts = range(0, len(unknown), MERGES_OF_A_PROCESS)
        parts = [unknown[start : start + MERGES_OF_A_PROCESS] for start in starts]
        results = pool.map(lambda part: overlap.conflicts_of_each(host, repo, part), parts)
        for part, result in zip(parts, results, strict=True):
            self.conflicts.update(zip(part, map(_shown, result), strict=True))

    def _pair(self, pair: tuple[int, int], touched: dict[int, overlap.Touched]) -> Pair | None:
        left, right = pair
        files = overlap.shared(touched[left].paths, touched[right].paths)
        tips = (self.tips[left], self.tips[right])
        conflicts = self.conflicts.get(tips, [])
        if not files and not conflicts:
            return None
        return {
            "left": left,
            "right": right,
            "left_tip": tips[0],
            "right_tip": tips[1],
            "files": [visible(path) for path in files[:MAX_FILES]],
            "conflicts": conflicts,
        }

    def _is_behind_origin(self) -> bool:
        """Return whether origin's base branch has commits that main lacks, as far as they were fetched."""
        host, repo = self.site.host, self.site.place.path
        return bool(self.origin) and not contains(host, repo, self.main, self.origin)

    def _upstream(self, pk: int) -> int:
        """Return the number of commits of origin's base branch that the branch has and main lacks."""
        if not self.behind_origin:
            return 0
        host, repo = self.site.host, self.site.place.path
        commit = upstream_commit(host, repo, self.site.branch, self.main, self.tips[pk])
        if not commit:
            return 0
        return int(git(host, repo, "rev-list", "--count", commit, f"^{self.main}", "--").out)

    def _with_main(self, pk: int, touched: overlap.Touched) -> dict[str, Any]:
        """Return the conflicts of a branch with main, and what it changes that tools run by themselves."""
        runs = _shown(that_run(touched.paths, self.row.workspace.commands))
        more = {
            "upstream": self._upstream(pk),
            "runs": runs,
            "added": [key_of(path) for path in sorted(touched.created)[:MAX_ADDED]],
        }
        base, tip = self._base(pk), self.tips[pk]
        return {"tip": tip, "main": base, "conflicts": self.conflicts[base, tip], **more}


def _known_conflicts(row: Radar) -> dict[tuple[str, str], list[str]]:
    """Return the conflicts that the last check found, by the two commits."""
    found = {(pair["left_tip"], pair["right_tip"]): pair["conflicts"] for pair in row.pairs}
    with_main = [each for each in row.with_main.values() if "conflicts" in each]
    return {**found, **{(each["main"], each["tip"]): each["conflicts"] for each in with_main}}


def _shown(paths: Iterable[str]) -> list[str]:
    """Return the first paths as they are shown."""
    return [visible(path) for path in sorted(paths)[:MAX_FILES]]


def _met(files: Sequence[str], added: Iterable[str]) -> Iterator[str]:
    """Yield the files that have one of the added paths, or whose place is a parent or a child of it."""
    for path in added:
        yield from (each for each in files if f"{path}/".startswith(f"{each.rstrip('/')}/"))
        yield from (each for each in files if each.startswith(f"{path}/"))


def open_tasks(workspace: Workspace) -> list[Task]:
    """Return the tasks that are not done and have a branch to merge."""
    tasks = Task.objects.filter(workspace=workspace).exclude(status=Task.Status.DONE).exclude(branch="")
    return list(tasks.exclude(kind=Task.Kind.PLAN).order_by("pk"))


def proposed_order(workspace: Workspace, tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks in the order with the fewest conflicts; those that conflict with main come last."""
    row = Radar.objects.filter(workspace=workspace).first()
    if row is None:
        return list(tasks)
    pairs = {frozenset((pair["left"], pair["right"])) for pair in row.pairs if pair["conflicts"]}
    ranked = sorted(tasks, key=lambda task: bool(row.with_main.get(str(task.pk), {}).get("conflicts")))
    order = overlap.order_with_fewest_conflicts([task.pk for task in ranked], pairs)
    known = {task.pk: task for task in tasks}
    return [known[pk] for pk in order]


def _texts(tips: dict[int, str]) -> dict[str, str]:
    """Return the tips with keys as JSON has them."""
    return {str(pk): tip for pk, tip in tips.items()}
