"""Files that git ignores in a user's checkout: no merge, undo or resolution overwrites or removes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aitask.lib.errors import Refused
from aitask.tests.lab.repos import commit_file, git, make_repo
from tasks.models import MergeTrain, Radar, Task
from tasks.review import queries
from tasks.tests.review.branches import make_tasks, small_repo, task_with, workspace_of
from tasks.tests.review.riding import merge, ride, states
from tasks.trains import conflicts, reapply
from tasks.trains import overlap as overlaps
from tasks.trains import services as trains
from workspaces.models import Workspace
from workspaces.tests.merging.repos import Files, History, changed

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]
IGNORED = "secrets/\nout\n*.local\nlinks/\nNotes*\n"


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> tuple[Workspace, History]:
    history = small_repo(tmp_path / "repo")
    commit_file(history.repo, ".gitignore", IGNORED)
    return workspace_of(history.repo), history


def put(repo: Path, name: str, content: str = "a person's\n") -> Path:
    path = repo / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


IN_THE_WAY: dict[str, tuple[str, Files]] = {
    "the same file": ("settings.local", {"settings.local": "agent\n"}),
    "a nested file": ("secrets/a/key", {"secrets/a/key": "agent\n"}),
    "a folder, for a file": ("out/deep/thesis.pdf", {"out": "agent\n"}),
    "a file, for a folder": ("out", {"out/made.txt": "agent\n"}),
    "an odd name": ("Notes é\n'x'", {"Notes é\n'x'": "agent\n"}),
    "an untracked file": ("plan.txt", {"plan.txt": "agent\n"}),
    "an untracked folder, for a file": ("plans/one.txt", {"plans": "agent\n"}),
}


@pytest.mark.parametrize("kind", list(IN_THE_WAY))
def test_a_file_in_the_way_stops_the_train_is_named_and_stays(
    shop: tuple[Workspace, History], kind: str
) -> None:
    workspace, history = shop
    name, files = IN_THE_WAY[kind]
    tasks = make_tasks(workspace, history, [("adds", files)])
    mine = put(history.repo, name)
    strategy = "squash" if "folder" in kind else "merge"

    tried = merge(workspace, tasks.values(), strategy=strategy, dry_run=True)
    assert states(tried) == ["blocked"]
    train = merge(workspace, tasks.values(), strategy=strategy)

    assert states(train) == ["blocked"]
    assert name in train.reason
    assert name in tried.reason
    assert "Move them" in train.reason
    assert mine.read_text() == "a person's\n"

    aside = history.repo.parent / "aside"
    (history.repo / name.split("/")[0]).rename(aside)
    trains.continue_train(train)
    assert states(ride(train)) == ["merged"]
    assert (history.repo / next(iter(files))).read_text() == "agent\n"


def test_an_ignored_file_beside_new_files_is_not_in_the_way(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("adds", {"secrets/new": "agent\n", "out.txt": "x\n"})])
    mine = put(history.repo, "secrets/old")
    put(history.repo, "out/report")

    assert states(merge(workspace, tasks.values(), dry_run=True)) == ["clean"]
    assert states(merge(workspace, tasks.values())) == ["merged"]
    assert mine.read_text() == "a person's\n"
    assert (history.repo / "secrets/new").exists()


def test_a_link_that_an_agent_committed_does_not_replace_an_ignored_folder(
    shop: tuple[Workspace, History],
) -> None:
    workspace, history = shop
    mine = put(history.repo, "links/module/index.js")
    folder = history.repo.parent / "linker"
    git(history.repo, "worktree", "add", "-q", "-b", "linker", str(folder))
    (folder / "links").symlink_to(history.repo / "links")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "A link")

    train = merge(workspace, [task_with(workspace, history.repo, "linker")])

    assert states(train) == ["blocked"]
    assert "links/module/index.js" in train.reason
    assert mine.read_text() == "a person's\n"


def test_a_linked_worktree_that_has_main_is_spared_too(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    git(history.repo, "switch", "-q", "-c", "elsewhere")
    checkout = history.repo.parent / "checkout of main"
    git(history.repo, "worktree", "add", "-q", str(checkout), "main")
    tasks = make_tasks(workspace, history, [("adds", {"a.local": "agent\n"})])
    mine = put(checkout, "a.local")
    elsewhere = put(history.repo, "a.local")

    train = merge(workspace, tasks.values())

    assert states(train) == ["blocked"]
    assert str(checkout) in train.reason
    assert mine.read_text() == elsewhere.read_text() == "a person's\n"


def untracking_train(shop: tuple[Workspace, History]) -> tuple[MergeTrain, Path]:
    """A train that made git ignore a file, which a person has written again since."""
    workspace, history = shop
    commit_file(history.repo, "db.conf", "template\n")
    files: Files = {"db.conf": None, ".gitignore": IGNORED + "db.conf\n"}
    train = merge(workspace, make_tasks(workspace, history, [("untracks", files)]).values())
    assert states(train) == ["merged"]
    return train, put(history.repo, "db.conf", "PASSWORD=person\n")


@pytest.mark.parametrize("built_upon", [False, True], ids=["by going back", "by a commit"])
def test_an_undo_spares_a_file_that_was_untracked_meanwhile(
    shop: tuple[Workspace, History], built_upon: bool
) -> None:
    train, mine = untracking_train(shop)
    repo = shop[1].repo
    if built_upon:
        commit_file(repo, "later.txt", "later\n")
    before = git(repo, "rev-parse", "main")

    trains.undo_train(train)
    assert ride(train).state == "stopped"

    assert "db.conf" in train.reason
    assert mine.read_text() == "PASSWORD=person\n"
    assert git(repo, "rev-parse", "main") == before
    mine.unlink()
    trains.undo_train(train)
    assert ride(train).state == "undone", train.reason
    assert mine.read_text() == "template\n"


def test_an_undo_waits_for_a_merge_that_a_person_has_begun(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    train = merge(workspace, make_tasks(workspace, history, [("one", changed(1, 2, "x"))]).values())
    git(history.repo, "branch", "same", "main~1")
    git(history.repo, "switch", "-q", "--detach", "same")
    git(history.repo, "commit", "-q", "--allow-empty", "-m", "Theirs")
    theirs = git(history.repo, "rev-parse", "HEAD")
    git(history.repo, "switch", "-q", "main")
    git(history.repo, "merge", "-q", "--no-ff", "--no-commit", theirs)

    trains.undo_train(train)

    assert ride(train).state == "stopped"
    assert "in progress" in train.reason
    assert (history.repo / ".git/MERGE_HEAD").exists()


def test_a_resolution_spares_ignored_files_of_the_worktree(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "mine"))])
    tree = history.repo.parent / "tree"
    git(history.repo, "worktree", "add", "-q", str(tree), "one")
    Task.objects.update(worktree_path=str(tree))
    mine = put(tree, "settings.local", "changed by the agent\n")
    number = next(iter(changed(1, 2, "main's")))
    (history.repo / number).write_text(changed(1, 2, "main's")[number])
    put(history.repo, "settings.local", "main's\n")
    git(history.repo, "add", "-f", number, "settings.local")
    git(history.repo, "commit", "-q", "-m", "Main's")
    task = tasks["one"]
    task.refresh_from_db()

    with pytest.raises(Refused, match=r"settings\.local"):
        conflicts.resolve(task, user=None)

    assert mine.read_text() == "changed by the agent\n"
    assert git(tree, "status", "--porcelain") == ""
    mine.rename(tree.parent / "aside")
    assert conflicts.resolve(task, user=None).state == "queued"


def test_reapplying_spares_ignored_files_of_the_worktree(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "mine"))])
    train = merge(workspace, tasks.values())
    put(history.repo, "late.local", "main's\n")
    git(history.repo, "add", "-f", "late.local")
    git(history.repo, "commit", "-q", "-m", "Main's")
    trains.undo_train(train)
    assert ride(train).state == "undone", train.reason
    tree = history.repo.parent / "tree"
    git(history.repo, "worktree", "add", "-q", str(tree), "one")
    mine = put(tree, "late.local")

    with pytest.raises(Refused, match=r"late\.local"):
        reapply.reapply(tasks["one"])

    assert mine.read_text() == "a person's\n"
    mine.unlink()
    reapply.reapply(tasks["one"])
    assert mine.read_text() == "main's\n"


def test_the_overlap_check_names_what_is_in_the_way_until_it_is_moved(
    shop: tuple[Workspace, History],
) -> None:
    workspace, history = shop
    files: list[tuple[str, Files]] = [("adds", {"out/x": "agent\n"}), ("other", changed(1, 2, "x"))]
    tasks = make_tasks(workspace, history, files)
    mine = put(history.repo, "out")

    check(workspace)
    assert queries.files_in_the_way(workspace) == {tasks["adds"].pk: ["out"]}
    mine.unlink()
    check(workspace)
    assert queries.files_in_the_way(workspace) == {}
    os.mkfifo(mine)
    check(workspace)
    assert queries.files_in_the_way(workspace) == {}  # git does not see it, and would refuse to merge


def check(workspace: Workspace) -> None:
    row, _ = Radar.objects.get_or_create(workspace=workspace)
    overlaps.check_overlaps(row.pk)


@pytest.mark.parametrize(("there", "state"), [("parts/mine.txt", "merged"), ("parts", "blocked")])
def test_a_new_submodule_spares_a_folder_and_is_stopped_by_a_file(
    shop: tuple[Workspace, History], there: str, state: str
) -> None:
    workspace, history = shop
    part = make_repo(history.repo.parent / "part")
    commit = git(part, "rev-parse", "HEAD")
    tree = history.repo.parent / "tree"
    git(history.repo, "worktree", "add", "-q", "-b", "adds", str(tree))
    git(tree, "update-index", "--add", "--cacheinfo", f"160000,{commit},parts")
    commit_file(tree, ".gitignore", IGNORED + "parts\n")
    commit_file(history.repo, ".gitignore", IGNORED + "parts\n")
    mine = put(history.repo, there)
    task = task_with(workspace, history.repo, "adds")

    assert states(merge(workspace, [task], dry_run=True)) == [state.replace("merged", "clean")]
    check(workspace)
    assert queries.files_in_the_way(workspace) == ({task.pk: ["parts"]} if state == "blocked" else {})
    assert states(merge(workspace, [task])) == [state]
    assert mine.read_text() == "a person's\n"


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_changes_that_git_overlooks_are_in_the_way(shop: tuple[Workspace, History], mark: str) -> None:
    workspace, history = shop
    files = changed(1, 2, "x")
    tasks = make_tasks(workspace, history, [("one", files)])
    mine = history.repo / next(iter(files))
    git(history.repo, "update-index", mark, str(mine))
    mine.write_text("a person's\n")

    tried = merge(workspace, tasks.values(), dry_run=True)
    train = merge(workspace, tasks.values())

    for each in (tried, train):
        assert states(each) == ["blocked"]
        assert mine.name in each.reason
    assert mine.read_text() == "a person's\n"


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_an_undo_spares_changes_that_git_overlooks(shop: tuple[Workspace, History], mark: str) -> None:
    workspace, history = shop
    files = changed(1, 2, "x")
    train = merge(workspace, make_tasks(workspace, history, [("one", files)]).values())
    mine = history.repo / next(iter(files))
    git(history.repo, "update-index", mark, str(mine))
    mine.write_text("a person's\n")

    trains.undo_train(train)

    assert ride(train).state == "stopped"
    assert mine.name in train.reason
    assert mine.read_text() == "a person's\n"
