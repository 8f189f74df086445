"""Repositories of any size, created at once by `git fast-import`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from aitask.tests.lab.repos import git, make_unborn_repo

Files = Mapping[str, str | bytes | None]
"Maps paths to contents; None removes the file."
WHO = "Ada Lab <ada@lab.invalid>"


class History:
    """Collects commits and writes them at once."""

    def __init__(self, repo: Path) -> None:
        self.repo = repo
        self._lines: list[bytes] = []
        self._time = 1_700_000_000

    def commit(self, branch: str, files: Files, message: str = "", parent: str = "") -> History:
        """Add a commit to a branch; `parent` starts the branch there."""
        self._time += 60
        said = (message or f"Work on {branch}").encode()
        self._lines.append(f"commit refs/heads/{branch}\ncommitter {WHO} {self._time} +0000\n".encode())
        self._lines.append(b"data %d\n%s\n" % (len(said), said))
        if parent:
            self._lines.append(f"from refs/heads/{parent}^0\n".encode())
        for name, content in files.items():
            self._file(name, content)
        return self

    def _file(self, name: str, content: str | bytes | None) -> None:
        path = b'"' + b"".join(b"\\%03o" % byte for byte in os.fsencode(name)) + b'"'
        if content is None:
            self._lines.append(b"D " + path + b"\n")
            return
        data = content.encode() if isinstance(content, str) else content
        self._lines.append(b"M 644 inline " + path + b"\ndata %d\n" % len(data) + data + b"\n")

    def write(self) -> Path:
        subprocess.run(
            ["git", "fast-import", "--quiet"], cwd=self.repo, input=b"".join(self._lines), check=True
        )
        self._lines.clear()
        return self.repo


def text(number: int, lines: int = 20) -> str:
    return "".join(f"line {line} of {number}\n" for line in range(lines))


def name_of(number: int) -> str:
    return f"part{number // 200:03}/file{number:05}.txt"


def make_history(folder: Path, files: int = 50) -> History:
    """Create a repository whose main, which is checked out, has this many files of 20 lines."""
    repo = make_unborn_repo(folder)
    git(repo, "config", "user.name", "Ada Lab")
    git(repo, "config", "user.email", "ada@lab.invalid")
    first = {name_of(number): text(number) for number in range(files)}
    return History(repo).commit("main", {"check.txt": "good\n", **first}, "First commit")


def changed(number: int, line: int, words: str) -> dict[str, str]:
    """Return a numbered file with one changed line."""
    lines = text(number).splitlines()
    lines[line] = words
    return {name_of(number): "\n".join(lines) + "\n"}


def first_parent_subjects(repo: Path, since: str = "") -> list[str]:
    """Return the subjects of main's first-parent history, oldest first."""
    words = [f"{since}..main"] if since else ["main"]
    return git(repo, "log", "--first-parent", "--reverse", "--format=%s", *words).splitlines()
