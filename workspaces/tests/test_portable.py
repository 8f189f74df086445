"""Names of files that Windows can't check out."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitask.tests.lab.repos import git
from workspaces.git.portable import clashes_of, unportable_changes, why_not_portable
from workspaces.hosts import HostConnection


@pytest.mark.parametrize(
    "path",
    [
        *("src/main.py", "README.md", "auxiliary.c", "console.log", "com10.txt", "a b/c d.txt", ".gitignore"),
        *("naïve/日本語.txt", "x" * 255, "nul_values.py", "lpt", ".con", "a.con", "prn-files/x"),
    ],
)
def test_ordinary_names_are_portable(path: str) -> None:
    assert why_not_portable(path) == ""


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("aux", "reserves the name aux"),
        ("src/Aux.c", "reserves the name Aux.c"),
        ("nul.tar.gz", "reserves"),
        ("COM1/readme", "reserves the name COM1"),
        ("lpt9 .txt", "reserves"),
        ("com¹", "reserves"),
        ("conin$", "reserves"),
        ("a:b", "allows no ':'"),
        ("what?.txt", "allows no '?'"),
        ('say "hi"', "allows no '\"'"),
        ("back\\slash", "allows no"),
        ("tab\there", "control characters"),
        ("docs./x", "drops the dot at the end of 'docs.'"),
        ("end ", "drops the space"),
        ("...", "drops the dot"),
        ("a/" * 130 + "b", "261 characters"),
        ("\udcff.txt", "not UTF-8"),
    ],
)
def test_what_windows_refuses_is_said(path: str, words: str) -> None:
    assert words in why_not_portable(path)


def test_a_link_is_said() -> None:
    assert "link" in why_not_portable("current", "120000")


def commit(repo: Path, *names: str) -> str:
    for name in names:
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(f"{name}\n")
    git(repo, "add", "--all")
    git(repo, "commit", "-q", "-m", "Add files")
    return git(repo, "rev-parse", "HEAD")


class TestInARepository:
    def test_names_that_differ_by_case_clash(self, local: HostConnection, repo: Path) -> None:
        old = commit(repo, "docs/Guide.md", "top.txt")
        new = commit(repo, "docs/guide.md", "Top.txt", "other.txt")
        found = {each.path: each.why for each in unportable_changes(local, str(repo), old, new)}
        assert found == {
            "docs/guide.md": "on Windows it is the same name as docs/Guide.md",
            "Top.txt": "on Windows it is the same name as top.txt",
        }

    def test_folders_that_differ_by_case_clash(self, local: HostConnection, repo: Path) -> None:
        old = commit(repo, "Docs/one.py")
        new = commit(repo, "docs/two.py")
        [each] = unportable_changes(local, str(repo), old, new)
        assert (each.path, each.why) == ("docs/two.py", "on Windows it is the same name as Docs")

    def test_what_was_there_before_is_not_counted(self, local: HostConnection, repo: Path) -> None:
        old = commit(repo, "aux.c")
        (repo / "aux.c").write_text("changed\n")
        assert unportable_changes(local, str(repo), old, commit(repo, "fine.c")) == []

    def test_a_file_that_becomes_a_link_is_found(self, local: HostConnection, repo: Path) -> None:
        old = commit(repo, "now", "target")
        (repo / "now").unlink()
        (repo / "now").symlink_to("target")
        [each] = unportable_changes(local, str(repo), old, commit(repo))
        assert (each.path, "link" in each.why) == ("now", True)

    def test_without_new_files_nothing_is_read(self, local: HostConnection, repo: Path) -> None:
        assert clashes_of(local, str(repo), "HEAD", []) == {}
