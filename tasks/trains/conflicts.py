"""Resolving conflicts by agents: the base branch is merged with conflict markers, a run resolves them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from posixpath import join

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.models import MergeStep, MergeTrain, Resolution, Run, Task, Verdict
from tasks.order.predecessors import under
from tasks.repository import Site, site_of
from tasks.review import verdicts
from tasks.trains import services
from tasks.verbs import TaskVerb, require
from workspaces.git import git
from workspaces.git.diffs import key_of, merged_tree, path_of
from workspaces.git.in_the_way import files_in_the_way
from workspaces.git.repos import branch_tip, contains, refs, status
from workspaces.git.rescue import keep
from workspaces.git.submodules import NO_NESTED
from workspaces.hostkit import wire
from workspaces.hostkit.escapes import some_of, visible
from workspaces.merging.attempts import CONFLICT
from workspaces.merging.conflicts import (
    KINDS,
    MARKER_LINE,
    UNCLEAR,
    kinds_by_path,
    new_markers,
    read_blob,
    unclear_paths,
)

MAX_COMMITS = 30
MARKED = {KINDS[frozenset("123")], KINDS[frozenset("23")]}
"Kinds of conflicts for which git writes markers into the file."
SWAPPED = str.maketrans("23", "32")
MAX_BYTES = 8 * 1024 * 1024

PROMPT = """\
Your branch {branch} conflicts with {main}. I have merged {main} into it here, in your worktree,
and left the conflict markers in these files:

{files}

Commits on {main} since your branch left it, in these files:

{theirs}

The changes of your branch are your own work for the task: {title}

Resolve every conflict so that both sides keep their purpose: discard neither the changes of {main}
nor your own work. Remove all conflict markers, read each file as a whole afterwards, and make sure
that everything still works{check}. Then conclude the merge: git add the files and
git commit --no-edit. Do not rebase, reset or push.
{below}"""


def resolve(task: Task, *, user: AbstractBaseUser | None) -> Run:
    """Merge the base branch into the task's branch in its worktree, and queue a run to resolve conflicts.

    Raises Refused, without changes, if the worktree is missing or dirty or if the task has a live run.
    """
    require(task, TaskVerb.RESOLVE)
    site = _site_below(task)
    unfinished = _unfinished(task, site)
    before = {} if unfinished else {"accepted": branch_tip(site.host, site.place.path, task.branch)}
    main, paths = unfinished or _interrupted(task, site) or _begin(task, site)
    prompt = prompt_for(task, site, main, paths)
    try:
        with transaction.atomic():
            run = verdicts.request_changes(task, prompt, user=user)
            _save(task, run, user, main=main, paths=[key_of(path) for path in paths], **before)
    except Refused:
        if not unfinished:
            site.write.git(task.worktree_path, "merge", "--abort", check=False)
        raise
    return run


def _site_below(task: Task) -> Site:
    """Return the task's site. Its base branch is that of the predecessor that a stacked task stands on."""
    site, below = site_of(task.workspace), under(task)
    return replace(site, branch=below.branch) if below else site


def _unfinished(task: Task, site: Site) -> tuple[str, list[str]] | None:
    """Return the merged commit and the paths of a failed attempt whose merge is still in progress."""
    failed = Resolution.objects.filter(task=task, state=Resolution.State.FAILED).first()
    if failed is None or not task.worktree_path:
        return None
    main = _being_merged(site, task.worktree_path)
    return (main, [path_of(key) for key in failed.paths]) if main == failed.main else None


def _interrupted(task: Task, site: Site) -> tuple[str, list[str]] | None:
    """Return the merged commit and the paths of a merge after which this process died, or another one.

    The worktree is just as git has left it: nobody has worked on the conflict.
    """
    if not (task.worktree_path and site.host.exists(task.worktree_path)):
        return None
    main, tree = _being_merged(site, task.worktree_path), task.worktree_path
    if not main or status(site.host, tree).branch != task.branch or not site.mainline.contains(main):
        return None
    touched = git(site.host, tree, "diff", "--quiet", NO_NESTED, "AUTO_MERGE", "--", check=False).rc
    paths = list(_unmerged(site, tree))
    return (main, paths) if paths and not touched else None


def _being_merged(site: Site, worktree: str) -> str:
    """Return the commit that is being merged in the worktree; empty if no merge is in progress."""
    args = ("rev-parse", "--quiet", "--verify", "MERGE_HEAD")
    return git(site.host, worktree, *args, check=False).out.strip()


def _begin(task: Task, site: Site) -> tuple[str, list[str]]:
    """Save a rescue ref and merge the base branch; return the merged commit and the conflicting paths."""
    main = site.mainline.tip()
    _check_worktree(task, site)
    _check_room(task, site, main)
    ref = f"refs/heads/{task.branch}"
    keep(site.write, site.place.path, task.pk, refs(site.host, site.place.path, ref)[ref])
    return main, _merge_main_in(task, site, main)


def _check_worktree(task: Task, site: Site) -> None:
    if not (task.worktree_path and site.host.exists(task.worktree_path)):
        raise Refused("The worktree of this task no longer exists.", "Run the task again, then retry.")
    found = status(site.host, task.worktree_path)
    if found.branch != task.branch:
        raise Refused(f"{task.worktree_path} has another branch checked out.", f"Switch it to {task.branch}.")
    if not found.clean:
        raise Refused(
            f"{task.worktree_path} has uncommitted changes.",
            "Commit them, or request changes from the agent.",
        )


def _check_room(task: Task, site: Site, main: str) -> None:
    """Raise Refused if the merge would overwrite files that git does not track: it spares no ignored ones."""
    merged = merged_tree(site.host, task.worktree_path, "HEAD", main) or main
    files = files_in_the_way(site.host, task.worktree_path, "HEAD", merged)
    if files:
        raise Refused(
            f"{site.branch} has files that the worktree has, too, where git does not track them:"
            f" {some_of(files)}.",
            f"Move them out of {task.worktree_path}, then try again.",
        )


def _merge_main_in(task: Task, site: Site, main: str) -> list[str]:
    """Start the merge and return the conflicting paths."""
    title = f"Merge {site.branch} into {task.branch}"
    args = ("merge", "--no-ff", "--no-commit", "--no-edit", "--no-autostash", "--quiet", "-m", title, main)
    done = site.write.git(task.worktree_path, *args, check=False)
    listed = git(site.host, task.worktree_path, "diff", "--name-only", "--diff-filter=U", "-z").out
    paths = list(filter(None, listed.split("\0")))
    if done.rc and not paths and CONFLICT in done.out and _being_merged(site, task.worktree_path):
        tried = ("merge-tree", "--write-tree", "-z", "HEAD", main)
        paths = unclear_paths(git(site.host, task.worktree_path, *tried, check=False).out)
    if done.rc and not paths:
        site.write.git(task.worktree_path, "merge", "--abort", check=False)
        raise Refused(f"git could not merge {site.branch} into the branch: {done.err.strip()[-400:]}")
    if not paths:
        site.write.git(task.worktree_path, "merge", "--abort", check=False)
        raise Refused("There is no conflict anymore.", "Merge the task again.")
    return paths


def prompt_for(task: Task, site: Site, main: str, paths: list[str]) -> str:
    """Return the prompt: the conflicting files, the commits of the base branch, and what to do."""
    args = (
        "log",
        "--no-merges",
        "--format=- %h %s",
        f"--max-count={MAX_COMMITS}",
        f"refs/heads/{task.branch}..{main}",
    )
    found = git(site.host, site.place.path, "--literal-pathspecs", *args, "--", *paths[:200], check=False)
    theirs = found.out.strip() or "- (see git log)"
    command, kinds = task.workspace.check_command.strip(), _unmerged(site, task.worktree_path)
    return PROMPT.format(
        branch=task.branch,
        main=site.branch,
        files="\n".join(_line(path, kinds.get(path, "" if kinds else UNCLEAR)) for path in paths),
        theirs=visible(theirs),
        title=task.title,
        **_check_texts(command),
    )


def _line(path: str, kind: str) -> str:
    """Return the line of a file in the prompt, with the decision to make if there are no markers."""
    return f"- {visible(path)}" + (f" ({kind}: decide what stays)" if kind and kind not in MARKED else "")


def _unmerged(site: Site, worktree: str) -> dict[str, str]:
    """Return the conflicting paths and the kind of each conflict."""
    records = git(site.host, worktree, "ls-files", "--unmerged", "-z").out.split("\0")
    return kinds_by_path([_swap_sides(record) for record in records if record])


def _swap_sides(record: str) -> str:
    """Swap “ours” and “theirs”: in the task's worktree “ours” is the branch, not the base branch."""
    about, _, path = record.partition("\t")
    return f"{about[:-1]}{about[-1].translate(SWAPPED)}\t{path}"


def _check_texts(check: str) -> dict[str, str]:
    """Return the check command for the prompt: inline if it has one line, else at the end."""
    if "\n" in check:
        return {"check": " (the check is below)", "below": f"\nThe check:\n\n{check}\n"}
    return {"check": f" (the check: {check})" if check else "", "below": ""}


def _save(task: Task, run: Run, user: AbstractBaseUser | None, **of_merge: str | list[str]) -> None:
    step = MergeStep.objects.filter(task=task).select_related("train").order_by("-train").first()
    values = {
        "run": run,
        "by_id": user.pk if user else None,
        **of_merge,
        "resolved": "",
        "strategy": step.train.strategy if step else "merge",
        "checked": bool(step.train.check_command) if step else True,
        "state": Resolution.State.ASKED,
        "reason": "",
        "train": None,
        "asked_at": timezone.now(),
    }
    Resolution.objects.update_or_create(task=task, defaults=values)
    doorbell.ring(f"task:{task.pk}")


def settle(resolution: Resolution) -> None:
    """After the agent's run: if all conflicts are resolved, the task waits for `accept_resolution`.

    It is not accepted: what the agent wrote to resolve them was seen by nobody.
    """
    task = resolution.task
    site = _site_below(task)
    why = _unresolved_reason(resolution, site)
    if why:
        _end(resolution, Resolution.State.FAILED, why)
        return
    tip = branch_tip(site.host, site.place.path, task.branch)
    _end(resolution, Resolution.State.READY, "", resolved=tip)
    if under(task):  # the branch contains what was merged into it: that is its new base
        Task.objects.filter(pk=task.pk, base_commit=task.base_commit).update(base_commit=resolution.main)


def accept_resolution(task: Task, *, user: AbstractBaseUser | None) -> MergeTrain:
    """Accept the task as the agent has left it after a conflict, and merge it as before the conflict.

    Raises Refused if no resolution waits, or if the branch is not the one that is shown any more.
    """
    resolution = Resolution.objects.filter(task=task, state=Resolution.State.READY).first()
    if resolution is None:
        raise Refused("No resolved conflict of this task waits to be accepted.")
    verdict = verdicts.accept(task, user=user)
    if verdict.commit != resolution.resolved:
        verdicts.undo_accept(task)
        raise Refused(
            "The branch has changed since the agent resolved the conflict.",
            "Review all changes, accept the task, then merge it.",
        )
    train = services.start_train(
        task.workspace, [task], user=user, strategy=resolution.strategy, check=resolution.checked
    )
    resolution.change((Resolution.State.READY,), state=Resolution.State.DONE, train=train)
    return train


def _unresolved_reason(resolution: Resolution, site: Site) -> str:
    """Return why the conflict is not resolved; empty if it is. Commits a merge without markers."""
    task = resolution.task
    paths = [path_of(key) for key in resolution.paths]
    marked = _marked(resolution, site, paths)
    if marked:
        return f"Conflict markers are left in {', '.join(visible(path) for path in marked[:5])}."
    undecided = _undecided(site, task.worktree_path)
    if undecided:
        return f"Not decided which side to keep: {', '.join(visible(path) for path in undecided[:5])}."
    if _being_merged(site, task.worktree_path):
        there: wire.NamesParams = {"folder": task.worktree_path, "names": paths}
        present = [path for path in site.host.call("obstacles", there)["names"] if path in paths]
        if present:
            names = (f":(top,literal){path}" for path in present)
            site.write.git(task.worktree_path, "add", "--all", "--", *names)
        site.write.git(task.worktree_path, "add", "--update", "--", ":(top)")
        site.write.with_hooks.git(task.worktree_path, "commit", "--quiet", "--no-edit")
    ref = f"refs/heads/{task.branch}"
    if not contains(site.host, site.place.path, ref, resolution.main):
        return f"The merge of {site.branch} was aborted: the branch does not contain it."
    if resolution.accepted and not contains(site.host, site.place.path, ref, resolution.accepted):
        return f"{task.branch} does not contain the work that it had before ({resolution.accepted[:10]})."
    return ""


def _undecided(site: Site, worktree: str) -> list[str]:
    """Return conflicting paths that can't have markers: one side has no file, or it is not text."""
    kinds = _unmerged(site, worktree)
    return [path for path, kind in kinds.items() if kind not in MARKED or _is_not_text(site, worktree, path)]


def _is_not_text(site: Site, worktree: str, path: str) -> bool:
    """Whether it is a binary file or a submodule. A missing file counts as decided: the agent deleted it."""
    found = site.host.call("read_inside", {"folder": worktree, "name": path, "limit": 8000})
    return "\0" in found["data"] if found["exists"] else site.host.exists(join(worktree, path))


def _marked(resolution: Resolution, site: Site, paths: list[str]) -> list[str]:
    """Return the files with conflict markers that neither side has.

    Looked at are the files that were in conflict, and all that differ from both sides: an agent may have
    moved what was in conflict.
    """
    worktree, sides = resolution.task.worktree_path, (resolution.accepted or "HEAD", resolution.main)
    different = [set(_different(site, worktree, side)) for side in sides]
    args = ("grep", "--no-color", "-l", "-z", "--text", "--untracked", "-E", "-e", MARKER_LINE)
    marked = git(site.host, worktree, *args, check=False).out.split("\0")
    looked_at = set.intersection(*different).union(paths)
    return [
        path
        for path in marked
        if path in looked_at and new_markers(_content(site, worktree, path), _versions(site, sides, path))
    ]


def _versions(site: Site, commits: Iterable[str], path: str) -> list[str]:
    return [read_blob(site.host, site.place.path, f"{commit}:{path}", MAX_BYTES) for commit in commits]


def _different(site: Site, worktree: str, commit: str) -> list[str]:
    """Return the files of the worktree that differ from a commit, new ones included."""
    args = ("diff", "--name-only", "--no-renames", NO_NESTED, "-z", commit, "--")
    changed = git(site.host, worktree, *args, check=False).out.split("\0")
    new = git(site.host, worktree, "ls-files", "--others", "--exclude-standard", "-z").out.split("\0")
    return [*changed, *new]


def _content(site: Site, worktree: str, path: str) -> str:
    params: wire.InsideParams = {"folder": worktree, "name": path, "limit": MAX_BYTES}
    return site.host.call("read_inside", params)["data"]


def _end(resolution: Resolution, state: str, reason: str, **values: str) -> None:
    asked = Resolution.objects.filter(pk=resolution.pk, state=Resolution.State.ASKED)
    with transaction.atomic():
        asked.update(state=state, reason=reason, **values)
        if state == Resolution.State.FAILED:
            Verdict.objects.filter(task=resolution.task_id, kind=Verdict.Kind.ACCEPTED).delete()
        doorbell.ring(f"task:{resolution.task_id}")
