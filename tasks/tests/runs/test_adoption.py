"""Runs that a host knows and the database has forgotten are adopted, never doubled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aitask.tests.lab.repos import git
from tasks import services
from tasks.models import RemovedRun, Run, Task
from tasks.repository import site_of
from tasks.review import verdicts
from tasks.runs import adoption, launch
from tasks.tests.factories import make_run, make_task
from tasks.tests.review.branches import small_repo, workspace_of
from tasks.tests.runs_on_host import end_on_host, forget, start_on_host
from workspaces.hostkit import wire
from workspaces.hosts import HostError
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace(home: Path, tmp_path: Path) -> Workspace:
    return workspace_of(small_repo(tmp_path / "shop").repo)


@pytest.fixture
def started(workspace: Workspace) -> tuple[Run, Path]:
    """A run on the host, with its task and worktree."""
    task = make_task(workspace=workspace, title="Größe „A“ → B", prompt="The task's words.")
    run = make_run(task=task, prompt="Round half\nto even 🙂", asked_by=workspace.owner, model="m1")
    return run, start_on_host(run)


def ask(workspace: Workspace) -> None:
    adoption.ask_host(workspace.host.pk)


def test_a_forgotten_run_gets_its_rows_again(workspace: Workspace, started: tuple[Run, Path]) -> None:
    run, folder = started
    forget(run.task)
    ask(workspace)
    again = Run.objects.get()
    for name in ("pk", "mark", "number", "prompt", "backend", "model", "asked_by_id", "permission_mode"):
        assert getattr(again, name) == getattr(run, name), name
    assert (again.state, again.run_dir, again.event_offset) == ("running", str(folder), 0)
    for name in ("pk", "mark", "title", "prompt", "branch", "worktree_path", "base_commit"):
        assert getattr(again.task, name) == getattr(run.task, name), name


def test_it_is_adopted_once(workspace: Workspace, started: tuple[Run, Path]) -> None:
    forget(started[0].task)
    ask(workspace)
    ask(workspace)
    assert (Run.objects.count(), Task.objects.count()) == (1, 1)


def test_a_known_run_is_left_as_it_is(workspace: Workspace, started: tuple[Run, Path]) -> None:
    Run.objects.update(state="failed", reason="as before")
    ask(workspace)
    assert Run.objects.get().reason == "as before"


def test_the_run_of_a_deleted_task_stays_deleted(workspace: Workspace, started: tuple[Run, Path]) -> None:
    Run.objects.update(state="failed")
    services.delete_task(started[0].task)
    assert RemovedRun.objects.count() == 1
    ask(workspace)
    assert not Run.objects.exists()


def test_a_number_that_was_given_again_stays_with_its_new_owner(
    workspace: Workspace, started: tuple[Run, Path]
) -> None:
    run, folder = started
    forget(run.task)
    new = make_task(workspace=workspace, pk=run.task_id, title=run.task.title)
    other = make_run(task=new, pk=run.pk, state="failed")
    assert launch.worktree(new, site_of(workspace)).path != run.task.worktree_path
    assert site_of(workspace).run_dir(other) != str(folder)
    ask(workspace)
    again = Run.objects.exclude(pk=run.pk).get()
    assert (again.mark, again.run_dir, again.task.mark) == (run.mark, str(folder), run.task.mark)
    assert again.task.pk != new.pk
    assert again.task.worktree_path == run.task.worktree_path


def test_the_second_run_of_a_task_waits_for_the_end_of_the_first(
    workspace: Workspace, started: tuple[Run, Path]
) -> None:
    task = started[0].task
    Run.objects.update(state="failed")
    second = make_run(task=task, prompt="Go on.")
    start_on_host(second)
    forget(task)
    ask(workspace)
    assert list(Run.objects.values_list("number", flat=True)) == [1]
    assert workspace.host.asked_for_runs_at is None
    Run.objects.update(state="succeeded")
    ask(workspace)
    assert list(Run.objects.values_list("number", "mark")) == [(1, started[0].mark), (2, second.mark)]
    assert workspace.host.asked_for_runs_at is not None


def test_a_forgotten_run_of_a_known_task_gets_the_next_number_if_its_own_is_taken(
    workspace: Workspace, started: tuple[Run, Path]
) -> None:
    task, mark = started[0].task, started[0].mark
    Run.objects.all()._raw_delete("default")
    make_run(task=task, number=1, state="failed")
    ask(workspace)
    assert Run.objects.get(mark=mark).number == 2


def test_a_run_of_a_task_from_before_the_marks_finds_its_task(workspace: Workspace) -> None:
    task = make_task(workspace=workspace, mark="")
    run = make_run(task=task)
    start_on_host(run)
    Run.objects.all()._raw_delete("default")
    ask(workspace)
    assert Run.objects.get().task_id == task.pk


@pytest.mark.parametrize(
    "changes",
    [
        {"mark": "../../etcx"},
        {"backend": "rm -rf"},
        {"number": -1},
        {"number": 10**11},
        {"run": 0},
        {"origin": {"repo_path": "/elsewhere"}},
        {"origin": []},
        {"origin": None, "title": [[[]]]},
    ],
)
def test_what_can_be_no_run_of_ours_is_not_adopted(
    workspace: Workspace, started: tuple[Run, Path], changes: dict[str, object]
) -> None:
    run, folder = started
    spec = json.loads((folder / "spec.json").read_text())
    (folder / "spec.json").write_text(json.dumps({**spec, **changes}))
    forget(run.task)
    ask(workspace)
    assert not Run.objects.exists()


def test_a_worktree_that_git_does_not_list_is_not_attached(
    workspace: Workspace, started: tuple[Run, Path]
) -> None:
    run, folder = started
    spec = json.loads((folder / "spec.json").read_text())
    (folder / "spec.json").write_text(json.dumps({**spec, "worktree": workspace.repo_path}))
    forget(run.task)
    ask(workspace)
    again = Run.objects.get()
    assert (again.task.worktree_path, again.task.branch) == ("", run.task.branch)


def test_a_number_that_would_use_up_all_others_is_not_kept(
    workspace: Workspace, started: tuple[Run, Path]
) -> None:
    run, folder = started
    spec = json.loads((folder / "spec.json").read_text())
    (folder / "spec.json").write_text(json.dumps({**spec, "run": 10**11}))
    installation = folder.name.partition("-")[0]
    folder.rename(folder.with_name(f"{installation}-{10**11}-{run.mark}"))
    forget(run.task)
    ask(workspace)
    assert Run.objects.get().pk < 10**9


def test_an_adopted_task_can_be_discarded_and_restored(
    workspace: Workspace, started: tuple[Run, Path]
) -> None:
    run = started[0]
    repo = Path(workspace.repo_path)
    (Path(run.task.worktree_path) / "new.txt").write_text("precious\n")
    forget(run.task)
    ask(workspace)
    Run.objects.update(state="succeeded")
    task = Task.objects.get()
    Task.objects.update(status="review")
    task.refresh_from_db()
    verdict = verdicts.drop(task, user=None)
    assert git(repo, "show", f"{verdict.rescue_ref}:new.txt") == "precious"
    assert not Path(run.task.worktree_path).exists()


def test_a_host_lists_only_started_runs_of_this_installation(
    workspace: Workspace, started: tuple[Run, Path]
) -> None:
    run, folder = started
    stranger = folder.with_name("ffffffff-1-abcdefghij")
    stranger.mkdir()
    for name in ("spec.json", "prompt.md", "guard.json"):
        (stranger / name).write_bytes((folder / name).read_bytes())
    (folder / "guard.json").unlink()
    forget(run.task)
    ask(workspace)
    assert not Run.objects.exists()


def test_a_start_never_takes_over_the_folder_of_another_run(
    workspace: Workspace, started: tuple[Run, Path]
) -> None:
    run, folder = started
    end_on_host(folder, "of the first run")
    site = site_of(workspace)
    other = make_run(task=make_task(workspace=workspace), run_dir=str(folder))
    tree = launch.worktree(other.task, site)
    params: wire.PrepareParams = {
        "dir": str(folder),
        "spec": launch.spec_of(other, tree, site),
        "prompt": "Other.",
    }
    with pytest.raises(HostError, match="another run") as refused:
        site.host.call("prepare_run", params)
    assert refused.value.code == "exists"
    params["spec"] = launch.spec_of(run, tree, site)
    assert site.host.call("prepare_run", params) == {"started": True}
