"""What a host has: repositories, folders, and what a repository offers to a new workspace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from posixpath import basename, dirname, join

from django.contrib.auth.models import User

from workspaces import git, hosts
from workspaces.adding import proposals
from workspaces.adding.proposals import Proposal
from workspaces.git.repos import TASK_PREFIX, bare_by_mistake, is_bare_by_mistake, no_commits, refs
from workspaces.hostkit.escapes import visible
from workspaces.hosts import HostConnection
from workspaces.models import Host, Workspace

SEARCH_SECONDS, SEARCH_ANSWER_SECONDS = 3.0, 15.0
MAX_FOUND = 100
MAX_BRANCHES = 300
FOLDER_SECONDS = 10.0
EPOCH = datetime.fromtimestamp(0, UTC)
MAX_YEAR = 2200
USUAL_BASES = ("main", "master", "trunk", "develop")
"""Base branches that are preferred if HEAD is detached."""
MAX_NAME = 100


@dataclass(frozen=True)
class Candidate:
    """A repository on the host that can become a workspace."""

    path: str
    branch: str
    used_at: datetime | None
    workspace: Workspace | None
    "The user's own workspace that has it already."

    @property
    def name(self) -> str:
        return basename(self.path)


@dataclass(frozen=True)
class Candidates:
    """The repositories that were found; not `complete` if the search was cut short."""

    repositories: list[Candidate]
    complete: bool


@dataclass(frozen=True)
class Folder:
    """A folder on the host, for browsing."""

    path: str
    parent: str
    "Empty for the root."
    folders: list[tuple[str, str, bool]]
    "Name, path, and whether it is a repository."
    left_out: int


@dataclass(frozen=True)
class Offer:
    """What a repository offers to a new workspace."""

    path: str
    "Its top folder, which may be above the one that was named."
    name: str
    branch: str
    "The proposed base branch."
    branches: list[str]
    note: str = ""
    setup: list[Proposal] = field(default_factory=list)
    check: list[Proposal] = field(default_factory=list)
    copied: list[Proposal] = field(default_factory=list)


def connection_to(workspace: Workspace) -> HostConnection:
    """Return the connection to the host of a workspace that need not be saved."""
    return hosts.get(Host.at(workspace.address).address)


def repositories(workspace: Workspace, user: User) -> Candidates:
    """Search the host for repositories, within bounds. Raises HostError."""
    host = connection_to(workspace)
    found = host.call(
        "find_repositories",
        {"seconds": SEARCH_SECONDS, "most": MAX_FOUND},
        timeout=SEARCH_ANSWER_SECONDS,
    )
    home = host.hello()["home"]
    own = {
        git.expand(host, each.repo_path) if each.repo_path.startswith("~") else each.repo_path: each
        for each in user.own_workspaces.all()
        if each.address == workspace.address
    }
    rows = [
        Candidate(
            _shortened(each["path"], home),
            visible(each["branch"])[:MAX_NAME],
            _time(each["used_at"]),
            own.get(each["path"]),
        )
        for each in found["repositories"]
        if each["path"].isprintable()
    ]
    rows.sort(key=lambda row: row.workspace is not None)
    return Candidates(rows, found["complete"])


def folder(workspace: Workspace, path: str) -> Folder:
    """List the folders in a folder of the host. Raises Refused."""
    host = connection_to(workspace)
    found = host.call("list_folder", {"path": git.expand(host, path or "~")}, timeout=FOLDER_SECONDS)
    here, home = found["path"], host.hello()["home"]
    below = [
        (each["name"], _shortened(join(here, each["name"]), home), each["is_repository"])
        for each in found["folders"]
        if each["name"].isprintable()
    ]
    left_out = found["left_out"] + len(found["folders"]) - len(below)
    parent = "" if here == "/" else _shortened(dirname(here), home)
    return Folder(_shortened(here, home), parent, below, left_out)


def offer(workspace: Workspace, user: User, path: str) -> Offer:
    """Look at a repository that the user has chosen. Raises Refused: what would keep tasks from running."""
    host = connection_to(workspace)
    repo = git.inspect_repo(host, path)
    if is_bare_by_mistake(host, repo):
        raise bare_by_mistake(repo)
    names = refs(host, repo.path, "refs/heads", "refs/remotes/origin")
    branches = _branches(names)
    if not branches:
        raise no_commits(repo.path)
    branch = repo.branch if repo.branch in branches else _usual(branches)
    files = host.call(
        "read_files",
        {"folder": repo.path, "names": list(proposals.NAMES), "limit": proposals.MAX_FILE_BYTES},
    )
    asked = git.expand(host, path)
    return Offer(
        path=_shortened(repo.path, host.hello()["home"]),
        name=_free_name(user, basename(repo.path).removesuffix(".git")),
        branch=branch,
        branches=branches,
        note="" if repo.path == asked else f"{path} is a folder inside this repository.",
        setup=proposals.setup_commands(files),
        check=proposals.check_commands(files),
        copied=[Proposal(name, name) for name in proposals.COPIED if host.exists(join(repo.path, name))],
    )


def _branches(names: Iterable[str]) -> list[str]:
    """Return the branches that a workspace can start from, local ones first."""
    local = [name.removeprefix("refs/heads/") for name in names if name.startswith("refs/heads/")]
    origin = [name.removeprefix("refs/remotes/origin/") for name in names if name.startswith("refs/remotes/")]
    every = dict.fromkeys([*local, *(name for name in origin if name != "HEAD")])
    shown = (name for name in every if not name.startswith(TASK_PREFIX) and name.isprintable())
    return list(shown)[:MAX_BRANCHES]


def _usual(branches: list[str]) -> str:
    return next((name for name in USUAL_BASES if name in branches), branches[0])


def _free_name(user: User, wanted: str) -> str:
    """Return a name that none of the user's workspaces has."""
    wanted = wanted[: MAX_NAME - 4] or "repository"
    taken = set(user.own_workspaces.filter(name__startswith=wanted).values_list("name", flat=True))
    numbered = (f"{wanted} {number}" for number in range(2, len(taken) + 3))
    return wanted if wanted not in taken else next(name for name in numbered if name not in taken)


def _shortened(path: str, home: str) -> str:
    """Return the path with ~ for the home folder."""
    if path == home:
        return "~"
    return f"~{path[len(home) :]}" if home != "/" and path.startswith(f"{home}/") else path


def _time(seconds: float) -> datetime | None:
    try:
        found = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return found if found > EPOCH and found.year < MAX_YEAR else None
