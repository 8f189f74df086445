"""Run git on a host, with argument lists and without prompts; failures become `GitError`."""

from __future__ import annotations

import re
from posixpath import isabs, normpath

from aitask.lib.errors import Refused
from aitask.lib.shell import command_line
from workspaces.hostkit import wire
from workspaces.hosts import Completed, HostConnection, HostError

SECONDS = 60.0
ANSWER_SECONDS = 5.0
"Added to a command's own timeout, which the host enforces."
ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", "LANGUAGE": "", "GIT_OPTIONAL_LOCKS": "0"}
MISSING_PROGRAM = re.compile(r"not found$|cannot (run|exec|spawn) ")
"Lines of git and of shells about a helper program, such as git-lfs, that is not installed."


class GitError(Refused):
    """git on the host failed. `code` is the kind of failure, for programs."""

    def __init__(self, reason: str, hint: str = "", *, code: str = "git", command: str = "") -> None:
        super().__init__(reason, hint)
        self.code = code
        self.command = command
        "What a user can type on the host to fix it."


def git(
    host: HostConnection,
    path: str,
    *args: str,
    timeout: float = SECONDS,
    check: bool = True,
    hooks: bool = False,
    index: str = "",
    stdin: str = "",
) -> Completed:
    """Run git in a folder of the host. With `check`, raise GitError for a status other than 0.

    Nothing runs that an agent could have written: see `workspaces.hostkit.git`. With `hooks`, the hooks run
    as they are trusted. `index` is the path of an index file other than the worktree's. git reads
    `stdin`.
    """
    params: wire.GitParams = {"path": path, "args": list(args), "timeout": timeout}
    if hooks:
        params["hooks"] = True
    if index:
        params["env"] = {"GIT_INDEX_FILE": index}
    if stdin:
        params["stdin"] = stdin
    done = call_git(host, params)
    if check and done.rc:
        raise failure(path, args[0], done)
    return done


def call_git(host: HostConnection, params: wire.GitParams) -> Completed:
    """Run git as `params` say, in the usual environment. Raises GitError if there is no git on the host."""
    params = {**params, "env": {**ENVIRONMENT, **params.get("env", {})}}
    timeout = params.setdefault("timeout", SECONDS)
    try:
        answer = host.call("git", params, timeout=timeout + ANSWER_SECONDS)
    except HostError as error:
        raise _no_git(host, error) from error
    return Completed(answer["rc"], answer["out"], answer["err"], answer["truncated"])


def find_with_git(host: HostConnection, path: str, *args: str) -> Completed:
    """Let git itself look for the repository at a path that a person has named.

    Only for `rev-parse`, which runs no other program. git refuses folders of other users here.
    """
    try:
        return host.run(["git", "-C", path, *args], env=ENVIRONMENT, timeout=SECONDS, check=False)
    except HostError as error:
        raise _no_git(host, error) from error


def _no_git(host: HostConnection, error: HostError) -> Refused:
    if error.code != "not_found":
        return error
    command = "sudo apt install git"
    hint = f"Install it there, for example: {command}"
    return GitError(f"git is not installed on {host.label}.", hint, code="no_git", command=command)


def failure(path: str, verb: str, done: Completed) -> GitError:
    """Return the GitError for git's error output."""
    lines = [line.strip() for line in done.err.strip().splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines[-3:]
    fatal = [*(line for line in lines if MISSING_PROGRAM.search(line) and line not in fatal), *fatal]
    message = " ".join(line.removeprefix("fatal: ").removeprefix("error: ") for line in fatal)[:500]
    if "dubious ownership" in done.err:
        command = command_line("git", "config", "--global", "--add", "safe.directory", path)
        return GitError(
            f"git refuses {path}, because it belongs to another user.",
            f"If you trust it, run on that host: {command}",
            code="safe_directory",
            command=command,
        )
    if "cannot change to" in done.err:
        return GitError(f"There is no folder {path}.", "Check the path on that host.", code="no_folder")
    if "not a git repository" in done.err:
        return GitError(
            f"{path} is not a git repository.",
            "Enter the folder that contains .git, or run git init there.",
            code="no_repo",
            command=command_line("git", "-C", path, "init"),
        )
    return GitError(f"git {verb} failed: {message or f'status {done.rc}'}")


def expand(host: HostConnection, path: str) -> str:
    """Return the absolute, normalised path; ~ is the home folder on the host. Raises GitError."""
    if not path.isprintable():
        raise GitError(
            f"{path!r} contains a line break or a control character.", "Rename the folder.", code="bad_path"
        )
    if path == "~" or path.startswith("~/"):
        path = host.hello()["home"] + path[1:]
    if not isabs(path):
        raise GitError(f"{path} is not an absolute path.", "Start it with / or ~/.", code="bad_path")
    return normpath(path)
