"""What trains and the radar cost, mostly in a repository of 20,000 files; the figures are printed."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from aitask.tests.lab.repos import git
from tasks.models import Radar, Task, Verdict
from tasks.review import queries
from tasks.tests.review.branches import CHECK, make_tasks, small_repo, twenty, workspace_of
from tasks.tests.review.riding import merge, states
from tasks.trains import overlap
from workspaces.tests.merging.repos import changed, first_parent_subjects

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.alone]
FILES = 20_000
DIRTY = "part000/file00199.txt"
AIM, BUSY_AIM = 1.3, 2.0
"Times by hand, on a quiet machine, and on one that is busy with other things."
MAX_PROCESSES = 5
"git processes for each merge, their children (gc) included."
BY_HAND = """
for branch in "$@"; do
  if git merge --no-ff -m "Merge $branch" "$branch" >/dev/null 2>&1; then
    sh -c "$CHECK" || git reset -q --hard ORIG_HEAD
  else
    git merge --abort
  fi
done
"""


class Race:
    """The same branches merged by a train and by hand in a clone, each time from the same start."""

    def __init__(self, folder: Path, check: str, count: int, files: int) -> None:
        self.history = small_repo(folder / "repo", files)
        self.repo = self.history.repo
        self.clone = folder / "by hand"
        self.check = check
        self.workspace = workspace_of(self.repo, check_command=check)
        self.tasks = make_tasks(self.workspace, self.history, twenty(4, 2 if check else 0, count))
        self.good = sum("good" in branch for branch in self.tasks)
        self.start = git(self.repo, "rev-parse", "main")
        git(folder, "clone", "-q", "repo", "by hand")
        for name, value in (("user.name", "Ada"), ("user.email", "ada@lab.invalid")):
            git(self.clone, "config", name, value)
        (self.repo / DIRTY).write_text("a person was at it\n")

    def by_train(self) -> float:
        """Seconds of a train from its start to its end."""
        git(self.repo, "reset", "-q", "--keep", self.start)
        Verdict.objects.all().delete()
        Task.objects.update(status=Task.Status.REVIEW)
        began = time.monotonic()
        train = merge(self.workspace, self.tasks.values())
        seconds = time.monotonic() - began
        assert states(train).count("merged") == self.good
        return seconds

    def by_hand(self) -> float:
        """Seconds that the same merges take when somebody types them."""
        git(self.clone, "reset", "-q", "--hard", self.start)
        refs = [f"origin/{branch}" for branch in self.tasks]
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "CHECK": self.check or "true"}
        began = time.monotonic()
        subprocess.run(["sh", "-c", BY_HAND, "sh", *refs], cwd=self.clone, env=environment, check=True)
        seconds = time.monotonic() - began
        assert len(first_parent_subjects(self.clone, self.start)) == self.good
        return seconds


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("check", "count", "repetitions", "files"),
    [("", 20, 2, FILES), (f"sleep 1; {CHECK}", 5, 1, 1000)],
    ids=["without a check", "with a check"],
)
def test_a_train_costs_little_more_than_the_same_merges_by_hand(
    home: Path, tmp_path: Path, check: str, count: int, repetitions: int, files: int
) -> None:
    race = Race(tmp_path, check, count, files)
    merge(
        race.workspace, list(race.tasks.values())[:1], dry_run=True
    )  # the merge worktree is there from now on
    ratios = []
    for _ in range(repetitions):
        hand, train = race.by_hand(), race.by_train()
        ratios.append(train / hand)
        print(
            f"{len(race.tasks)} branches: train {train:.2f} s, by hand {hand:.2f} s, {train / hand:.2f} times"
        )
    load = os.getloadavg()[0]
    print(f"median {statistics.median(ratios):.2f} times, load {load:.1f}")
    assert git(race.repo, "fsck", "--no-dangling") == ""
    assert (race.repo / DIRTY).read_text() == "a person was at it\n"
    assert statistics.median(ratios) < (AIM if load < os.cpu_count() else BUSY_AIM)  # type: ignore[operator]


def test_a_train_starts_few_git_processes(home: Path, tmp_path: Path) -> None:
    """What does not depend on how busy the machine is."""
    traces = tmp_path / "traces"
    history = small_repo(tmp_path / "repo")
    workspace = workspace_of(history.repo)
    few, many = (
        make_tasks(workspace, history, [(f"{name}-{n}", changed(n + at, 3, "x")) for n in range(count)])
        for name, at, count in (("few", 0, 2), ("many", 10, 12))
    )
    merge(workspace, few.values(), dry_run=True)
    traces.mkdir()
    (home / ".gitconfig").write_text(f"[trace2]\n\teventTarget = {traces}\n")
    counts: list[int] = []
    for tasks in (few, many):
        assert set(states(merge(workspace, tasks.values()))) == {"merged"}
        counts.append(len(list(traces.iterdir())) - sum(counts))
    each = (counts[1] - counts[0]) / (len(many) - len(few))
    print(
        f"git processes: {counts[0]} for {len(few)} merges, {counts[1]} for {len(many)}, {each:.1f} for each"
    )
    assert counts[0] > len(few)
    assert each <= MAX_PROCESSES


@pytest.mark.timeout(600)
def test_the_radar_sees_forty_branches_in_time_and_looks_at_nothing_twice(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "repo", FILES)
    workspace = workspace_of(history.repo)
    branches = [
        (
            f"b-{number}",
            {**changed(number // 4, 3, f"by {number}"), **changed(7000, 2 + number % 9, "x")},
        )
        for number in range(40)
    ]
    tasks = make_tasks(workspace, history, branches)
    overlap.enqueue_check(workspace.pk)
    row = Radar.objects.get()

    began = time.monotonic()
    overlap.check_overlaps(row.pk)
    first = time.monotonic() - began
    began = time.monotonic()
    overlap.check_overlaps(row.pk)
    second = time.monotonic() - began

    row.refresh_from_db()
    print(f"radar: {len(row.pairs)} pairs of 780, first look {first:.2f} s, second {second:.3f} s")
    assert not row.reason
    assert first < 30
    assert second < first / 5
    worst = queries.overlaps(tasks.values())[tasks["b-0"].pk][0]
    assert worst.task in {tasks[f"b-{number}"].pk for number in (1, 2, 3)}
    assert "part000/file00000.txt" in worst.conflicts
