"""Why a comparison shows no differences: one sentence that says what is true and what to do."""

from __future__ import annotations

from tasks.review.ranges import View
from workspaces.git.diffs import Range, changed_files


def why_nothing(view: View, name: str, rng: Range, *, ignore_space: bool) -> str:
    """About the range `name`, in which no file differs. Raises GitError and HostError."""
    if ignore_space and changed_files(view.site.host, rng):
        return "Only white space differs: turn off “Ignore spaces” to see it."
    if name == "work":
        return "Everything in the worktree is committed."
    if name.startswith("commit:"):
        return "This commit changes no file."
    if view.tip == view.base:
        return _about_branch(view)
    if name == "main":
        return f"Merging it would change nothing: today's {view.site.branch} has all of it."
    if name == "turn":
        return "The last turn changed nothing: choose “All changes” to see what was done before it."
    return "Its commits change nothing in the end: later ones take back what earlier ones did."


def _about_branch(view: View) -> str:
    """The branch has no commits of its own."""
    run = view.task.last_run
    count = view.uncommitted
    if count:
        words = "1 file in the worktree is" if count == 1 else f"{count} files in the worktree are"
        return f"Nothing is committed yet, but {words} changed: choose “Not committed” to see what."
    if run is None:
        return "Nothing is changed yet: run the task, or work in its terminal."
    if run.is_live:
        return "Nothing is changed yet: what the agent changes will stand here."
    return "Nothing was changed: send it back with other words, or move the task to Done."
