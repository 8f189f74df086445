"""A person's git configuration counts in a train as it does by hand; what can't be heeded is said."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aitask.lib.errors import Refused
from aitask.tests.lab.repos import commit_file, git, make_repo, make_repo_with_submodule
from aitask.tests.lab.sshd import make_key
from aitask.tests.lab.tools import require_tool
from tasks.review import verdicts
from tasks.tests.review.branches import make_tasks, small_repo, task_with, workspace_of
from tasks.tests.review.riding import merge, states
from workspaces import queries, services
from workspaces.models import Workspace
from workspaces.tests.merging.repos import History, changed, first_parent_subjects

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> tuple[Workspace, History]:
    history = small_repo(tmp_path / "shop")
    return workspace_of(history.repo), history


def test_merges_are_signed_where_the_person_signs(shop: tuple[Workspace, History], tmp_path: Path) -> None:
    workspace, history = shop
    key = tmp_path / "signing"
    make_key(key)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"ada@lab.invalid {key.with_suffix('.pub').read_text()}")
    settings = {
        "commit.gpgsign": "true",
        "gpg.format": "ssh",
        "user.signingkey": str(key),
        "gpg.ssh.allowedSignersFile": str(allowed),
    }
    for name, value in settings.items():
        git(history.repo, "config", name, value)
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])

    assert states(merge(workspace, tasks.values())) == ["merged"]
    assert git(history.repo, "log", "-1", "--format=%G?", "main") == "G"


def test_a_branch_without_the_signature_that_is_asked_for_is_refused(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    git(history.repo, "config", "merge.verifySignatures", "true")
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])

    train = merge(workspace, tasks.values())

    assert states(train) == ["refused"]
    assert "signature" in train.steps.get().output


def test_a_merge_driver_settles_what_would_conflict(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    commit_file(history.repo, ".gitattributes", "log.txt merge=union\n")
    commit_file(history.repo, "log.txt", "begin\n")
    files = [("one", {"log.txt": "begin\none\n"}), ("two", {"log.txt": "begin\ntwo\n"})]
    tasks = make_tasks(workspace, history, files)

    assert states(merge(workspace, tasks.values())) == ["merged", "merged"]
    assert (history.repo / "log.txt").read_text() == "begin\none\ntwo\n"


def test_attributes_that_a_branch_brings_count_for_those_after_it(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    commit_file(history.repo, "deep/log.txt", "begin\n")
    files = [
        ("rule", {"deep/.gitattributes": "log.txt merge=union\n"}),
        ("one", {"deep/log.txt": "begin\none\n"}),
        ("two", {"deep/log.txt": "begin\ntwo\n"}),
    ]
    tasks = make_tasks(workspace, history, files)

    assert states(merge(workspace, tasks.values())) == ["merged", "merged", "merged"]


def test_merge_options_of_the_branch_are_heeded(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    git(history.repo, "config", "branch.main.mergeOptions", "--no-ff --signoff -X ours")
    files = [("one", changed(1, 2, "x")), ("two", changed(1, 2, "y"))]
    tasks = make_tasks(workspace, history, files)

    assert states(merge(workspace, tasks.values())) == ["merged", "merged"]
    assert "Signed-off-by: Ada Lab" in git(history.repo, "log", "-1", "--format=%B", "main")
    assert "x" in (history.repo / "part000/file00001.txt").read_text().splitlines()


def test_options_against_which_the_train_has_its_own_way_do_not_stop_main(
    shop: tuple[Workspace, History],
) -> None:
    workspace, history = shop
    git(history.repo, "config", "branch.main.mergeOptions", "--squash")
    git(history.repo, "config", "merge.ff", "only")
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))])

    train = merge(workspace, tasks.values(), strategy="squash")

    assert states(train) == ["merged", "merged"], [step.output for step in train.steps.all()]
    assert git(history.repo, "rev-parse", "main") == train.tip
    assert git(history.repo, "status", "--porcelain") == ""


def test_hooks_that_come_with_main_itself_have_a_say(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    first = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    assert states(merge(workspace, first.values())) == ["merged"]  # and the merge worktree stands there
    hook = history.repo / ".githooks/commit-msg"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\necho not like this >&2\nexit 1\n")
    hook.chmod(0o755)
    git(history.repo, "add", ".githooks")
    git(history.repo, "commit", "-q", "-m", "Hooks for all")
    git(history.repo, "config", "core.hooksPath", ".githooks")
    tasks = make_tasks(workspace, history, [("two", changed(2, 2, "y"))])
    with pytest.raises(Refused, match=r"core\.hookspath"):
        merge(workspace, tasks.values())
    changes = queries.git_changes_of(workspace)
    assert changes.settings == [queries.ChangedPart("core.hookspath", None, ".githooks")]
    services.decide_git_changes(workspace, changes.digest, use=True)

    train = merge(workspace, tasks.values())

    assert states(train) == ["refused"]
    assert "not like this" in train.steps.get().output


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_hooks_see_what_they_see_by_hand(shop: tuple[Workspace, History], strategy: str) -> None:
    workspace, history = shop
    hook = history.repo / ".git/hooks/commit-msg"
    hook.write_text('#!/bin/sh\necho "Seen: by the hook" >>"$1"\n')
    hook.chmod(0o755)
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x"))])
    commit_file(history.repo, "later.txt", "main has moved\n")

    assert states(merge(workspace, tasks.values(), strategy=strategy)) == ["merged"]
    seen = "Seen: by the hook" in git(history.repo, "log", "-1", "--format=%B", "main")
    assert seen == (strategy != "rebase")  # a rebase that only picks runs no commit-msg, by hand neither


def test_a_checkout_hook_that_fails_has_no_say_in_a_merge(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    hook = history.repo / ".git/hooks/post-checkout"
    hook.write_text("#!/bin/sh\necho no git-lfs here >&2\nexit 2\n")
    hook.chmod(0o755)
    tasks = make_tasks(workspace, history, [("one", changed(1, 2, "x")), ("two", changed(2, 2, "y"))])
    workspace.check_command = "true"
    train = merge(workspace, tasks.values(), strategy="squash")
    assert states(train) == ["merged", "merged"], train.reason


def test_large_files_of_lfs_are_there_for_the_check_and_in_the_checkout(home: Path, tmp_path: Path) -> None:
    require_tool("git-lfs")
    repo = make_repo(tmp_path / "repo")
    large = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "lfs", "install", "--local"], cwd=repo, env=large, check=True, capture_output=True)
    commit_file(repo, ".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    for number in (1, 2):
        git(repo, "checkout", "-q", "-b", f"b{number}", "main")
        commit_file(repo, f"{number}.bin", f"large {number}\n" * 1000)
    git(repo, "checkout", "-q", "main")
    workspace = workspace_of(repo, check_command="grep -q large *.bin")

    train = merge(workspace, [task_with(workspace, repo, f"b{number}") for number in (1, 2)])

    assert states(train) == ["merged", "merged"], [step.output for step in train.steps.all()]
    assert (repo / "1.bin").read_text() == "large 1\n" * 1000
    assert git(repo, "show", "main:2.bin").startswith("version https://git-lfs")
    assert git(repo, "status", "--porcelain") == ""


def test_a_filter_that_is_missing_on_the_host_is_said(home: Path, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    before = commit_file(repo, ".gitattributes", "*.bin filter=absent merge=union\n")
    git(repo, "checkout", "-q", "-b", "one")
    commit_file(repo, "1.bin", "large\n")
    git(repo, "checkout", "-q", "main")
    git(repo, "config", "filter.absent.required", "true")
    git(repo, "config", "filter.absent.smudge", "absent-filter %f")
    workspace = workspace_of(repo)

    train = merge(workspace, [task_with(workspace, repo, "one")])

    step = train.steps.get()
    said = f"{train.reason} {step.reason} {step.output}"
    assert "filter" in said
    assert "1.bin" in said
    assert git(repo, "rev-parse", "main") == before


def test_two_that_move_a_submodule_conflict_in_it(home: Path, tmp_path: Path) -> None:
    (home / ".gitconfig").write_text("[protocol.file]\n\tallow = always\n")
    repo = make_repo_with_submodule(tmp_path / "repo")
    part = tmp_path / "repo-part"
    for name in ("one", "two"):
        git(part, "checkout", "-q", "-B", name, "main")
        moved = commit_file(part, f"{name}.txt", name)
        git(repo, "checkout", "-q", "-b", name, "main")
        git(repo, "update-index", "--cacheinfo", f"160000,{moved},parts")
        git(repo, "commit", "-q", "-m", f"Use {name}")
    git(repo, "checkout", "-q", "-f", "main")
    git(repo, "submodule", "--quiet", "update")
    workspace = workspace_of(repo, check_command="test -f parts/one.txt")

    train = merge(workspace, [task_with(workspace, repo, name) for name in ("one", "two")])

    assert states(train) == ["merged", "conflict"], [step.output for step in train.steps.all()]
    assert train.steps.get(position=2).files[0]["path"] == "parts"


def test_checkouts_that_recurse_into_submodules_do_not_stop_a_train(home: Path, tmp_path: Path) -> None:
    (home / ".gitconfig").write_text("[protocol.file]\n\tallow = always\n[submodule]\n\trecurse = true\n")
    repo = make_repo_with_submodule(tmp_path / "repo")
    git(repo, "branch", "one")
    git(repo, "worktree", "add", "-q", str(tmp_path / "tree"), "one")
    commit_file(tmp_path / "tree", "one.txt", "1\n")
    workspace = workspace_of(repo, check_command="test -f parts/src/main.py")

    train = merge(workspace, [task_with(workspace, repo, "one")])

    assert states(train) == ["merged"], train.reason


def test_what_only_a_submodule_holds_outlives_its_worktree(home: Path, tmp_path: Path) -> None:
    (home / ".gitconfig").write_text("[protocol.file]\n\tallow = always\n")
    repo = make_repo_with_submodule(tmp_path / "repo")
    tree = tmp_path / "tree"
    git(repo, "worktree", "add", "-q", "-b", "one", str(tree))
    git(tree, "submodule", "--quiet", "update", "--init")
    commit_file(tree / "parts", "committed.txt", "never pushed\n")
    (tree / "parts/loose.txt").write_text("never committed\n")
    workspace = workspace_of(repo)
    task = task_with(workspace, repo, "one", worktree_path=str(tree))

    verdicts.drop(task, user=None)

    assert not tree.exists()
    kept = git(repo, "for-each-ref", "--format=%(refname)", f"refs/aitask/rescue/{task.pk}/")
    (name,) = [line for line in kept.splitlines() if line.endswith("submodule-parts")]
    assert git(repo, "show", f"{name}:committed.txt") == "never pushed"
    assert git(repo, "show", f"{name}:loose.txt") == "never committed"
    assert git(repo, "fsck", "--no-dangling") == ""


def test_a_rebase_has_each_commit_checked_before_main_gets_any(shop: tuple[Workspace, History]) -> None:
    workspace, history = shop
    workspace.check_command = "test ! -e broken.txt && git rev-parse HEAD >>../checked"
    workspace.save()
    history.commit("fine", {"1.txt": "1"}, "First", parent="main").commit("fine", {"2.txt": "2"}, "Second")
    history.commit("mended", {"broken.txt": "x"}, "Break it", parent="main")
    history.commit("mended", {"broken.txt": None, "3.txt": "3"}, "Mend it").write()
    before = git(history.repo, "rev-parse", "main")
    tasks = [task_with(workspace, history.repo, branch) for branch in ("mended", "fine")]

    train = merge(workspace, tasks, strategy="rebase")

    assert states(train) == ["check_failed", "merged"]
    assert "Commit 1 of 2" in train.steps.get(position=1).reason
    assert first_parent_subjects(history.repo, before) == ["First", "Second"]
    worktree = next(line for line in git(history.repo, "worktree", "list").splitlines() if ".merge-" in line)
    checked = (Path(worktree.split()[0]).parent / "checked").read_text().split()
    assert checked == git(history.repo, "rev-list", "--reverse", f"{before}..main").split()
