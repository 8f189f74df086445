"""The environment in which git runs no program that an agent could have named."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Dict, List, Tuple

from ..files import write_atomic
from .places import GitFolders, UnsafeGitFolder
from .settings import read_settings

NOWHERE = "/dev/null"
LIST_INDEX = ["ls-files", "--stage", "-z"]
GITLINK = "160000 "
SPARSE = {"core.sparsecheckout", "core.sparsecheckoutcone", "index.sparse"}


def environment(place: GitFolders, *, hooks: bool = False) -> Dict[str, str]:
    """Return the variables for git commands in this worktree.

    With `hooks`, the trusted hooks run, and drivers that lie in the tree: for merges and commits that a
    person asked for. Raises UnsafeGitFolder and OSError.
    """
    _check(place)
    trusted = place.trusted.prepare()
    variables = {
        "GIT_DIR": place.git_dir,
        "GIT_COMMON_DIR": trusted.path,
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
    if place.top:
        variables["GIT_WORK_TREE"] = place.top
    pairs = [*_sparse(place), *(() if hooks else _without_programs(trusted.drivers))]
    return {**variables, **_as_variables(pairs)}


def submodules_in(listed: str) -> List[str]:
    """Return the paths that an index has as commits of other repositories, from the output of LIST_INDEX."""
    records = listed.split("\0") if GITLINK in listed else []
    return [record.partition("\t")[2] for record in records if record.startswith(GITLINK)]


def _check(place: GitFolders) -> None:
    """Refuse what git would wait for or follow out of the folder; repair the link to the repository."""
    if place.git_dir == place.common_dir:
        return
    for entry in os.scandir(place.git_dir):
        mode = entry.stat(follow_symlinks=False).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise UnsafeGitFolder(f"{entry.path} is neither a file nor a folder. git did not create it.")
    link = Path(place.git_dir) / "commondir"
    shared = os.path.realpath(Path(place.git_dir) / link.read_text("utf-8", "replace").strip())
    if shared != os.path.realpath(place.common_dir):  # git reads refs from there, in spite of GIT_COMMON_DIR
        write_atomic(link, os.fsencode(place.common_dir + "\n"), 0o644)


def _without_programs(drivers: List[str]) -> List[Tuple[str, str]]:
    pairs = [("core.hooksPath", NOWHERE)]
    for key in drivers:
        pairs += [(key, ""), (key.rpartition(".")[0] + ".required", "false")]
    return pairs


def _sparse(place: GitFolders) -> List[Tuple[str, str]]:
    """Return whether only a part of the tree is checked out, which each worktree sets for itself."""
    path = Path(place.git_dir) / "config.worktree"
    if not path.is_file():
        return []
    found = read_settings(path, includes=False)
    return [(key, "true" if value is None else value) for key, value in found if key in SPARSE]


def _as_variables(pairs: List[Tuple[str, str]]) -> Dict[str, str]:
    result = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (key, value) in enumerate(pairs):
        result[f"GIT_CONFIG_KEY_{number}"] = key
        result[f"GIT_CONFIG_VALUE_{number}"] = value
    return result
