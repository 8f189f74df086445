"""The health check of a workspace: each finding says what is wrong and what to do about it."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from posixpath import dirname, join

from django.conf import settings

from aitask.lib.errors import Refused
from workspaces import clis, git, hosts, tmux
from workspaces.git import trust
from workspaces.git.repos import bare_by_mistake, is_bare_by_mistake
from workspaces.hostkit import wire
from workspaces.hosts import HostConnection, HostError
from workspaces.links import note_down, note_up
from workspaces.models import Workspace
from workspaces.trials import services as trials
from workspaces.trials.queries import words_about

OLDEST_PYTHON = (3, 8)
FEW_BYTES, LITTLE_BYTES = 500 << 20, 5 << 30
"""Free bytes below which runs will fail, and below which the check warns."""
SMALL_SKEW, LARGE_SKEW = 5.0, 60.0
"""Seconds of clock difference above which the check warns, and above which it fails."""
DEFAULT_SESSIONS = 10
GIBIBYTE = 1 << 30


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
    hello = inspection.hello
    reached = f"{host.label}: {hello['user']}@{hello['hostname']}, {hello['platform']}"
    findings = [Finding("Host", True, reached)]
    for name, run_check in CHECKS.items():
        findings += _guarded(name, run_check, inspection)
    return findings


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
        return [Finding(name, False, error.reason, error.hint)]


def _python(inspection: Inspection) -> Iterator[Finding]:
    version = inspection.facts["python"]
    ok = (tmux.version_of(version) or (0, 0)) >= OLDEST_PYTHON
    yield Finding("Python", ok, version, "" if ok else "Install Python 3.8 or newer on the host, as python3.")


def _git(inspection: Inspection) -> Iterator[Finding]:
    found = inspection.facts["git"]
    hint = "" if found["path"] else "Install it on the host, for example: sudo apt install git"
    yield Finding("git", bool(found["path"]), found["version"] or "not installed", hint)


def _tmux(inspection: Inspection) -> Iterator[Finding]:
    found = inspection.facts["tmux"]
    version = tmux.version_of(found["version"] or "")
    if not found["path"]:
        yield Finding(
            "tmux", False, "not installed", "Install it on the host, for example: sudo apt install tmux"
        )
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
        )


def _repository(inspection: Inspection) -> Iterator[Finding]:
    workspace, host = inspection.workspace, inspection.host
    repo = git.inspect_repo(host, workspace.repo_path)
    if is_bare_by_mistake(host, repo):
        error = bare_by_mistake(repo)
        yield Finding("Repository", False, error.reason, error.hint)
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
        finding = _with_turns(_cli(cli, found[cli.name]), cli, inspection, found[cli.name])
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
        )


def _cli(cli: clis.Cli, found: wire.ProbedCli) -> Finding:
    name, version = cli.label, found["version"] or "of unknown version"
    if not found["path"]:
        return Finding(
            name, False, "not installed", f"Install it on the host, for example: {cli.how_to_install}"
        )
    if found["logged_in"] is False:
        return Finding(
            name,
            False,
            f"{version}, not logged in",
            f"Log in on the host: run `{cli.how_to_log_in}` in a terminal.",
        )
    if found["logged_in"] is None:
        return Finding(name, None, f"{version}; whether it is logged in is not known", found["detail"])
    return Finding(name, True, f"{version}, logged in" + (f" ({found['detail']})" if found["detail"] else ""))


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
    hint = "Synchronise the clocks of both machines: timedatectl set-ntp true"
    yield Finding("Clock", None if off < LARGE_SKEW else False, f"The host is {off:.0f} s {which}.", hint)


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
    "Disk": _disk,
    "SSH sessions": _sessions,
    "Clock": _clock,
    "Account": _own_account,
}
