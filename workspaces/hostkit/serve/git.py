"""Verbs for git: commands that run nothing an agent could have written, and what is trusted."""

from __future__ import annotations

import os
from typing import Dict, List, Optional

from ..git import command, places
from ..wire import (
    ChangedHook,
    ChangedSetting,
    DecideChangesParams,
    ExecParams,
    Executed,
    FileNames,
    GitChanges,
    GitParams,
    GitPlace,
    IndexParams,
    Nothing,
    PathParams,
    PlaceParams,
)
from . import commands
from .requests import Request, RequestFailure

MAX_INDEX = 512 * 1024 * 1024
NO_REPOSITORY = {"GIT_DIR": "/dev/null"}
"""With it, git says that there is no repository."""


def git(params: GitParams, request: Request) -> Executed:
    """Run git in a worktree or repository."""
    path = params["path"]
    place = _find(path)
    env = {**(params.get("env") or {}), **_environment(place, params)}
    argv = [*(params.get("prefix") or []), "git", "-C", path, *params["args"]]
    full: ExecParams = {"argv": argv, "env": env}
    for name in ("stdin", "timeout", "max_output", "stdout_path", "binary"):
        if name in params:
            full[name] = params[name]
    if place and _changes_worktrees(params["args"]):
        with place.trusted.turn():
            return commands.execute(full, request)
    return commands.execute(full, request)


def _changes_worktrees(args: List[str]) -> bool:
    """Return whether git would change the list of worktrees.

    Such commands take turns: git fails if it reads the folder of a worktree that another git is creating.
    """
    return "worktree" in args[:-1] and args[args.index("worktree") + 1] in ("add", "remove", "prune")


def _environment(place: Optional[places.GitFolders], params: GitParams) -> Dict[str, str]:
    if place is None:
        return NO_REPOSITORY
    try:
        return command.environment(place, hooks=bool(params.get("hooks")))
    except places.UnsafeGitFolder as error:
        raise RequestFailure("failed", str(error)) from None


def submodules(params: IndexParams, request: Request) -> FileNames:
    """Return the paths that an index has as commits of other repositories."""
    args: GitParams = {"path": params["path"], "args": command.LIST_INDEX, "max_output": MAX_INDEX}
    if params["index"]:
        args["env"] = {"GIT_INDEX_FILE": params["index"]}
    done = git(args, request)
    if done["rc"] or done["truncated"]:
        raise RequestFailure("failed", f"git could not read the index of {params['path']}: {done['err']}")
    return {"names": command.submodules_in(done["out"])}


def git_record(params: PlaceParams, _request: Request) -> Nothing:
    """Remember where a worktree's git folders are, and trust a repository that is not known yet."""
    places.record(params["path"], params["git_dir"], params["common_dir"])
    return {}


def git_place(params: PathParams, _request: Request) -> GitPlace:
    """Return the worktree that contains a path; empty texts if there is none."""
    found = _find(params["path"])
    if found is None:
        return {"top": "", "git_dir": "", "common_dir": "", "main": "", "trusted": ""}
    common_dir = os.path.realpath(found.common_dir)
    return {
        "top": found.top,
        "git_dir": found.git_dir,
        "common_dir": found.common_dir,
        "main": common_dir[: -len("/.git")] if common_dir.endswith("/.git") else common_dir,
        "trusted": os.path.realpath(str(found.trusted.path)),
    }


def git_changes(params: PathParams, _request: Request) -> GitChanges:
    """Return what a repository's configuration and hooks have that is not trusted."""
    found = _place(params["path"]).trusted.changes()
    settings: List[ChangedSetting] = [
        {"key": key, "trusted": old, "present": new} for key, old, new in found.settings
    ]
    hooks: List[ChangedHook] = [
        {"name": hook.name, "trusted": _text(hook.trusted), "present": _text(hook.present)}
        for hook in found.hooks
    ]
    return {"settings": settings, "hooks": hooks, "digest": found.digest, "declined": found.declined}


def _text(data: Optional[bytes]) -> Optional[str]:
    return None if data is None else data.decode("utf-8", "surrogateescape")


def git_decide(params: DecideChangesParams, _request: Request) -> Nothing:
    """Trust the present configuration and hooks, or decline them, if they are the ones with this digest."""
    if not _place(params["path"]).trusted.decide(params["digest"], use=params["use"]):
        raise RequestFailure("exists", "The configuration or the hooks have changed again.")
    return {}


def _place(path: str) -> places.GitFolders:
    found = _find(path)
    if found is None:
        raise RequestFailure("not_found", f"{path}: no repository")
    return found


def _find(path: str) -> Optional[places.GitFolders]:
    try:
        return places.find(path)
    except places.UnsafeGitFolder as error:
        raise RequestFailure("failed", str(error)) from None
