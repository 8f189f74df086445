"""A checkout with everything that a user may have lying there, and branches that change it in all ways."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspaces.hostkit.git import places
from workspaces.hostkit.spotlight.checkout import Checkout
from workspaces.hostkit.spotlight.commands import CheckoutSpotlight
from workspaces.tests.spotlight import killed

NOT_UTF8 = os.fsdecode(b"caf\xe9.txt")
GIT = {
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}
BRANCHES = ("words", "moves", "kinds", "names", "clash")
OWNER = {"installation": "test", "task": "1"}


@dataclass
class Scene:
    top: Path

    @property
    def git_dir(self) -> Path:
        return self.top / ".git"

    def git(self, *args: str, check: bool = True, stdin: str | None = None) -> str:
        done = subprocess.run(
            ["git", *args],
            cwd=self.top,
            env={**os.environ, **GIT},
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="surrogateescape",
            input=stdin,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def write(self, name: str, content: str | bytes, mode: int = 0o644) -> Path:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def commit(self, message: str = "Change") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def branch(self, name: str) -> None:
        self.git("checkout", "--quiet", "-b", name, "main")

    def spotlight(self) -> CheckoutSpotlight:
        place = places.find(str(self.top))
        assert place
        return CheckoutSpotlight(Checkout(place))

    def show(self, commit: str) -> None:
        self.spotlight().show(self.git("rev-parse", commit).strip(), OWNER)

    def back(self) -> None:
        assert self.spotlight().back().was_on

    def snapshot(self) -> dict[str, Any]:
        """Return everything that a user could notice, byte for byte."""
        found: dict[str, Any] = {
            "index": (self.git_dir / "index").read_bytes(),
            "HEAD": (self.git_dir / "HEAD").read_bytes(),
            "commit": self.git("rev-parse", "HEAD"),
            "branches": self.git("for-each-ref", "refs/heads", "refs/tags", "refs/stash"),
            "staged": self.git("diff", "--cached", "--binary"),
        }
        for folder, folders, names in os.walk(self.top):
            if folder == str(self.top):
                folders.remove(".git")
            for name in (*folders, *names):
                path = Path(folder) / name
                found[os.path.relpath(path, self.top)] = described(path)
        # Last, because it may write to the index.
        status = ("status", "--porcelain=v2", "--untracked-files=all", "--ignored", "-z")
        found["status"] = self.git("--no-optional-locks", *status)
        return found

    def run(self, verb: str, *args: str, kill_at: int = 0) -> int:
        """Run a verb in a process of its own, which kills itself before its n-th change of a file."""
        child = os.fork()
        if not child:
            try:
                os._exit(killed.main(kill_at, str(self.top), verb, *args))
            finally:
                os._exit(9)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def described(path: Path) -> tuple[object, ...]:
    known = path.lstat()
    if stat.S_ISLNK(known.st_mode):
        return ("link", path.readlink(), known.st_mtime_ns)
    if stat.S_ISDIR(known.st_mode):
        return ("folder", stat.S_IMODE(known.st_mode))
    content = path.read_bytes() if stat.S_ISREG(known.st_mode) else b""
    return (known.st_mode, content, known.st_mtime_ns, known.st_ino, known.st_nlink)


def make_scene(top: Path) -> Scene:
    """Make the repository with its branches, and leave uncommitted work of all kinds in the checkout."""
    top.mkdir(parents=True)
    scene = Scene(top)
    scene.git("init", "--quiet", "--initial-branch=main")
    _first_commit(scene)
    _branch_words(scene)
    _branch_moves(scene)
    _branch_kinds(scene)
    _branch_names(scene)
    _branch_clash(scene)
    scene.git("checkout", "--quiet", "main")
    _uncommitted(scene)
    return scene


def copy_scene(made: Path, top: Path) -> Scene:
    """Copy a scene, which takes a tenth of the time of making one, and let the app know it."""
    shutil.copytree(made, top, symlinks=True)
    scene = Scene(top)
    scene.git("status")  # the index knows the times of these files
    places.record(str(top), str(scene.git_dir), str(scene.git_dir))
    return scene


def _first_commit(scene: Scene) -> None:
    scene.write(".gitignore", "node_modules/\n*.log\n.env\n")
    scene.write(".gitattributes", "*.crlf text eol=crlf\n")
    scene.write("README", "one\ntwo\nthree\n")
    scene.write("run.sh", "#!/bin/sh\n", 0o755)
    scene.write("app/main.py", "print(1)\n")
    scene.write("app/views.py", "views = 1\n")
    scene.write("lib/only.txt", "only\n")
    scene.write("plain", "a file\n")
    scene.write("deep/er/file.txt", "deep\n")
    scene.write("dos.crlf", "a\r\nb\r\n")
    scene.write("with space.txt", "space\n")
    scene.write("new\nline.txt", "newline\n")
    scene.write(NOT_UTF8, "not UTF-8\n")
    (scene.top / "link").symlink_to("README")
    scene.commit("First")


def _branch_words(scene: Scene) -> None:
    scene.branch("words")
    scene.write("README", "one\ntwo and more\nthree\n")
    scene.write("app/main.py", "print(2)\n")
    scene.write("app/new/inner.py", "new\n")
    scene.write("dos.crlf", "a\r\nb\r\nc\r\n")
    scene.commit()


def _branch_moves(scene: Scene) -> None:
    scene.branch("moves")
    scene.git("mv", "app/views.py", "app/pages.py")
    scene.git("rm", "--quiet", "-r", "lib", "deep")
    scene.commit()


def _branch_kinds(scene: Scene) -> None:
    """A folder becomes a file, a file a folder; a link a file, and a file a link."""
    scene.branch("kinds")
    scene.git("rm", "--quiet", "-r", "lib", "plain", "link")
    scene.write("lib", "a file now\n")
    scene.write("plain/inside.txt", "a folder now\n")
    scene.write("link", "no link any more\n")
    (scene.top / "app/main.py").unlink()
    (scene.top / "app/main.py").symlink_to("/etc/passwd")
    (scene.top / "run.sh").chmod(0o644)
    scene.commit()


def _branch_names(scene: Scene) -> None:
    scene.branch("names")
    scene.write("with space.txt", "changed\n")
    scene.write("new\nline.txt", "changed\n")
    scene.write(NOT_UTF8, "changed\n")
    scene.write(os.fsdecode(b'\xff\xfe/ \t"quoted".txt'), "new\n")
    scene.write("-option", "new\n", 0o755)
    scene.commit()


def _branch_clash(scene: Scene) -> None:
    """Changes files that the user has changed, too: staged, not staged, deleted."""
    scene.branch("clash")
    for name in ("app/views.py", "staged.txt", "README", "deep/er/file.txt"):
        scene.write(name, f"{name} of the task\n")
    scene.commit()


def _uncommitted(scene: Scene) -> None:
    scene.write("app/views.py", "views = 'mine'\n")
    scene.write("staged.txt", "staged\n")
    scene.write("half.txt", "staged half\n")
    scene.git("add", "staged.txt", "half.txt")
    scene.write("half.txt", "more than staged\n", 0o755)
    (scene.top / "deep/er/file.txt").unlink()
    scene.write("untracked file.txt", "untracked\n", 0o600)
    scene.write("new folder/untracked.txt", "untracked\n")
    scene.write("node_modules/big/index.js", "ignored\n", 0o755)
    scene.write("app/debug.log", "ignored\n")
    scene.write(".env", "SECRET=1\n", 0o600)
    (scene.top / "node_modules/bin").symlink_to("big/index.js")
    scene.git("stash", "list")
    for number, path in enumerate(sorted(scene.top.rglob("*"))):
        if path.is_file() and ".git/" not in str(path) and not path.is_symlink():
            os.utime(path, ns=(10**18 + number, 10**18 + number * 12345))
