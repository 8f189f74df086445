"""The health check of a workspace: each finding says what is wrong and what to do about it."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from posixpath import dirname, join

from django.conf import settings

from aitask.lib.errors import Refused
from aitask.lib.shell import command_line
from workspaces import clis, git, hosts, tmux
from workspaces.git import GitError, spotlight, trust
from workspaces.git.repos import bare_by_mistake, is_bare_by_mistake
from workspaces.hostkit import wire
from workspaces.hosts import HostConnection, HostError
from workspaces.links import note_down, note_up
from workspaces.models import Host, Workspace
from workspaces.trials import services as trials
from workspaces.trials.queries import words_about

OLDEST_PYTHON = (3, 8)
FEW_BYTES, LITTLE_BYTES = 500 << 20, 5 << 30
"""Free bytes below which runs will fail, and below which the check warns."""
SMALL_SKEW, LARGE_SKEW = 5.0, 60.0
"""Seconds of clock difference above which the check warns, and above which it fails."""
DEFAULT_SESSIONS = 10
GIBIBYTE = 1 << 30
REACH_SECONDS = 25.0
"""How long a user waits for a host to answer for the first time."""
OF_PROGRAMS = ("Python", "git", "tmux", "Disk", "SSH sessions", "Clock", "Account")
OF_CLIS = ("CLIs",)
"""The CHECKS of a host alone. The first ones take milliseconds, the CLIs take seconds to start."""


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    name: str
    ok: bool | None
    "None: unknown, or a warning that does not keep runs from starting."
    detail: str
    hint: str = ""
    error: HostError | None = None
    "Why the host can't be reached; for an unknown host key, its `data` holds the fingerprint."
    backend: str = ""
    "The installed CLI that it is about."
    command: str = ""
    "What a user can type on the host to fix it; empty if no command alone does."

    @property
    def can_be_typed(self) -> bool:
        """Whether the app's terminal can be used for it: terminals need tmux."""
        return self.name != "tmux"


@dataclass(frozen=True)
class Inspection:
    """A workspace and what its host reported."""

    workspace: Workspace
    host: HostConnection
    hello: wire.Hello
    facts: wire.HostFacts
    skew: float
    "Seconds that the host's clock is ahead of ours."


Check = Callable[[Inspection], Iterator[Finding]]


def check(workspace: Workspace) -> list[Finding]:
    """Check everything that a run needs. A host that can't be reached is a finding, not an exception."""
    host = hosts.get(workspace.host.address)
    try:
        inspection = _inspect(workspace, host)
    except HostError as error:
        note_down(workspace.host, error)
        return [Finding("Host", False, error.reason, error.hint, error)]
    note_up(workspace.host)
    findings = [_reached(host, inspection.hello)]
    for name, run_check in CHECKS.items():
        findings += _guarded(name, run_check, inspection)
    return findings


def reach(workspace: Workspace) -> Finding:
    """Connect to the host of a workspace that need not be saved. The host's row is saved if it answers."""
    row = Host.at(workspace.address)
    host = hosts.get(row.address)
    try:
        hello = host.hello(force=True, timeout=REACH_SECONDS)
    except HostError as error:
        note_down(row, error)
        return Finding("Host", False, error.reason, error.hint, error)
    note_up(workspace.host)
    return _reached(host, hello)


def check_host(workspace: Workspace, names: Iterable[str]) -> list[Finding]:
    """Do some of the CHECKS of a host on which a workspace is being added. Raises HostError."""
    inspection = _inspect(workspace, hosts.get(workspace.host.address))
    return [finding for name in names for finding in _guarded(name, CHECKS[name], inspection)]


def _reached(host: HostConnection, hello: wire.Hello) -> Finding:
    return Finding("Host", True, f"{host.label}: {hello['user']}@{hello['hostname']}, {hello['platform']}")


def _inspect(workspace: Workspace, host: HostConnection) -> Inspection:
    hello = host.hello(force=True)
    before = time.time()
    path = _expanded(workspace.repo_path, hello)
    facts = host.call("doctor", {"repo_path": path, "environment": workspace.environment}, timeout=40)
    skew = facts["time"] - (before + time.time()) / 2
    return Inspection(workspace, host, hello, facts, skew)


def _expanded(path: str, hello: wire.Hello) -> str:
    return f"{hello['home']}{path[1:]}" if path == "~" or path.startswith("~/") else path


def _guarded(name: str, run_check: Check, inspection: Inspection) -> list[Finding]:
    """Run one check; a refusal becomes its finding, so that the other checks still run."""
    try:
        return list(run_check(inspection))
    except Refused as error:
        command = error.command if isinstance(error, GitError) else ""
        return [Finding(name, False, error.reason, error.hint, command=command)]


def _python(inspection: Inspection) -> Iterator[Finding]:
    version = inspection.facts["python"]
    ok = (tmux.version_of(version) or (0, 0)) >= OLDEST_PYTHON
    yield Finding("Python", ok, version, "" if ok else "Install Python 3.8 or newer on the host, as python3.")


def _git(inspection: Inspection) -> Iterator[Finding]:
    found = inspection.facts["git"]
    if found["path"]:
        yield Finding("git", True, found["version"] or "of unknown version")
    else:
        yield _not_installed("git")


def _not_installed(program: str) -> Finding:
    command = f"sudo apt install {program}"
    hint = f"Install it on the host, for example: {command}"
    return Finding(program, False, "not installed", hint, command=command)


def _tmux(inspection: Inspection) -> Iterator[Finding]:
    found = inspection.facts["tmux"]
    version = tmux.version_of(found["version"] or "")
    if not found["path"]:
        yield _not_installed("tmux")
    elif version is not None and version < tmux.OLDEST:
        yield Finding("tmux", False, found["version"] or "", "Install tmux 3.2 or newer on the host.")
    else:
        yield Finding("tmux", True, found["version"] or "of unknown version")
    if inspection.facts["ends_with_login"]:
        user = inspection.facts["user"]
        yield Finding(
            "Log-out",
            None,
            f"The host ends all programs of {user} at the last log-out, also agents (KillUserProcesses).",
            f"Let them run on: loginctl enable-linger {user}",
            command=command_line("loginctl", "enable-linger", user),
        )


def _repository(inspection: Inspection) -> Iterator[Finding]:
    workspace, host = inspection.workspace, inspection.host
    repo = git.inspect_repo(host, workspace.repo_path)
    if is_bare_by_mistake(host, repo):
        error = bare_by_mistake(repo)
        yield Finding("Repository", False, error.reason, error.hint, command=error.command)
    elif repo.path != git.expand(host, workspace.repo_path):
        hint = f"Set the repository to {repo.path}."
        yield Finding("Repository", None, f"{workspace.repo_path} is a folder inside {repo.path}.", hint)
    else:
        state = "bare" if repo.bare else "HEAD is detached" if repo.detached else f"on {repo.branch}"
        more = ", with submodules" if repo.has_submodules else ""
        yield Finding("Repository", True, f"{repo.path}, {state}{more}")
    yield from _guarded("Git settings", lambda _: _git_settings(inspection, repo), inspection)
    yield from _guarded("Hooks", lambda _: _hooks(inspection, repo), inspection)
    yield from _guarded("Base branch", _base_branch, inspection)
    yield from _guarded("Worktree folder", lambda _: _worktree_folder(inspection, repo), inspection)


def _git_settings(inspection: Inspection, repo: git.Repo) -> Iterator[Finding]:
    if trust.is_undecided(trust.git_changes(inspection.host, repo.path)):
        hint = "Open Git on this workspace's page and decide whether merges use the changes."
        yield Finding("Git settings", None, "The repository's configuration or hooks have changed.", hint)


def _hooks(inspection: Inspection, repo: git.Repo) -> Iterator[Finding]:
    """Warn of hooks in a folder that worktrees don't have, such as .husky/_: they are silently left out."""
    host = inspection.host
    folder = host.run(["git", "-C", repo.path, "config", "--get", "core.hooksPath"], check=False).out.strip()
    if not folder or folder.startswith(("/", "~")) or not host.exists(join(repo.path, folder)):
        return
    commit = git.base_commit(host, repo.path, inspection.workspace.base_branch)
    if not git.git(host, repo.path, "ls-tree", commit, "--", f"{folder.rstrip('/')}/").out:
        yield Finding(
            "Hooks",
            None,
            f"The repository's hooks are in {folder}, which no commit contains. So they run neither for"
            " agents nor for merges, whose worktrees don't have that folder.",
            "Let the setup command make it, for example: npx husky. Or let the check command do what the"
            " hooks check.",
        )


def _base_branch(inspection: Inspection) -> Iterator[Finding]:
    workspace = inspection.workspace
    commit = git.base_commit(
        inspection.host, git.expand(inspection.host, workspace.repo_path), workspace.base_branch
    )
    yield Finding("Base branch", True, f"{workspace.base_branch} at {commit[:10]}")


def _worktree_folder(inspection: Inspection, repo: git.Repo) -> Iterator[Finding]:
    root = inspection.workspace.worktree_root
    folder = git.expand(inspection.host, root) if root.strip() else git.default_root(repo)
    existing = folder
    while existing != "/" and not inspection.host.exists(existing):
        existing = dirname(existing)
    writable = inspection.host.run(["test", "-d", existing, "-a", "-w", existing], check=False).rc == 0
    hint = (
        ""
        if writable
        else f"Make {existing} writable for {inspection.hello['user']}, or choose another folder."
    )
    yield Finding(
        "Worktree folder", writable, folder if writable else f"{existing} can't be written to.", hint
    )


def _clis(inspection: Inspection) -> Iterator[Finding]:
    """A CLI that is not the workspace's default may be missing."""
    found = inspection.host.call("probe", {"environment": inspection.workspace.environment}, timeout=40)
    for cli in clis.every():
        is_default = cli.name == inspection.workspace.default_backend
        finding = _cli(cli, found[cli.name])
        if inspection.workspace.pk:
            finding = _with_turns(finding, cli, inspection, found[cli.name])
        if not is_default and finding.ok is False:
            hint = f"Only needed for tasks that use it. {finding.hint}"
            finding = replace(finding, ok=None, hint=hint)
        yield finding
        yield from _supported(cli, found[cli.name])


def _with_turns(finding: Finding, cli: clis.Cli, inspection: Inspection, found: wire.ProbedCli) -> Finding:
    """Add to the finding of an installed CLI which version has finished a turn, and whether runs wait."""
    if not found["path"]:
        return finding
    row = trials.look(inspection.workspace, cli.name, inspection.host)
    detail = f"{finding.detail}. {words_about(row)}"
    finding = replace(finding, detail=detail, backend=cli.name)
    if row.is_held:
        hint = "Install another version on the host, try a turn again, or let runs start anyway."
        return replace(finding, ok=False, hint=f"{hint} {finding.hint}".strip())
    return finding


def _supported(cli: clis.Cli, found: wire.ProbedCli) -> Iterator[Finding]:
    """Warn of a version that is older than the oldest supported one. It is not held: it may work."""
    version = found["version"]
    if version and cli.is_too_old(version):
        yield Finding(
            f"{cli.label} version",
            None,
            f"{version} is older than {cli.oldest}, the oldest supported version.",
            f"Update it on the host, for example: {cli.how_to_install}",
            command=cli.how_to_install,
        )


def _cli(cli: clis.Cli, found: wire.ProbedCli) -> Finding:
    name, version = cli.label, found["version"] or "of unknown version"
    if not found["path"]:
        return Finding(
            name,
            False,
            "not installed",
            f"Install it on the host, for example: {cli.how_to_install}",
            command=cli.how_to_install,
        )
    if found["logged_in"] is False:
        return Finding(
            name,
            False,
            f"{version}, not logged in",
            f"Log in on the host: run `{cli.how_to_log_in}` in a terminal.",
            command=cli.how_to_log_in,
        )
    if found["logged_in"] is None:
        return Finding(name, None, f"{version}; whether it is logged in is not known", found["detail"])
    return Finding(name, True, f"{version}, logged in" + (f" ({found['detail']})" if found["detail"] else ""))


def _spotlight(inspection: Inspection) -> Iterator[Finding]:
    """Put a checkout back in which Spotlight was interrupted, as by a restart of the host."""
    path = _expanded(inspection.workspace.repo_path, inspection.hello)
    state = spotlight.look(inspection.host, path)
    if state.is_interrupted:
        told = " ".join(spotlight.put_back(inspection.host, path).told)
        detail = f"It was interrupted in {path}. The checkout is as it was before. {told}"
        yield Finding("Spotlight", None, detail.strip())
    elif state.is_on:
        yield Finding("Spotlight", None, f"{path} shows the commit {state.commit[:10]} of a task.")


def _disk(inspection: Inspection) -> Iterator[Finding]:
    disk = inspection.facts["disk"]
    free, whole = disk["free_bytes"], disk["total_bytes"]
    detail = f"{free / GIBIBYTE:.1f} of {whole / GIBIBYTE:.0f} GiB free at {disk['path']}"
    if free < FEW_BYTES:
        yield Finding("Disk", False, detail, "Free some disk space: runs will fail.")
    elif free < LITTLE_BYTES:
        yield Finding("Disk", None, detail, "Free some disk space soon.")
    else:
        yield Finding("Disk", True, detail)


def _sessions(inspection: Inspection) -> Iterator[Finding]:
    if inspection.host.address.kind == "local":
        return
    most = inspection.facts["sshd"]["max_sessions"]
    if most is None:
        yield Finding(
            "SSH sessions",
            True,
            f"{DEFAULT_SESSIONS} per connection, unless its sshd_config sets another limit",
        )
    elif most < 2:
        hint = "Runs work, but each terminal needs its own connection. Raise MaxSessions in its sshd_config."
        yield Finding("SSH sessions", None, f"{most} per connection", hint)
    else:
        yield Finding("SSH sessions", True, f"{most} per connection")


def _clock(inspection: Inspection) -> Iterator[Finding]:
    off = abs(inspection.skew)
    if off < SMALL_SKEW:
        yield Finding("Clock", True, f"{off:.1f} s apart")
        return
    which = "ahead" if inspection.skew > 0 else "behind"
    command = "timedatectl set-ntp true"
    hint = f"Synchronise the clocks of both machines: {command}"
    ok = None if off < LARGE_SKEW else False
    yield Finding("Clock", ok, f"The host is {off:.0f} s {which}.", hint, command=command)


def _own_account(inspection: Inspection) -> Iterator[Finding]:
    """Warn if agents run as the user that runs the app, here or by SSH to this machine."""
    hello = inspection.hello
    is_here = inspection.host.address.kind == "local" or hello["hostname"] == socket.gethostname()
    if not is_here or hello["user"] != getpass.getuser():
        return
    yield Finding(
        "Account",
        None,
        f"Agents run as {hello['user']}, like the app. They can read its sessions, prompts and secret key in"
        f" {settings.DATA_DIR}.",
        "Create an account for agents on this machine, and add it as an SSH host. HIDE_DATA_DIR=true hides"
        " the folder from Codex in its sandbox, where commands then stay even if you allow more.",
    )


CHECKS: dict[str, Check] = {
    "Python": _python,
    "git": _git,
    "tmux": _tmux,
    "Repository": _repository,
    "CLIs": _clis,
    "Spotlight": _spotlight,
    "Disk": _disk,
    "SSH sessions": _sessions,
    "Clock": _clock,
    "Account": _own_account,
}
