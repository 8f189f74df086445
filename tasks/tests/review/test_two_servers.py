"""Workers of several servers on one database: one train per repository at a time, whoever carries it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitask.tests.installation import ROOT, Installation
from aitask.tests.lab.databases import own_databases
from aitask.tests.lab.ready import ready_database
from aitask.tests.lab.repos import git
from aitask.tests.lab.wait import wait_for
from tasks.models import MergeTrain
from tasks.tests.review.branches import make_tasks, small_repo, workspace_of
from tasks.trains import jobs
from tasks.trains import services as trains
from workspaces.tests.merging.repos import changed, first_parent_subjects

# The first mark has CI run it on PostgreSQL too.
pytestmark = [pytest.mark.django_db, pytest.mark.server, pytest.mark.timeout(180)]
PREPARE = """
import json, sys, django
django.setup()
from pathlib import Path
from tasks.trains import services as trains
from tasks.tests.review.branches import make_tasks, small_repo, workspace_of
from workspaces import hosts
from workspaces.tests.merging.repos import changed
repo = Path(sys.argv[1])
history = small_repo(repo)
log = repo.parent / "log"
hold = f'while test -e {repo.parent}/hold; do sleep 0.1; done; sleep 0.1'
check = f'echo begin >>{log}; {hold}; echo end >>{log}'
pks = []
for name in ("first", "second"):
    # two workspaces that show the same repository, each with a train of its own
    workspace = workspace_of(repo, name=name, check_command=check)
    branches = [(f"{name}-{n}", changed(n + (10 if name == "second" else 0), 3, name)) for n in range(4)]
    tasks = make_tasks(workspace, history, branches).values()
    pks.append(trains.start_train(workspace, list(tasks), user=None).pk)
hosts.close_all()
print(json.dumps(pks))
"""
LEASE_ENDS = """
import sys, django
django.setup()
from datetime import timedelta
from django.utils import timezone
from tasks.models import MergeTrain
held = MergeTrain.objects.filter(lease_owner__startswith=sys.argv[1])
print(held.update(lease_until=timezone.now() - timedelta(seconds=1)))
"""


class Servers:
    """One installation, its repository, and workers that take each other for other machines."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.installation = installation
        self.repo = folder / "repo"
        self.log = folder / "log"
        self.hold = folder / "hold"
        self.workers: list[subprocess.Popen[str]] = []
        self.trains: list[int] = json.loads(self._python("-c", PREPARE, str(self.repo)).splitlines()[-1])

    @property
    def environment(self) -> dict[str, str]:
        return {**self.installation.environment, "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}

    def _python(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def start(self, name: str, patience: float = 0.2) -> subprocess.Popen[str]:
        words = ["-m", "tasks.tests.review.two_servers", name, str(patience), *map(str, self.trains)]
        worker = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        self.workers.append(worker)
        return worker

    def let_the_lease_end(self, name: str) -> int:
        """What a minute without a sign of life does."""
        return int(self._python("-c", LEASE_ENDS, name))

    def checks(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.communicate()


@pytest.fixture
def servers(environment: dict[str, str], tmp_path: Path) -> Iterator[Servers]:
    ready = ready_database(os.environ.get("DATABASE_URL", ""))
    with own_databases(ready.name) as settings:
        (tmp_path / "data").mkdir(mode=0o700)
        ready.copy_to(tmp_path / "data")
        installation = Installation(tmp_path / "data", settings)
        servers = Servers(installation, tmp_path)
        yield servers
        servers.close()


def assert_all_merged_in_turns(servers: Servers) -> None:
    assert [worker.wait(90) for worker in servers.workers[-2:]] == [0, 0]
    subjects = first_parent_subjects(servers.repo)[1:]
    assert [subject.split(" (")[0] for subject in subjects] == [
        f"Do {name}-{number}" for name in ("first", "second") for number in range(4)
    ]
    assert git(servers.repo, "fsck", "--no-dangling") == ""
    assert servers.checks() == ["begin", "end"] * 8  # one at a time, and none twice


def test_trains_of_two_servers_take_turns_in_one_repository(servers: Servers) -> None:
    servers.start("red")
    servers.start("blue")
    assert_all_merged_in_turns(servers)


def test_a_worker_that_slept_through_the_end_of_its_lease_touches_nothing_more(
    home: Path, tmp_path: Path
) -> None:
    history = small_repo(tmp_path / "repo")
    log = tmp_path / "log"
    workspace = workspace_of(history.repo, check_command=f"echo checked >>'{log}'")
    tasks = make_tasks(workspace, history, [("one", changed(1, 3, "x"))])
    before = git(history.repo, "rev-parse", "main")
    train = trains.start_train(workspace, list(tasks.values()), user=None)

    def taken_over() -> None:
        MergeTrain.objects.update(lease_owner="other:1")

    jobs.run_train(train.pk, on_change=taken_over)

    assert git(history.repo, "rev-parse", "main") == before
    assert not log.exists()
    train.refresh_from_db()
    assert (train.state, train.lease_owner) == ("running", "other:1")


def test_another_server_goes_on_with_the_train_of_one_that_died(servers: Servers) -> None:
    servers.hold.touch()
    red = servers.start("red", patience=60)
    wait_for(lambda: servers.checks() == ["begin"], 60, "the first check")
    red.kill()
    red.wait()
    servers.hold.unlink()

    assert servers.let_the_lease_end("red") == 1
    servers.start("blue")
    servers.start("green")

    assert_all_merged_in_turns(servers)
