"""Git repositories of many kinds: plain, oddly named, with a submodule, unborn, detached."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

MakeRepo = Callable[[Path], Path]
ODD_NAME = 'Grüße an "Ida\'s" Hof $(x) 100%'
IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada Lab",
    "GIT_AUTHOR_EMAIL": "ada@lab.invalid",
    "GIT_COMMITTER_NAME": "Ada Lab",
    "GIT_COMMITTER_EMAIL": "ada@lab.invalid",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git with the lab's identity; return its output without the last newline."""
    command = ["git", "-c", "protocol.file.allow=always", "-c", "safe.directory=*", *arguments]
    done = subprocess.run(command, cwd=folder, env=IDENTITY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout.rstrip("\n")


def commit_file(repo: Path, name: str, content: str | bytes, message: str = "") -> str:
    """Write a file and commit it; return the commit's id."""
    path = repo / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    git(repo, "add", "--", name)
    git(repo, "commit", "-q", "-m", message or f"Add {name}")
    return git(repo, "rev-parse", "HEAD")


def make_unborn_repo(folder: Path, branch: str = "main") -> Path:
    """Create a repository without a commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", branch)
    return folder


def make_repo(folder: Path, branch: str = "main") -> Path:
    """Create a repository with two commits and its own identity."""
    make_unborn_repo(folder, branch)
    git(folder, "config", "user.name", "Ada Lab")
    git(folder, "config", "user.email", "ada@lab.invalid")
    commit_file(folder, "README.md", "# A repository of the lab\n")
    commit_file(folder, "src/main.py", 'print("hello")\n')
    return folder


def make_oddly_named_repo(parent: Path) -> Path:
    """Create a repository whose path has spaces, quotes, umlauts and characters that shells interpret."""
    return make_repo(parent / ODD_NAME)


def make_repo_with_submodule(folder: Path) -> Path:
    """Create a repository with a submodule `parts`, whose origin is next to it."""
    part = make_repo(folder.with_name(f"{folder.name}-part"))
    make_repo(folder)
    git(folder, "submodule", "--quiet", "add", str(part), "parts")
    git(folder, "commit", "-q", "-m", "Add a submodule")
    return folder


def make_detached_repo(folder: Path) -> Path:
    """Create a repository with a detached HEAD; `main` is one commit ahead of it."""
    make_repo(folder)
    git(folder, "checkout", "-q", "--detach", "HEAD~1")
    return folder
