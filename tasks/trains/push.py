"""Pushes the base branch, only on request and never by force."""

from __future__ import annotations

from tasks.models import MergeTrain
from tasks.repository import Site
from workspaces import git
from workspaces.hostkit.escapes import printed


def push(train: MergeTrain, site: Site) -> None:
    """Push the base branch to where `git push` would push it. Saves the result instead of raising."""
    remote = remote_of(site)
    if not remote:
        _save(train, MergeTrain.Push.FAILED, "There is no remote to push to.")
        return
    args = ("push", "--porcelain", "--no-force", "--", remote, f"{site.mainline.ref}:{site.mainline.ref}")
    done = site.write.with_hooks.git(site.place.path, *args, check=False)
    state = MergeTrain.Push.FAILED if done.rc else MergeTrain.Push.DONE
    _save(train, state, f"{done.out.strip()}\n{done.err.strip()}".strip())


def remote_of(site: Site) -> str:
    """Return the remote that git would push the base branch to; empty if there is none."""
    for name in (f"branch.{site.branch}.pushRemote", "remote.pushDefault", f"branch.{site.branch}.remote"):
        found = git.git(site.host, site.place.path, "config", "--get", name, check=False).out.strip()
        if found:
            return found
    remotes = git.git(site.host, site.place.path, "remote").out.split()
    return "origin" if "origin" in remotes else (remotes[0] if len(remotes) == 1 else "")


def _save(train: MergeTrain, state: str, output: str) -> None:
    train.change((MergeTrain.State.RUNNING,), push=state, push_output=printed(output)[-8000:])
