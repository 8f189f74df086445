"""Views of a task's diff: the list of files, single files, viewed marks and comments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from aitask.lib import untrusted_json
from aitask.lib.answers import attempt, json_answer, text_answer
from aitask.lib.errors import Malformed, Refused
from aitask.lib.text import whole_number
from tasks.access import task_for, visible_tasks
from tasks.attachments.posted import described, ids_in
from tasks.attachments.queries import of_task
from tasks.models import Comment, Task, Verdict, ViewedFile
from tasks.review import comments, services
from tasks.review.comparisons import LABELS, View, view_of, why_nothing
from tasks.review.diff_rows import render_rows
from tasks.review.patches import Colours, is_binary, parse
from tasks.review.picture_files import render_sides
from tasks.review.queries import review_context
from tasks.review.unchanged import LinesWanted, lines_of, unchanged_rows
from tasks.spotlight.queries import spotlights_of
from workspaces.access import current_user
from workspaces.catalog import queries as catalog_queries
from workspaces.git.automatic import why_it_runs
from workspaces.git.diffs import FileChange, changed_files, file_patch, file_text, key_of, path_of
from workspaces.git.generated import HandMade
from workspaces.git.portable import clashes_of, why_not_portable
from workspaces.hostkit.escapes import visible

MAX_FILES = 20_000
MAX_LINES = 10**9


@require_GET
def changes_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The diff in a full-width page."""
    task = task_for(request.user, pk)
    verdict = Verdict.objects.filter(task=task).first()
    spotlights = spotlights_of([task.workspace])
    takes = catalog_queries.takes_pictures(task.workspace, task.backend, task.model)
    context = {"nav": "board", "task": task, "wide": True, "verdict": verdict, "spotlights": spotlights}
    context["takes_no_pictures"] = takes is False
    return render(request, "tasks/review/changes.html", context)


@require_GET
def review_bar(request: HttpRequest, pk: int) -> HttpResponse:
    """The review bar: verdict, overlaps and merge state. Its links stay on the kind of page that it is on."""
    task = task_for(request.user, pk)
    page = "task_changes" if request.GET.get("page") == "changes" else "task"
    context = {"task": task, "page": page, **review_context(task, current_user(request))}
    return render(request, "tasks/review/_bar.html", context)


@require_GET
def diff_list(request: HttpRequest, pk: int) -> HttpResponse:
    """All files of a comparison, with viewed marks and comments, as JSON."""
    task = task_for(request.user, pk)
    return json_answer(lambda: list_of(request, task))


def list_of(request: HttpRequest, task: Task) -> dict[str, Any]:
    view = view_of(task)
    name = request.GET.get("range") or first_range(view)
    rng = view.range(name, refresh=True)
    space = bool(request.GET.get("space"))
    files = changed_files(view.site.host, rng, ignore_space=space)
    marks = marks_of(task, current_user(request))
    unportable = unportable_names(view, files[:MAX_FILES])
    hand_made = HandMade(file_text(view.site.host, rng, ".gitattributes") or "") if files else HandMade()
    return {
        "range": name,
        "commit": rng.new or view.tip,
        "old_commit": rng.old,
        "tip": view.tip,
        "ranges": ranges_of(view),
        "commits": [
            {
                "sha": commit.sha,
                "subject": visible(commit.subject),
                "author": visible(commit.author),
                "at": commit.at,
            }
            for commit in view.read_commits()
        ],
        "count": len(files),
        "additions": sum(file.additions or 0 for file in files),
        "deletions": sum(file.deletions or 0 for file in files),
        "files": [
            file_out(file, marks, hand_made, task.workspace.commands)
            | {"unportable": unportable.get(file.path, "")}
            for file in files[:MAX_FILES]
        ],
        "comments": [comment_out(placed) for placed in comments.placed(view, rng)],
        "nothing": "" if files else why_nothing(view, name, rng, ignore_space=space),
        "live": view.live,
    }


def unportable_names(view: View, files: Sequence[FileChange]) -> dict[str, str]:
    """Return path → why Windows can't check out a changed file, in words."""
    there = [file for file in files if file.status != "D"]
    added = [file.path for file in there if file.status in "ARC"]
    clashes = clashes_of(view.site.host, view.repo, view.tip, added)
    found = {file.path: why_not_portable(file.path, file.new_mode) for file in there}
    return {path: visible(why or clashes.get(path, "")) for path, why in found.items()}


def first_range(view: View) -> str:
    """Return the default comparison: the branch, or uncommitted changes before its first commit."""
    return "work" if view.tip == view.base and view.uncommitted else "base"


def ranges_of(view: View) -> list[dict[str, str]]:
    names = [
        "base",
        "main",
        *(["own"] if view.upstream else []),
        "turn",
        *(["work"] if view.has_worktree else []),
    ]
    names += ["resolved"] if view.resolution else []
    return [{"name": name, "label": LABELS[name].format(branch=view.site.branch)} for name in names]


def marks_of(task: Task, user: User) -> dict[str, set[str]]:
    """Return file → the versions that the user has viewed."""
    marks: dict[str, set[str]] = defaultdict(set)
    rows = ViewedFile.objects.filter(task=task, user=user)
    for key, version in rows.values_list("path_key", "version"):
        marks[key].add(version)
    return marks


def file_out(
    file: FileChange, marks: Mapping[str, set[str]], hand_made: HandMade, commands: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a file as the page shows it. What tools run by themselves is never folded."""
    runs = why_it_runs(file.path, commands)
    seen = marks.get(file.key, set())
    return {
        "key": file.key,
        "path": visible(file.path),
        "old_path": visible(file.old_path) if file.old_path != file.path else "",
        "old_key": key_of(file.old_path) if file.status == "R" else "",
        "status": file.status,
        "runs": runs,
        "folded": "" if runs else hand_made.why_not(file.path),
        "additions": file.additions,
        "deletions": file.deletions,
        "mode": f"{file.old_mode} → {file.new_mode}" if mode_changed(file) else "",
        "version": file.version,
        "viewed": file.version in seen,
        "changed_since": bool(seen) and not any(is_same_content(file.version, each) for each in seen),
    }


def is_same_content(version: str, other: str) -> bool:
    """Whether two versions of a file's diff, perhaps of different comparisons, lead to the same content."""
    return version.partition(":")[2] == other.partition(":")[2]


def mode_changed(file: FileChange) -> bool:
    return file.old_mode != file.new_mode and "000000" not in (file.old_mode, file.new_mode)


def comment_out(placed: comments.Placed) -> dict[str, Any]:
    comment = placed.comment
    return {
        "id": comment.pk,
        "key": comment.path_key,
        "path": visible(path_of(comment.path_key)),
        "side": comment.side,
        "line": placed.line,
        "end_line": placed.end_line,
        "was": comment.line,
        "outdated": placed.outdated,
        "quote": comment.quote,
        "text": comment.text,
        "attachments": described(of_task(comment.task, comment.attachments)),
        "author": str(comment.author or "unknown user"),
        "sent": comment.sent_in.number if comment.sent_in else (0 if comment.sent_at else None),
    }


@require_GET
def diff_file(request: HttpRequest, pk: int) -> HttpResponse:
    """The rows of one file's diff from a row on; X-Next is the number of the next row, if any."""
    task = task_for(request.user, pk)
    result = attempt(lambda: file_response(request, task))
    return text_answer(result) if isinstance(result, Refused) else result


def file_response(request: HttpRequest, task: Task) -> HttpResponse:
    view = view_of(task)
    rng = view.range(request.GET.get("range") or "base")
    path = path_of(request.GET.get("key", ""))
    old_path = path_of(request.GET["old"]) if request.GET.get("old") else path
    space = bool(request.GET.get("space"))
    patch, cut = file_patch(view.site.host, rng, path, old_path, ignore_space=space)
    if is_binary(patch):
        sides = render_sides(view.site.host, rng, path, old_path)
        return note("picture", sides) if sides else note("binary")
    hunks = parse(patch)
    if not hunks:
        return note("submodule" if "\nSubmodule " in patch else "empty")
    host = view.site.host
    old, new = file_text(host, rng, old_path, old=True), file_text(host, rng, path)
    rows, following = render_rows(
        hunks,
        Colours(visible(path), old, new),
        split=bool(request.GET.get("split")),
        start=whole_number(request.GET.get("from")) or 0,
        length=0 if cut else len(lines_of(new or "")),
    )
    response = HttpResponse(rows)
    response["X-Next"] = "" if following is None else str(following)
    response["X-Cut"] = "yes" if cut else ""
    return response


def note(kind: str, shown: str = "") -> HttpResponse:
    """Return a response without rows; X-Note says why. `shown` is HTML in their place."""
    response = HttpResponse(shown)
    response["X-Note"] = kind
    return response


@require_GET
def diff_lines(request: HttpRequest, pk: int) -> HttpResponse:
    """Unchanged lines of a file, which its diff does not show, as rows."""
    task = task_for(request.user, pk)
    result = attempt(lambda: lines_response(request, task))
    return text_answer(result) if isinstance(result, Refused) else HttpResponse(result)


def lines_response(request: HttpRequest, task: Task) -> str:
    try:
        numbers = [_line_number(request.GET[name]) for name in ("first", "last", "offset")]
    except (KeyError, ValueError):
        raise Refused("These lines do not exist.") from None
    view = view_of(task)
    rng = view.range(request.GET.get("range") or "base")
    path = path_of(request.GET.get("key", ""))
    return unchanged_rows(view, rng, path, LinesWanted(*numbers), split=bool(request.GET.get("split")))


@require_POST
def viewed(request: HttpRequest, pk: int) -> HttpResponse:
    """Set or clear the viewed mark of one version of a file."""
    task = task_for(request.user, pk)
    key, version = request.POST.get("key", "")[:6000], request.POST.get("version", "")[:140]
    is_viewed = request.POST.get("viewed") == "yes"
    services.mark_viewed(task, key, version, is_viewed=is_viewed, user=current_user(request))
    return HttpResponse(status=204)


@require_POST
def comment_new(request: HttpRequest, pk: int) -> HttpResponse:
    """Create a draft from a JSON body."""
    task = task_for(request.user, pk)

    def work() -> dict[str, Any]:
        try:
            body = untrusted_json.loads(request.body)
            place = comments.CommentedLines(
                key=str(body["key"]),
                side=str(body["side"]),
                line=_line_number(body["line"]),
                end_line=_line_number(body["end_line"]),
                commit=str(body["commit"])[:64],
                quote=str(body["quote"]),
            )
            text, files = str(body["text"]), ids_in(body.get("attachments") or [])
        except untrusted_json.Unreadable as error:
            raise Malformed(f"The comment can't be read: {error}.") from None
        except (ValueError, KeyError, TypeError):
            raise Refused("The comment is incomplete.") from None
        comment = comments.write(task, place, text, user=current_user(request), attachments=files)
        return comment_out(comments.Placed(comment, comment.line, comment.end_line))

    return json_answer(work)


def _line_number(value: Any) -> int:
    """Return a number that every column can hold. Raises ValueError or TypeError."""
    if abs(number := int(value)) > MAX_LINES:
        raise ValueError(f"there is no line {number}")
    return number


@require_POST
def comment_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete one of the user's own drafts; sent comments stay."""
    found = Comment.objects.filter(pk=pk, task__in=visible_tasks(request.user))
    comments.delete_drafts(found, user=current_user(request))
    return HttpResponse(status=204)
