"""What is right and wrong with a workspace, and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from posixpath import dirname

from aitask.lib.errors import Refused
from workspaces import clis, git, hosts, tmux
from workspaces.hostkit import wire
from workspaces.hosts import HostConnection, HostError
from workspaces.links import note_down, note_up
from workspaces.models import Workspace

OLDEST_PYTHON = (3, 8)
FEW_BYTES, LITTLE_BYTES = 500 << 20, 5 << 30
"""Free disk below which runs will fail, and below which one should think of it."""
SMALL_SKEW, LARGE_SKEW = 5.0, 60.0
"""Seconds that two clocks may differ before it is worth a word, or wrong."""
DEFAULT_SESSIONS = 10
GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool | None
    "None: could not be found out, or worth a word without standing in the way."
    detail: str
    hint: str = ""
    error: HostError | None = None
    "Why the host can't be reached; an unknown host key carries its fingerprint in here."


@dataclass(frozen=True)
class Patient:
    """A workspace and what its host says of itself."""

    workspace: Workspace
    host: HostConnection
    hello: wire.Hello
    facts: wire.HostFacts
    skew: float
    "Seconds that the host's clock is ahead of ours."


Check = Callable[[Patient], Iterator[Finding]]


def check(workspace: Workspace) -> list[Finding]:
    """Look at everything that a run needs. Never raises for what is wrong with a host."""
    host = hosts.get(workspace.host.address)
    try:
        patient = _examine(workspace, host)
    except HostError as error:
        note_down(workspace.host, error)
        return [Finding("Host", False, error.reason, error.hint, error)]
    note_up(workspace.host)
    reached = (
        f"{host.label}: {patient.hello['user']}@{patient.hello['hostname']}, {patient.hello['platform']}"
    )
    findings = [Finding("Host", True, reached)]
    for name, look in CHECKS.items():
        findings += _guarded(name, look, patient)
    return findings


def _examine(workspace: Workspace, host: HostConnection) -> Patient:
    hello = host.hello(force=True)
    before = time.time()
    path = _expanded(workspace.repo_path, hello)
    facts = host.call("doctor", {"repo_path": path, "environment": workspace.environment}, timeout=40)
    skew = facts["time"] - (before + time.time()) / 2
    return Patient(workspace, host, hello, facts, skew)


def _expanded(path: str, hello: wire.Hello) -> str:
    return f"{hello['home']}{path[1:]}" if path == "~" or path.startswith("~/") else path


def _guarded(name: str, look: Check, patient: Patient) -> list[Finding]:
    """One check that can't be made says why and does not keep the others from being made."""
    try:
        return list(look(patient))
    except Refused as error:
        return [Finding(name, False, error.reason, error.hint)]


def _python(patient: Patient) -> Iterator[Finding]:
    version = patient.facts["python"]
    ok = (tmux.version_of(version) or (0, 0)) >= OLDEST_PYTHON
    yield Finding("Python", ok, version, "" if ok else "Install Python 3.8 or newer there as python3.")


def _git(patient: Patient) -> Iterator[Finding]:
    found = patient.facts["git"]
    hint = "" if found["path"] else "Install it there, such as: sudo apt install git"
    yield Finding("git", bool(found["path"]), found["version"] or "not installed", hint)


def _tmux(patient: Patient) -> Iterator[Finding]:
    found = patient.facts["tmux"]
    version = tmux.version_of(found["version"] or "")
    if not found["path"]:
        yield Finding("tmux", False, "not installed", "Install it there, such as: sudo apt install tmux")
    elif version is not None and version < tmux.OLDEST:
        yield Finding("tmux", False, found["version"] or "", "Install tmux 3.2 or newer there.")
    else:
        yield Finding("tmux", True, found["version"] or "of unknown version")


def _repository(patient: Patient) -> Iterator[Finding]:
    workspace, host = patient.workspace, patient.host
    repo = git.inspect_repo(host, workspace.repo_path)
    if repo.path != git.expand(host, workspace.repo_path):
        hint = f"Give {repo.path} as the repository."
        yield Finding("Repository", None, f"{workspace.repo_path} is a folder inside {repo.path}.", hint)
    else:
        state = "bare" if repo.bare else "HEAD is detached" if repo.detached else f"on {repo.branch}"
        more = ", with submodules" if repo.has_submodules else ""
        yield Finding("Repository", True, f"{repo.path}, {state}{more}")
    yield from _guarded("Base branch", _base_branch, patient)
    yield from _guarded("Worktree folder", lambda _: _worktree_folder(patient, repo), patient)


def _base_branch(patient: Patient) -> Iterator[Finding]:
    workspace = patient.workspace
    commit = git.base_commit(
        patient.host, git.expand(patient.host, workspace.repo_path), workspace.base_branch
    )
    yield Finding("Base branch", True, f"{workspace.base_branch} at {commit[:10]}")


def _worktree_folder(patient: Patient, repo: git.Repo) -> Iterator[Finding]:
    root = patient.workspace.worktree_root
    folder = git.expand(patient.host, root) if root.strip() else git.default_root(repo)
    existing = folder
    while existing != "/" and not patient.host.exists(existing):
        existing = dirname(existing)
    writable = patient.host.run(["test", "-d", existing, "-a", "-w", existing], check=False).rc == 0
    hint = (
        "" if writable else f"Make {existing} writable for {patient.hello['user']}, or choose another folder."
    )
    yield Finding(
        "Worktree folder", writable, folder if writable else f"{existing} can't be written to.", hint
    )


def _clis(patient: Patient) -> Iterator[Finding]:
    """What a workspace does not use by default may be missing."""
    found = patient.host.call("probe", {"environment": patient.workspace.environment}, timeout=40)
    for cli in clis.every():
        is_default = cli.name == patient.workspace.default_backend
        finding = _cli(cli, found[cli.name])
        yield (
            finding
            if is_default or finding.ok is not False
            else Finding(
                finding.name,
                None,
                finding.detail,
                f"Only needed for tasks that choose it. {finding.hint}",
            )
        )


def _cli(cli: clis.Cli, found: wire.ProbedCli) -> Finding:
    name, version = cli.label, found["version"] or "of unknown version"
    if not found["path"]:
        return Finding(name, False, "not installed", f"Install it there, such as: {cli.how_to_install}")
    if found["logged_in"] is False:
        return Finding(
            name,
            False,
            f"{version}, not logged in",
            f"Log in there: run `{cli.how_to_log_in}` in a terminal.",
        )
    if found["logged_in"] is None:
        return Finding(name, None, f"{version}; whether it is logged in is not known", found["detail"])
    return Finding(name, True, f"{version}, logged in" + (f" ({found['detail']})" if found["detail"] else ""))


def _disk(patient: Patient) -> Iterator[Finding]:
    disk = patient.facts["disk"]
    free, whole = disk["free_bytes"], disk["total_bytes"]
    detail = f"{free / GIBIBYTE:.1f} of {whole / GIBIBYTE:.0f} GiB free at {disk['path']}"
    if free < FEW_BYTES:
        yield Finding("Disk", False, detail, "Make room: runs will fail.")
    elif free < LITTLE_BYTES:
        yield Finding("Disk", None, detail, "It may not last for long.")
    else:
        yield Finding("Disk", True, detail)


def _sessions(patient: Patient) -> Iterator[Finding]:
    if patient.host.address.kind == "local":
        return
    most = patient.facts["sshd"]["max_sessions"]
    if most is None:
        yield Finding(
            "SSH sessions", True, f"{DEFAULT_SESSIONS} a connection, unless its sshd says otherwise"
        )
    elif most < 2:
        hint = "Runs work; terminals need a connection of their own. Raise MaxSessions in its sshd_config."
        yield Finding("SSH sessions", None, f"{most} a connection", hint)
    else:
        yield Finding("SSH sessions", True, f"{most} a connection")


def _clock(patient: Patient) -> Iterator[Finding]:
    off = abs(patient.skew)
    if off < SMALL_SKEW:
        yield Finding("Clock", True, f"{off:.1f} s apart")
        return
    which = "ahead" if patient.skew > 0 else "behind"
    hint = "Let both machines set their clocks by the network: timedatectl set-ntp true"
    yield Finding("Clock", None if off < LARGE_SKEW else False, f"The host is {off:.0f} s {which}.", hint)


CHECKS: dict[str, Check] = {
    "Python": _python,
    "git": _git,
    "tmux": _tmux,
    "Repository": _repository,
    "CLIs": _clis,
    "Disk": _disk,
    "SSH sessions": _sessions,
    "Clock": _clock,
}
