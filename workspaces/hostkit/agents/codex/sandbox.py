"""What Codex asks before, and where its commands may write, by permission mode."""

from __future__ import annotations

from typing import Dict

from ...base.modes import PLAN
from ...run.commit import folders_for_commits
from ...wire import Json, RunSpec
from .asked import NEVER_BUT_FORMS

APPROVALS: Dict[str, object] = {
    "plan": "on-request",
    "ask": "untrusted",
    "edits": "on-request",
    "full": NEVER_BUT_FORMS,
}
"""Its approval policies. In plan mode not `never`, with which it lets MCP tools write unasked."""
SANDBOXES = {
    "plan": "read-only",
    "ask": "workspace-write",
    "edits": "workspace-write",
    "full": "danger-full-access",
}
PROFILE, PLAN_PROFILE, FULL_ACCESS = "aitask", "aitask-plan", ":danger-full-access"


def of_thread(spec: RunSpec, mode: str) -> Json:
    """Return the parameters of a new or resumed thread. `profiles` goes to its `config`."""
    return _profile(mode) if spec.get("unreadable") else {"sandbox": SANDBOXES[mode]}


def of_turn(spec: RunSpec, mode: str) -> Json:
    """Return the parameters of a turn."""
    return _profile(mode) if spec.get("unreadable") else {"sandboxPolicy": _policy(spec, mode)}


def profiles(spec: RunSpec) -> Json:
    """Return the permission profiles for a run from which some folders are hidden; else nothing.

    With such a rule, Codex runs no command outside of its sandbox, even if the user allows it.
    """
    hidden: Dict[str, str] = dict.fromkeys(spec.get("unreadable") or [], "deny")
    if not hidden:
        return {}
    reading: Json = {":root": "read"}
    writing: Json = {**reading, ":workspace_roots": {".": "write"}, ":tmpdir": "write"}
    writing.update(dict.fromkeys(folders_for_commits(spec), "write"))
    rules = {PROFILE: writing, PLAN_PROFILE: reading}
    return {"permissions": {name: {"filesystem": {**each, **hidden}} for name, each in rules.items()}}


def _profile(mode: str) -> Json:
    return {"permissions": {"full": FULL_ACCESS, PLAN: PLAN_PROFILE}.get(mode, PROFILE)}


def _policy(spec: RunSpec, mode: str) -> Json:
    """Return where commands may write: the worktree, TMPDIR, and what a commit in the worktree needs.

    Not /tmp, where the sockets of tmux and the files of other programs are. In plan mode nowhere at all.
    """
    if mode == "full":
        return {"type": "dangerFullAccess"}
    if mode == PLAN:
        return {"type": "readOnly", "networkAccess": False}
    return {
        "type": "workspaceWrite",
        "writableRoots": folders_for_commits(spec),
        "networkAccess": False,
        "excludeTmpdirEnvVar": False,
        "excludeSlashTmp": True,
    }
