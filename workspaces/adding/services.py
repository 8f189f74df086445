"""Changes on the host of a workspace that is being added: trust its key, clone or create a repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from posixpath import join
from typing import Literal

from aitask.lib.shell import command_line
from workspaces import git, services
from workspaces.adding import sources
from workspaces.adding.queries import connection_to
from workspaces.git import GitError
from workspaces.hostkit.escapes import visible
from workspaces.hosts import HostConnection, HostError
from workspaces.models import Workspace

FIRST_COMMIT = "First commit"
GIT_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
MAX_LINE = 200
CLONE_SECONDS = 20.0


@dataclass(frozen=True)
class Clone:
    """A clone on the host, as it was last reported."""

    number: str
    state: Literal["running", "done", "failed"]
    line: str
    target: str
    percent: int | None = None
    error: GitError | None = None


def trust(workspace: Workspace, fingerprint: str) -> None:
    """Trust the host key that the user compared; the host's row is saved. Raises HostError."""
    services.accept_host_key(workspace.host, fingerprint)


def start_clone(workspace: Workspace, url: str, target: str) -> Clone:
    """Start to clone into a folder that does not exist; below the home folder if none is named.

    Raises Refused.
    """
    url = sources.checked(url)
    host = connection_to(workspace)
    path = _new_path(host, target or join("~", sources.name_of(url) or "repository"))
    try:
        number = host.call("start_clone", {"url": url, "target": path}, timeout=CLONE_SECONDS)["id"]
    except HostError as error:
        raise _in_the_way(error) from error
    return Clone(number, "running", "Connecting…", path)


def clone(workspace: Workspace, number: str, url: str) -> Clone:
    """Return how a clone is going. `url` is its address, for the words about a failure. Raises HostError."""
    found = connection_to(workspace).call("clone_state", {"id": number}, timeout=CLONE_SECONDS)
    line = visible(found["line"])[:MAX_LINE]
    percent = re.search(r"(\d{1,3})%", line)
    error = _why(found["errors"], url) if found["state"] == "failed" else None
    return Clone(number, found["state"], line, found["target"], int(percent[1]) if percent else None, error)


def create(workspace: Workspace, target: str) -> str:
    """Create a repository with an empty first commit, from which tasks can start. Returns its path.

    Raises Refused, also if there is a file or folder with this name.
    """
    host = connection_to(workspace)
    if not target.strip():
        raise GitError("Enter the folder of the new repository.", "For example: ~/shop", code="bad_path")
    path = _new_path(host, target)
    try:
        host.run(["mkdir", "--", path])
    except HostError as error:
        raise _in_the_way(error) from error
    _git(host, path, "init", "--quiet")
    if host.run(["git", "-C", path, "config", "init.defaultBranch"], env=GIT_ENVIRONMENT, check=False).rc:
        _git(host, path, "symbolic-ref", "HEAD", "refs/heads/main")
    commit = ("-c", "commit.gpgSign=false", "commit", "--quiet", "--allow-empty", "-m", FIRST_COMMIT)
    try:
        _git(host, path, *commit)
    except GitError:  # usually because git has no name for the author
        user = host.hello()["user"]
        _git(host, path, "-c", f"user.name={user}", "-c", f"user.email={user}@localhost", *commit)
    return path


def _git(host: HostConnection, path: str, *args: str) -> None:
    done = host.run(["git", "-C", path, *args], env=GIT_ENVIRONMENT, check=False)
    if done.rc:
        raise GitError(f"git could not create the repository: {visible(done.err.strip())[-400:]}")


def _new_path(host: HostConnection, target: str) -> str:
    """Return the absolute path of what is to be created. Raises GitError."""
    path = git.expand(host, target.strip())
    if path == "/" or host.exists(path):
        raise GitError(
            f"{target.strip()} exists already.",
            "Nothing was changed. Choose another folder, or choose this one in the list.",
            code="exists",
        )
    return path


def _in_the_way(error: HostError) -> GitError:
    """Return why a folder could not be created, in words of the host."""
    if error.retryable:
        return GitError(error.reason, error.hint, code=error.code)
    text = error.reason.partition("status 1: ")[2] or error.reason
    return GitError(visible(text), "Nothing was changed. Choose another folder.", code="folder")


def _why(lines: list[str], url: str) -> GitError:
    """Return the error of a failed clone, in words for the causes that are frequent."""
    text = "\n".join(lines)
    for pattern, reason, hint in FAILURES:
        if re.search(pattern, text, re.IGNORECASE):
            server = sources.ssh_name(url)
            command = command_line("ssh", "-T", server) if server and "{ssh}" in hint else ""
            return GitError(reason, hint.replace("{ssh}", command), code="clone", command=command)
    said = [visible(line.removeprefix("fatal: ")) for line in lines if line.startswith(("fatal:", "error:"))]
    reason = " ".join(said)[-400:] or "The process on the host ended before the clone was complete."
    return GitError(
        f"The repository was not cloned. {reason}", "Nothing is left of it. Try again.", code="clone"
    )


FAILURES = (
    (
        r"Host key verification failed|authenticity of host",
        "The host does not know the key of the repository's server yet.",
        "Connect once in a terminal there, compare the fingerprint and accept it: {ssh}",
    ),
    (
        r"Permission denied \(|publickey",
        "The repository's server accepts no SSH key of the host.",
        "Add the host's public key to your account there, or let the host use your SSH agent.",
    ),
    (
        r"could not read Username|Authentication failed|terminal prompts disabled|returned error: 40[13]",
        "The repository's server asks for a login, and git on the host has none for it.",
        "It may be private, or the address may be wrong. Use an SSH address, or set up a credential helper"
        " of git on the host.",
    ),
    (
        r"repository .*not found|does not appear to be a git repository|Repository not found|error: 404",
        "There is no such repository, or the host may not read it.",
        "Check the address.",
    ),
    (
        r"Could not resolve host",
        "The host can't find the repository's server by its name.",
        "Check the address, and the host's network.",
    ),
    (
        r"timed out|Connection refused|No route to host|Network is unreachable|Failed to connect",
        "The host can't reach the repository's server.",
        "Check the address, and whether the host needs a proxy or VPN for it.",
    ),
    (
        r"No space left on device|Disk quota exceeded",
        "The host's disk is full.",
        "Free some space there, and try again.",
    ),
    (
        r"printed nothing for|took longer than",
        "The repository's server stopped sending.",
        "Try again, or clone it in a terminal there.",
    ),
)
"""What git prints, the reason and what to do."""
