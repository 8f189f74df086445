"""A document of twelve points on its way to `main`, while processes of the app are killed.

`python -m tasks.tests.e2e.plan_to_main --kills 50 --seed 7` does it until so many kills have fallen within
it, each time in a repository of its own, and prints what was seen as JSON. The end is the same with and
without kills: see `PlanToMain.wrong`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sqlite3
import sys
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

from aitask.tests.lab.client import ApiError
from aitask.tests.lab.repos import git, make_repo
from tasks.tests.e2e.killer import Killer
from tasks.tests.e2e.world import BACKENDS, World, tokens_of
from tasks.tests.planning.document import AFTER, DOCUMENT, TITLES

Json = dict[str, Any]
LOWER, UPPER = 0, 5
"Places of the stacked pair: “6. Clean up” starts from the branch of “1. A store”."
RIVALS = (3, 6)
"Places of the two tasks that add the same file with other words."
RESOLVE = "and left the conflict markers in these files"
"Words of the prompt for resolving a conflict."
SETTLED = "@bash printf 'four\\nseven\\n' > limits.txt && git add limits.txt && git commit -q --no-edit"
CHECK = """\
git rev-parse HEAD >> "$CHECKED"
test -f README.md || exit
! grep -q '<<<<' limits.txt 2> /dev/null || exit 1
needs() { test ! -f "work/$1" || test -f "work/$2"; }
"""
UNANSWERED = (urllib.error.URLError, OSError)
PATIENCE = 480.0
"Seconds for one plan."


def script_of(place: int) -> str:
    """Return what the scripted model does for a point. It shows if that is done twice."""
    name = f"work/{place:02}"
    steps = [f"@bash mkdir -p work; echo one >> {name}; sleep 0.3"]
    if place == LOWER:
        steps.append("@bash git add -A && git commit -q -m 'First half'")
    if place in RIVALS:
        steps.append(f"@bash echo {'four' if place == RIVALS[0] else 'seven'} > limits.txt")
    return "\n".join([*steps, f"@bash echo two >> {name}; sleep 0.2", "@text It is done."])


def scripted_document() -> str:
    """Return the document with a script in each point."""
    lines = []
    heads = iter(range(len(TITLES)))
    for line in DOCUMENT.splitlines():
        lines.append(line)
        if line.startswith("## "):
            lines += ["", script_of(next(heads)), ""]
    return "\n".join(lines)


class PlanToMain:
    """One plan in a workspace of its own. `work` does what a person does, until all is merged."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.api = world, world.api
        self.repo = make_repo(world.app.folder / name)
        self.checked = world.app.folder / f"{name}-checked"
        self.checked.touch()
        self.first = git(self.repo, "rev-parse", "main")
        self.workspace: int = world.add_workspace(
            name,
            self.repo,
            environment={**world.shared_environment, "CHECKED": str(self.checked)},
            check_command=CHECK + "".join(f"needs {pair} &&\n" for pair in self._pairs()) + "true",
            permission_mode="full",
            max_parallel_runs=12,
        )["id"]
        self.tasks: list[int] = []
        self.conflicts: dict[int, int] = {}
        "Task with a conflict → number of its runs before an agent resolved it."
        self.squashed = ""
        self.surprises: list[str] = []
        self._seen_trains: set[int] = set()

    @staticmethod
    def _pairs() -> Iterator[str]:
        for place, before in enumerate(AFTER):
            yield from (f"{place:02} {each:02}" for each in before)

    # what a person does

    def paste(self) -> None:
        """Create the tasks of the document."""
        body = {"text": scripted_document()}
        items = self.api.post(f"/api/workspaces/{self.workspace}/split", body)
        for place, item in enumerate(items):
            item["backend"] = BACKENDS[place % 2]
            item["after_until"] = "finished" if place == UPPER else "merged"
        made = self.api.post(f"/api/workspaces/{self.workspace}/tasks", items)
        self.tasks = [task["id"] for task in made]

    def work(self) -> None:
        """Start all tasks together; review, squash, merge and resolve until every one is done.

        Raises AssertionError if that does not come, or something else happens.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(*UNANSWERED):
                found = {each["id"]: each for each in self.api.get(f"/api/tasks?workspace={self.workspace}")}
                if all(found[pk]["status"] == "done" for pk in self.tasks):
                    return
                self._look_at(found)
            assert time.monotonic() < deadline, self.state()
            assert not self.surprises, (self.surprises, self.state())
            time.sleep(0.2)

    def _look_at(self, tasks: dict[int, Json]) -> None:
        if never_started := [pk for pk in self.tasks if not tasks[pk]["runs"]]:
            self.api.post("/api/tasks/many", {"verb": "run", "tasks": never_started})
            return
        trains = self._query("select id, state from tasks_mergetrain where workspace_id = ?", self.workspace)
        self._read_ended([pk for pk, state in trains if state not in ("queued", "running")])
        in_review = [
            pk for pk in self.tasks if tasks[pk]["status"] == "review" and self._succeeded(tasks[pk])
        ]
        self._squash_lower(tasks, in_review)
        for pk in [pk for pk in in_review if pk in self.conflicts]:
            self._resolve(tasks[pk])
        ready = [pk for pk in in_review if pk not in self.conflicts and self._may_be_merged(pk, tasks)]
        if any(state in ("queued", "running") for _, state in trains) or not ready:
            return
        for pk in ready:
            self._try(f"/api/tasks/{pk}/accept")
        body = {"tasks": self._accepted(ready), "strategy": "squash"}
        if body["tasks"]:
            self._try(f"/api/workspaces/{self.workspace}/merge", body)

    def _accepted(self, tasks: list[int]) -> list[int]:
        """Return those that are accepted; the upper one of the pair only with, or after, the lower one.

        The upper one may have been moved just after the lower one was looked at.
        """
        kinds = dict(
            self._query("select task_id, kind from tasks_verdict where kind in ('accepted', 'merged')")
        )
        found = [pk for pk in tasks if kinds.get(pk) == "accepted"]
        return found if self.tasks[LOWER] in kinds else [pk for pk in found if pk != self.tasks[UPPER]]

    def _succeeded(self, task: Json) -> bool:
        run = self.api.run(task["runs"][-1])
        if run["state"] in ("failed", "lost", "cancelled"):
            self.surprises.append(f"run of {task['title']}: {run['state']}: {run['reason']}")
        return bool(run["state"] == "succeeded")

    def _may_be_merged(self, pk: int, tasks: dict[int, Json]) -> bool:
        """Whether the person lets it go on: the stacked pair only when the upper one stands on the squash."""
        if pk not in (self.tasks[LOWER], self.tasks[UPPER]):
            return True
        branch = tasks[self.tasks[UPPER]]["branch"]
        return bool(self.squashed) and self._contains(branch, self.squashed)

    def _contains(self, branch: str, commit: str) -> bool:
        return commit in git(self.repo, "rev-list", branch).split()

    def _squash_lower(self, tasks: dict[int, Json], in_review: list[int]) -> None:
        """Squash the branch below when both of the pair are finished, as a person does in its worktree."""
        if self.squashed or not {self.tasks[LOWER], self.tasks[UPPER]} <= set(in_review):
            return
        lower = tasks[self.tasks[LOWER]]
        tree = Path(lower["worktree_path"])
        assert len(git(tree, "rev-list", f"{self.first}..HEAD").split()) == 2
        assert self._contains(tasks[self.tasks[UPPER]]["branch"], git(tree, "rev-parse", "HEAD"))
        git(tree, "reset", "-q", "--soft", self.first)
        git(tree, "commit", "-q", "-m", "Both halves")
        self.squashed = git(tree, "rev-parse", "HEAD")

    def _read_ended(self, trains: list[int]) -> None:
        for train in sorted(set(trains) - self._seen_trains):
            found = self.api.get(f"/api/merge-trains/{train}")
            if found["state"] != "finished":
                self.surprises.append(f"train {train} is {found['state']}: {found['reason']}")
            for step in found["steps"]:
                if step["state"] == "conflict":
                    runs = self.api.get(f"/api/tasks/{step['task']}")["runs"]
                    self.conflicts[step["task"]] = len(runs)
                elif step["state"] not in ("merged", "already"):
                    self.surprises.append(f"step {step['title']} is {step['state']}: {step['reason']}")
            self._seen_trains.add(train)

    def _resolve(self, task: Json) -> None:
        """Let an agent resolve the conflict; when it has, accept that."""
        verb = "resolve" if len(task["runs"]) == self.conflicts[task["id"]] else "resolved"
        self._try(f"/api/tasks/{task['id']}/{verb}")

    def _try(self, path: str, body: Json | None = None) -> None:
        """Do what may be refused because it was done already, or can't be done yet."""
        try:
            self.api.post(path, body)
        except ApiError as error:
            if error.status not in (409, 503):  # 503: the link to the host was lost
                self.surprises.append(str(error))

    # what must be true at the end

    def wrong(self) -> list[str]:
        """Return what is not as it must be, as sentences."""
        return [*self._wrong_history(), *self._wrong_content(), *self._wrong_runs()]

    def _wrong_history(self) -> Iterator[str]:
        log = git(self.repo, "log", "--first-parent", "--reverse", "--format=%H %P|%s", f"{self.first}..main")
        commits = [line.partition("|") for line in log.splitlines()]
        merged = [subject for _, _, subject in commits]
        names = [f"{title} (task {pk})" for title, pk in zip(TITLES, self.tasks, strict=True)]
        if sorted(merged) != sorted(names):
            yield f"main has {merged}"
            return
        places = [merged.index(name) for name in names]
        for place, before in enumerate(AFTER):
            if any(places[each] > places[place] for each in before):
                yield f"{names[place]} was merged too early: {merged}"
        if any(len(hashes.split()) != 2 for hashes, _, _ in commits):
            yield "a commit of main has not one parent"
        unchecked = {hashes.split()[0] for hashes, _, _ in commits} - set(self.checked.read_text().split())
        if unchecked:
            yield f"{len(unchecked)} commits of main were not checked"
        if broken := git(self.repo, "fsck", "--full", "--no-dangling", "--no-progress"):
            yield f"git fsck: {broken}"

    def _wrong_content(self) -> Iterator[str]:
        for place in range(len(TITLES)):
            if (text := git(self.repo, "show", f"main:work/{place:02}")) != "one\ntwo":
                yield f"work/{place:02} is {text!r}"
        if (text := git(self.repo, "show", "main:limits.txt")) != "four\nseven":
            yield f"limits.txt is {text!r}"
        names = git(self.repo, "ls-tree", "-r", "--name-only", "main").split()
        if len(names) != len(TITLES) + 3:
            yield f"main has the files {names}"
        if dirty := git(self.repo, "status", "--porcelain"):
            yield f"the checkout has changes: {dirty}"

    def _wrong_runs(self) -> Iterator[str]:
        if len(self.conflicts) != 1:
            yield f"{len(self.conflicts)} tasks had a conflict"
        for pk in self.tasks:
            task = self.api.get(f"/api/tasks/{pk}")
            if len(task["runs"]) != (2 if pk in self.conflicts else 1):
                yield f"{task['title']} has {len(task['runs'])} runs"
            yield from (f"{task['title']}: {why}" for why in self._wrong_runs_of(task))
        verdicts = "select kind, count(*) from tasks_verdict where task_id in (select id from tasks_task"
        found = self._query(f"{verdicts} where workspace_id = ?) group by kind", self.workspace)
        if found != [("merged", len(TITLES))]:
            yield f"the verdicts are {found}"

    def _wrong_runs_of(self, task: Json) -> Iterator[str]:
        runs = [self.api.run(pk) for pk in task["runs"]]
        for run in runs:
            if run["state"] != "succeeded":
                yield f"run {run['number']} is {run['state']}: {run['reason']}"
            events = self.world.events(run)
            if [event["seq"] for event in events] != list(range(1, len(events) + 1)):
                yield f"the events of run {run['number']} have a gap"
        if len({run["cli_session"] for run in runs}) != 1:
            yield "it was worked on in several sessions"
        counted = sum((Counter(vars(tokens_of(run))) for run in runs), Counter())
        if counted != Counter(vars(self.world.billed(runs[0]))):
            yield f"counted {counted}, billed {self.world.billed(runs[0])}"

    def state(self) -> str:
        rows = self.api.get(f"/api/tasks?workspace={self.workspace}")
        tasks = [f"{row['id']} {row['status']} {row['badge']}" for row in rows]
        trains = self._query("select id, state, reason from tasks_mergetrain")
        return json.dumps({"tasks": tasks, "trains": trains, "conflicts": self.conflicts})

    def _query(self, sql: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.world.app.data / "db.sqlite3", timeout=30)) as database:
            return database.execute(sql, values).fetchall()


def run(world: World, kills: int, seed: int = 0, pause: float = 2.0) -> Json:
    """Bring plans to main until so many kills have happened; none means one plan without kills.

    Between two kills are `pause` seconds on average. Returns what was seen of each plan.
    """
    dice, made = random.Random(seed), Counter[str]()
    rounds: list[Json] = []
    world.endpoint.scripts[RESOLVE] = SETTLED
    while not rounds or made.total() < kills:
        began = time.monotonic()
        plan = PlanToMain(world, f"plan-{uuid4().hex[:8]}")
        plan.paste()
        with Killer(world, dice, pause, kills - made.total()) as killer:
            plan.work()
        world.app.wait_until_it_answers()
        made += killer.made
        seconds = round(time.monotonic() - began, 1)
        rounds.append({"seconds": seconds, "kills": killer.made.total(), "wrong": plan.wrong()})
        print(json.dumps(rounds[-1]), file=sys.stderr, flush=True)
        assert made.total() or not kills, "no kill fell within the plan"
    del world.endpoint.scripts[RESOLVE]
    return {"seed": seed, "kills": made.total(), "by_kind": dict(made), "rounds": rounds}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--pause", type=float, default=2.0, help="mean seconds between two kills")
    given = parser.parse_args()
    with World() as world:
        found = run(world, given.kills, given.seed, given.pause)
    print(json.dumps(found, indent=1))
    return 1 if any(each["wrong"] for each in found["rounds"]) else 0


if __name__ == "__main__":
    sys.exit(main())
