"""Twenty branches by one train: main gets exactly the good ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitask.tests.lab.repos import ODD_NAME, git
from tasks.models import Task
from tasks.tests.review.branches import CHECK, make_tasks, small_repo, twenty, workspace_of
from tasks.tests.review.riding import merge, states
from workspaces.tests.merging.repos import first_parent_subjects

pytestmark = pytest.mark.django_db


def test_exactly_the_good_ones_reach_main(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / ODD_NAME)
    repo, before = history.repo, git(history.repo, "rev-parse", "main")
    workspace = workspace_of(repo, check_command=CHECK)
    tasks = make_tasks(workspace, history, twenty())
    (repo / "part000/file00049.txt").write_text("a person was at it\n")

    train = merge(workspace, tasks.values())

    assert train.state == "finished", train.reason
    expected = ["merged" if "good" in b else "conflict" if "conflict" in b else "check_failed" for b in tasks]
    assert states(train) == expected
    good = [task for branch, task in tasks.items() if "good" in branch]
    assert len(good) == 14
    assert first_parent_subjects(repo, before) == [f"{task.title} (task {task.pk})" for task in good]
    assert git(repo, "fsck", "--no-dangling") == ""
    assert (repo / "part000/file00049.txt").read_text() == "a person was at it\n"
    assert git(repo, "status", "--porcelain", "-uno").split() == ["M", "part000/file00049.txt"]
    done = Task.objects.filter(status="done")
    assert set(done) == set(good)
