"""When Spotlight refuses, nothing has changed; and what happens to work that goes on meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from workspaces.hostkit.spotlight.checkout import CanNot
from workspaces.hostkit.spotlight.store import Store
from workspaces.tests.spotlight.scene import OWNER, Scene

pytestmark = pytest.mark.one_database


def refused(scene: Scene, commit: str) -> CanNot:
    before = scene.snapshot()
    with pytest.raises(CanNot) as caught:
        scene.show(commit)
    assert scene.snapshot() == before
    assert not (scene.git_dir / "aitask/spotlight.json").exists()
    assert {path.name for path in (scene.git_dir / "aitask/spotlight").iterdir()} <= {"lock"}
    return caught.value


def test_an_untracked_file_in_the_way(scene: Scene) -> None:
    scene.write("-option", "mine\n")
    assert refused(scene, "names").paths == ["-option"]


def test_an_ignored_file_in_the_way(scene: Scene) -> None:
    scene.branch("logs")
    scene.write("app/debug.log", "of the task\n")
    scene.git("add", "--force", "app/debug.log")
    scene.git("commit", "--quiet", "--message", "Log", "--", "app/debug.log")
    scene.git("rm", "--quiet", "--cached", "app/debug.log")
    scene.git("symbolic-ref", "HEAD", "refs/heads/main")
    scene.write("app/debug.log", "mine\n")
    assert refused(scene, "logs").paths == ["app/debug.log"]


def test_an_ignored_file_in_a_folder_that_becomes_a_file(scene: Scene) -> None:
    scene.write("lib/debug.log", "ignored\n")
    assert refused(scene, "kinds").paths == ["lib/debug.log"]


def test_a_link_in_place_of_a_folder_is_not_followed(scene: Scene, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (scene.top / "app/new").symlink_to(outside)
    assert refused(scene, "words").paths == ["app/new"]
    assert list(outside.iterdir()) == []


def test_a_nested_repository_in_the_way(scene: Scene) -> None:
    scene.git("init", "--quiet", "app/new")
    assert refused(scene, "words").paths == ["app/new"]


def test_a_conflict_names_its_files(scene: Scene) -> None:
    scene.git("stash", "--quiet")
    scene.write("README", "other\n")
    scene.git("commit", "--quiet", "--all", "--message", "Other")
    assert refused(scene, "words").paths == ["README"]


def test_a_branch_without_a_change(scene: Scene) -> None:
    assert "already" in refused(scene, "main").reason


@pytest.mark.parametrize("name", ["MERGE_HEAD", "CHERRY_PICK_HEAD", "BISECT_LOG"])
def test_something_unfinished(scene: Scene, name: str) -> None:
    (scene.git_dir / name).write_text(scene.git("rev-parse", "words"))
    assert "in progress" in refused(scene, "words").reason


def test_a_locked_index(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workspaces.hostkit.spotlight.checkout.LOCK_SECONDS", 0.1)
    (scene.git_dir / "index.lock").write_text("")
    assert "Another git process" in refused(scene, "words").reason


def test_a_sparse_checkout(scene: Scene) -> None:
    scene.git("config", "core.sparseCheckout", "true")
    assert "only a part" in refused(scene, "words").reason


def test_a_submodule_that_moves(scene: Scene) -> None:
    scene.git("update-index", "--add", "--cacheinfo", f"160000,{scene.git('rev-parse', 'main').strip()},sub")
    tree = scene.git("write-tree").strip()
    scene.git("update-index", "--force-remove", "sub")
    commit = scene.git("commit-tree", "-p", "main", "-m", "Sub", tree).strip()
    assert refused(scene, commit).paths == ["sub"]


def forged(scene: Scene, *entries: str) -> str:
    """Return a commit with entries that git's own commands would not create."""
    tree = scene.git("ls-tree", "main") + "".join(entries)
    made = scene.git("mktree", stdin=tree).strip()
    return scene.git("commit-tree", "-p", "main", "-m", "Forged", made).strip()


@pytest.mark.parametrize("name", [".git", ".GIT", "git~1", ".g\u200cit"])
def test_a_forged_tree_with_a_git_folder(scene: Scene, name: str) -> None:
    blob = scene.git("rev-parse", "words:README").strip()
    hooks = scene.git("mktree", stdin=f"100755 blob {blob}\tconfig\n").strip()
    refused(scene, forged(scene, f"040000 tree {hooks}\t{name}\n"))


def test_a_forged_tree_that_leads_out_of_the_checkout(scene: Scene, tmp_path: Path) -> None:
    blob = scene.git("rev-parse", "words:README").strip()
    inner = scene.git("mktree", stdin=f"100644 blob {blob}\tescaped\n").strip()
    refused(scene, forged(scene, f"040000 tree {inner}\t..\n"))
    assert not (tmp_path / "escaped").exists()


def test_hooks_filters_and_links_of_a_hostile_branch_run_and_write_nothing(
    scene: Scene, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    script = f"#!/bin/sh\ntouch '{touched}'\ncat\n"
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        scene.write(f".git/hooks/{name}", script, 0o755)
    for key in ("clean", "smudge", "process"):
        scene.git("config", f"filter.evil.{key}", f"touch '{touched}'; cat")
    scene.git("config", "core.fsmonitor", f"touch '{touched}'")
    scene.git("config", "merge.evil.driver", f"touch '{touched}'")
    scene.branch("hostile")
    scene.write(".gitattributes", "* filter=evil merge=evil\n")
    scene.write("README", "hostile\n")
    (scene.top / "out").symlink_to(tmp_path)
    blob = scene.git("hash-object", "-w", "--no-filters", "README").strip()
    links = scene.git("hash-object", "-w", "--stdin", stdin=str(tmp_path)).strip()
    rules = scene.git("hash-object", "-w", "--no-filters", ".gitattributes").strip()
    scene.git("read-tree", "main")
    for mode, name, path in (("100644", blob, "README"), ("120000", links, "out")):
        scene.git("update-index", "--add", "--cacheinfo", f"{mode},{name},{path}")
    scene.git("update-index", "--add", "--cacheinfo", f"100644,{rules},.gitattributes")
    commit = scene.git("commit-tree", "-p", "main", "-m", "Hostile", scene.git("write-tree").strip()).strip()
    (scene.top / "out").unlink()
    scene.git("config", "--unset", "core.fsmonitor")
    scene.git("symbolic-ref", "HEAD", "refs/heads/main")
    scene.git("checkout", "--quiet", "main", "--", "README", ".gitattributes")
    scene.git("config", "core.fsmonitor", f"touch '{touched}'")
    touched.unlink(missing_ok=True)
    scene.show(commit)
    assert (scene.top / "README").read_text() == "hostile\n"
    assert (scene.top / "out").is_symlink()
    scene.back()
    assert not touched.exists()
    assert not (scene.top / "out").is_symlink()


def test_a_change_of_a_shown_file_is_kept_in_a_rescue_ref(scene: Scene) -> None:
    before = scene.snapshot()
    scene.show("words")
    scene.write("README", "edited while it was shown\n")
    (scene.top / "app/main.py").unlink()
    done = scene.spotlight().back()
    assert done.edited == ["README"]
    assert scene.git("show", f"{done.rescue}:README") == "edited while it was shown\n"
    assert "edited while" in scene.git("diff", f"{done.rescue}^", done.rescue)
    assert scene.snapshot() == before


def test_new_files_of_a_dev_server_stay(scene: Scene) -> None:
    scene.show("words")
    scene.write("app/new/cache.log", "made meanwhile\n")
    scene.back()
    assert (scene.top / "app/new/cache.log").read_text() == "made meanwhile\n"
    assert not (scene.top / "app/new/inner.py").exists()


def test_what_was_committed_meanwhile_is_not_reverted(scene: Scene) -> None:
    scene.show("words")
    scene.git("commit", "--quiet", "--message", "Mine", "--", "README")
    done = scene.spotlight().back()
    assert done.left == ["README"]
    assert (scene.top / "README").read_text() == "one\ntwo and more\nthree\n"
    assert (scene.top / "app/main.py").read_text() == "print(1)\n"


def test_a_detached_head_stays_detached(scene: Scene) -> None:
    scene.git("checkout", "--quiet", "--detach")
    before = scene.snapshot()
    scene.show("moves")
    scene.back()
    assert scene.snapshot() == before


def test_a_task_that_can_not_be_shown_leaves_the_one_that_is(scene: Scene) -> None:
    scene.show("words")
    scene.write("-option", "mine\n")
    with pytest.raises(CanNot):
        scene.show("names")
    assert (scene.top / "README").read_text() == "one\ntwo and more\nthree\n"
    scene.back()


def test_going_back_twice_does_nothing(scene: Scene) -> None:
    assert not scene.spotlight().back().was_on


def test_a_failure_half_way_puts_everything_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scene.snapshot()
    put = Store.put

    def fail(store: Store, number: int, path: str) -> None:
        if path == "app/new/inner.py":
            raise OSError(28, "No space left on device")
        put(store, number, path)

    monkeypatch.setattr(Store, "put", fail)
    with pytest.raises(CanNot, match="No space left"):
        scene.show("words")
    assert scene.snapshot() == before


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text.replace("README", "../escaped"),
        lambda text: text.replace("README", ".git/config"),
        lambda text: "{}",
        lambda text: text[:20],
    ],
)
def test_a_journal_that_somebody_has_changed_is_not_followed(
    scene: Scene, harm: Callable[[str], str]
) -> None:
    scene.show("words")
    path = scene.git_dir / "aitask/spotlight.json"
    text = path.read_text()
    path.write_text(harm(text))
    with pytest.raises(CanNot):
        scene.spotlight().back()
    path.write_text(text)
    scene.back()


def test_two_at_once_take_turns(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workspaces.hostkit.spotlight.journal.PATIENCE", 0.1)
    spotlight = scene.spotlight()
    with spotlight.records.locked(), pytest.raises(CanNot, match="at work"):
        scene.spotlight().show(os.fspath(scene.git("rev-parse", "words").strip()), OWNER)
