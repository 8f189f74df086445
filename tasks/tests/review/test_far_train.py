"""A train on a host behind SSH and a jump host: the same words, the same outcome."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from aitask.tests.lab.repos import git
from aitask.tests.lab.sshd import SshLab
from tasks.tests.review.branches import CHECK, GOOD, make_tasks, small_repo, twenty, workspace_of
from tasks.tests.review.riding import ride, states
from tasks.trains import services as trains
from workspaces import hosts
from workspaces.hosts import registry
from workspaces.tests.merging.repos import first_parent_subjects

pytestmark = [pytest.mark.django_db, pytest.mark.server, pytest.mark.timeout(120)]


@pytest.fixture
def lab(settings: Settings) -> Iterator[SshLab]:
    with SshLab() as lab:
        settings.SSH_CONFIG = str(lab.config)
        yield lab
        hosts.close_all()
        registry._hosts.clear()


def test_a_train_rides_over_ssh_and_over_a_cut_link(lab: SshLab) -> None:
    history = small_repo(lab.account.home / "Grüße repo")
    workspace = workspace_of(history.repo, kind="ssh", ssh_host="cloud", check_command=CHECK)
    before = git(history.repo, "rev-parse", "main")
    tasks = make_tasks(workspace, history, twenty(conflicts=1, failing=1, count=6))
    lab.account.own(history.repo)

    train = trains.start_train(workspace, list(tasks.values()), user=None)
    lab.restart()
    ride(train)

    assert train.state == "finished", train.reason
    assert states(train) == ["merged", "merged", "check_failed", "merged", "conflict", "merged"]
    good = [task for branch, task in tasks.items() if branch.endswith(GOOD)]
    assert first_parent_subjects(history.repo, before) == [f"{task.title} (task {task.pk})" for task in good]
    assert git(history.repo, "log", "-1", "--format=%an", "main") == "Ada Lab"
    assert git(history.repo, "status", "--porcelain") == ""
    assert git(history.repo, "fsck", "--no-dangling") == ""
