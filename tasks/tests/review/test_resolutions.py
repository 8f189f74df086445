"""When a conflict that an agent was given counts as resolved."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitask.lib.errors import Refused
from aitask.tests.lab.repos import commit_file, git, make_repo
from tasks.models import Resolution, Run, Task
from tasks.repository import site_of
from tasks.review import verdicts
from tasks.tests.review.branches import small_repo, task_with, workspace_of
from tasks.tests.review.riding import merge, states
from tasks.trains import after_run, conflicts
from workspaces.git import overlap
from workspaces.git.diffs import key_of
from workspaces.models import Workspace
from workspaces.tests.merging.repos import Files, History, changed

pytestmark = pytest.mark.django_db
SHARED = "part000/file00001.txt"


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> tuple[Workspace, History]:
    history = small_repo(tmp_path / "shop")
    return workspace_of(history.repo), history


def conflicting(shop: tuple[Workspace, History], theirs: Files, mine: Files) -> Task:
    """A task whose branch conflicts with main, in its worktree."""
    workspace, history = shop
    history.commit("mine", mine, parent="main").commit("main", theirs, parent="main").write()
    git(history.repo, "reset", "-q", "--hard", "main")
    tree = history.repo.parent / "tree"
    git(history.repo, "worktree", "add", "-q", str(tree), "mine")
    return task_with(workspace, history.repo, "mine", worktree_path=str(tree))


def finish(run: Run) -> Resolution:
    Run.objects.filter(pk=run.pk).update(state=Run.State.SUCCEEDED)
    after_run.inspect_branch(run.task_id)
    return Resolution.objects.get(task=run.task_id)


@pytest.mark.parametrize(("marker", "committed"), [("<<<<<<<", True), ("|||||||", False), (">>>>>>>", True)])
def test_one_marker_left_is_not_resolved(
    shop: tuple[Workspace, History], marker: str, committed: bool
) -> None:
    git(shop[1].repo, "config", "merge.conflictStyle", "diff3")
    task = conflicting(shop, changed(1, 2, "main's"), changed(1, 2, "mine"))
    run = conflicts.resolve(task, user=None)
    file = Path(task.worktree_path) / SHARED
    lines = file.read_text().splitlines(keepends=True)
    marks = ("<<<<<<<", "|||||||", ">>>>>>>", "=======")
    file.write_text("".join(line for line in lines if line.startswith(marker) or not line.startswith(marks)))
    if committed:
        git(file.parent, "commit", "-q", "-a", "--no-edit")

    resolution = finish(run)

    assert resolution.state == "failed"
    assert f"markers are left in {SHARED}" in resolution.reason


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def test_a_process_that_dies_after_the_merge_leaves_what_can_be_resolved(
    shop: tuple[Workspace, History], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = conflicting(shop, changed(1, 2, "main's"), changed(1, 2, "mine"))
    tip = git(shop[1].repo, "rev-parse", "mine")
    for name in ("request_changes", "_save"):  # before there is a run, and before it is known what for
        with monkeypatch.context() as dying:
            dying.setattr(verdicts if name != "_save" else conflicts, name, _die)
            with pytest.raises(Killed):
                conflicts.resolve(task, user=None)
        assert not task.runs.filter(state="queued").exists()

    run = conflicts.resolve(task, user=None)
    assert SHARED in run.prompt
    resolution = Resolution.objects.get(task=task)
    assert (resolution.paths, resolution.accepted) == ([key_of(SHARED)], tip)
    commit_file(Path(task.worktree_path), SHARED, "both\n", "Both")
    assert finish(run).state == "ready"


def _die(*_: object, **__: object) -> None:
    raise Killed


def test_a_merge_that_somebody_has_worked_on_is_not_taken_for_an_interrupted_one(
    shop: tuple[Workspace, History], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = conflicting(shop, changed(1, 2, "main's"), changed(1, 2, "mine"))
    with monkeypatch.context() as dying:
        dying.setattr(verdicts, "request_changes", _die)
        with pytest.raises(Killed):
            conflicts.resolve(task, user=None)
    (Path(task.worktree_path) / SHARED).write_text("half of it by hand\n")
    with pytest.raises(Refused, match="uncommitted changes"):
        conflicts.resolve(task, user=None)


def test_markers_that_were_moved_to_another_file_are_found(shop: tuple[Workspace, History]) -> None:
    task = conflicting(shop, changed(1, 2, "main's"), changed(1, 2, "mine"))
    run = conflicts.resolve(task, user=None)
    tree = Path(task.worktree_path)
    (tree / SHARED).rename(tree / "moved é.txt")
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "--no-edit")

    assert "moved é.txt" in finish(run).reason


def test_text_about_markers_that_a_side_had_is_no_obstacle(shop: tuple[Workspace, History]) -> None:
    lesson = "How to resolve:\n<<<<<<< HEAD\nyours\n=======\ntheirs\n>>>>>>> main\n"
    files = changed(1, 2, "mine")
    task = conflicting(shop, changed(1, 2, "main's"), {SHARED: files[SHARED] + lesson, "lesson.md": lesson})
    run = conflicts.resolve(task, user=None)
    (Path(task.worktree_path) / SHARED).write_text("both\n" + lesson)

    assert finish(run).state == "ready"


def split(shop: tuple[Workspace, History]) -> Task:
    """A branch with a new file in a folder that main has moved to two others."""
    _, history = shop
    contents = [history.repo / f"part000/file{number:05}.txt" for number in range(50)]
    theirs: dict[str, str | None] = {}
    for number, path in enumerate(contents):
        theirs[f"part000/{path.name}"] = None
        theirs[f"half{number % 2}/{path.name}"] = path.read_text()
    return conflicting(shop, theirs, {"part000/new.txt": "new\n"})


@pytest.mark.parametrize("plain", [True, False])
def test_a_conflict_without_unmerged_files_is_one_everywhere(
    shop: tuple[Workspace, History], plain: bool
) -> None:
    workspace, history = shop
    if not plain:
        git(history.repo, "config", "merge.renormalize", "true")
    task = split(shop)
    host = site_of(workspace).host

    assert overlap.conflicts_between(host, str(history.repo), "main", "mine") == ["part000"]
    train = merge(workspace, [task])
    assert states(train) == ["conflict"]
    assert [file["path"] for file in train.steps.get().files] == ["part000"]

    run = conflicts.resolve(task, user=None)
    assert "part000 (it is unclear where its new files belong: decide what stays)" in run.prompt
    git(Path(task.worktree_path), "mv", "part000/new.txt", "half0/new.txt")
    assert finish(run).state == "ready"


def test_a_submodule_in_conflict_is_called_one(shop: tuple[Workspace, History], tmp_path: Path) -> None:
    workspace, history = shop
    part = make_repo(tmp_path / "part")
    git(history.repo, "submodule", "--quiet", "add", str(part), "lib")
    git(history.repo, "commit", "-q", "-m", "Add a submodule")
    git(history.repo, "branch", "moves")
    git(history.repo, "rm", "-q", "lib")
    git(history.repo, "commit", "-q", "-m", "Remove it")
    newer = commit_file(part, "new.txt", "x\n")
    tree = tmp_path / "tree"
    git(history.repo, "worktree", "add", "-q", str(tree), "moves")
    git(tree, "update-index", "--cacheinfo", f"160000,{newer},lib")
    git(tree, "commit", "-q", "-m", "Move it")

    train = merge(workspace, [task_with(workspace, history.repo, "moves")])

    (file,) = [file for file in train.steps.get().files if file["path"] == "lib"]
    assert file["kind"] == "submodule deleted on main, changed on the branch"
