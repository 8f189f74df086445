"""Comments on lines: placed again after new commits, and sent together as one follow-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.attachments import services as attachment_services
from tasks.attachments.queries import of_task
from tasks.editing import clean_text
from tasks.models import Comment, Run, Task
from tasks.review import verdicts
from tasks.review.comparisons import View
from tasks.review.patches import parse
from workspaces.git.diffs import Range, file_patch, file_text, path_of
from workspaces.hostkit.escapes import visible

MAX_TEXT = 20_000
MAX_QUOTE = 4_000
MAX_BYTES = 4 * 1024 * 1024
WHOLE_FILE = 0
"The line of a comment on a file as a whole."


@dataclass(frozen=True)
class Placed:
    """A comment and the current position of its lines; `line` is None if the comment is outdated.

    A comment on a whole file is never outdated.
    """

    comment: Comment
    line: int | None
    end_line: int | None

    @property
    def outdated(self) -> bool:
        return self.line is None


@dataclass(frozen=True)
class CommentedLines:
    """The lines that a comment is about: on one side of a file, in one commit, with their text.

    Both are WHOLE_FILE for a comment on the file.
    """

    key: str
    side: str
    line: int
    end_line: int
    commit: str
    quote: str


def delete_drafts(comments: QuerySet[Comment], *, user: AbstractBaseUser) -> None:
    """Delete the user's unsent comments among these, with their files."""
    for comment in comments.filter(author_id=user.pk, sent_at=None):
        with transaction.atomic():
            comment.delete()
            attachment_services.let_go(comment.task, comment.attachments)


def write(
    task: Task, place: CommentedLines, text: str, *, user: AbstractBaseUser, attachments: Sequence[int] = ()
) -> Comment:
    """Save a draft, with the ids of files. Raises Refused if it is empty, and for invalid lines or files."""
    path_of(place.key)
    text = clean_text(text).strip()
    if not text and not attachments:
        raise Refused("The comment is empty.")
    if len(text) > MAX_TEXT:
        raise Refused("The comment is too long.", f"The maximum is {MAX_TEXT} characters.")
    on_file = place.line == place.end_line == WHOLE_FILE
    if place.side not in Comment.Side.values or not (on_file or 1 <= place.line <= place.end_line):
        raise Refused("These lines do not exist.")
    with transaction.atomic():
        return _create(task, place, text, user, attachments)


def _create(
    task: Task, place: CommentedLines, text: str, user: AbstractBaseUser, attachments: Sequence[int]
) -> Comment:
    on_file = place.line == WHOLE_FILE
    return Comment.objects.create(
        task=task,
        author_id=user.pk,
        path_key=place.key,
        side=place.side,
        line=place.line,
        end_line=place.end_line,
        commit=place.commit,
        quote="" if on_file else clean_text(place.quote)[:MAX_QUOTE],
        text=text,
        attachments=attachment_services.attach(task, attachments, user),
    )


def drafts(task: Task, user: AbstractBaseUser) -> list[Comment]:
    """Return the user's unsent comments."""
    return list(Comment.objects.filter(task=task, author=user.pk, sent_at=None))


def request_changes(
    task: Task, message: str, *, user: AbstractBaseUser, attachments: Sequence[int] = ()
) -> Run:
    """Send a message and all drafts of the user to the agent as one follow-up, with all of their files.

    Raises Refused if there is nothing to send.
    """
    found = drafts(task, user)
    files = dict.fromkeys([*attachments, *(pk for comment in found for pk in comment.attachments)])
    with transaction.atomic():
        text = follow_up_text(found, message) if found else message
        run = verdicts.request_changes(task, text, user=user, attachments=list(files))
        ids = [comment.pk for comment in found]
        Comment.objects.filter(pk__in=ids).update(sent_at=timezone.now(), sent_in=run)
    doorbell.ring(f"task:{task.pk}")
    return run


def follow_up_text(comments: Sequence[Comment], message: str = "") -> str:
    """Return the prompt: each comment with its file, lines and quoted text."""
    parts = [clean_text(message).strip()] if message.strip() else []
    parts.append("Comments on your changes:" if len(comments) > 1 else "A comment on your changes:")
    for number, comment in enumerate(comments, 1):
        lines = (f"{number}. {place_of(comment)}", quoted(comment), comment.text, _attached_to(comment))
        parts.append("\n".join(line for line in lines if line))
    return "\n\n".join(parts)


def _attached_to(comment: Comment) -> str:
    """Name the files, which are listed after all comments."""
    names = [row.name for row in of_task(comment.task, comment.attachments)]
    return f"(Attached: {', '.join(names)})" if names else ""


def place_of(comment: Comment) -> str:
    if comment.line == WHOLE_FILE:
        return f"`{visible(path_of(comment.path_key))}`:"
    lines = f"line {comment.line}"
    if comment.end_line > comment.line:
        lines = f"lines {comment.line} to {comment.end_line}"
    before = " (before your change)" if comment.side == Comment.Side.OLD else ""
    return f"`{visible(path_of(comment.path_key))}`, {lines}{before}:"


def quoted(comment: Comment) -> str:
    if comment.line == WHOLE_FILE:
        return ""
    return "\n".join(f"> {line}" for line in comment.quote.split("\n"))


def placed(view: View, rng: Range) -> list[Placed]:
    """Return all comments on the task, with the position of their lines in the range."""
    places = Places(view, rng)
    comments = Comment.objects.filter(task=view.task).select_related("author", "sent_in")
    return [places.of(comment) for comment in comments]


class Places:
    """Finds the current positions of comments. Reads each version of a file once."""

    def __init__(self, view: View, rng: Range) -> None:
        self.view = view
        self.rng = rng
        self._texts: dict[tuple[str, str], list[str] | None] = {}

    def of(self, comment: Comment) -> Placed:
        if comment.line == WHOLE_FILE:
            return Placed(comment, WHOLE_FILE, WHOLE_FILE)
        lines = self._lines(comment.path_key, comment.side)
        quote = comment.quote.split("\n")
        if lines is None:
            return Placed(comment, None, None)
        for start in (comment.line, self._mapped(comment)):
            if start and lines[start - 1 : start - 1 + len(quote)] == quote:
                return Placed(comment, start, start + len(quote) - 1)
        return Placed(comment, None, None)

    def _lines(self, key: str, side: str) -> list[str] | None:
        if (key, side) not in self._texts:
            old = side == Comment.Side.OLD
            text = file_text(self.view.site.host, self.rng, path_of(key), old=old, most=MAX_BYTES)
            lines = None if text is None else text.split("\n")
            self._texts[key, side] = lines and [visible(line.removesuffix("\r")) for line in lines]
        return self._texts[key, side]

    def _mapped(self, comment: Comment) -> int | None:
        """Return the current number of the comment's first line; None if its commit can't be read."""
        now = self.rng.old if comment.side == Comment.Side.OLD else self.rng.new
        if not comment.commit or comment.commit == now:
            return comment.line
        path = path_of(comment.path_key)
        since = Range(self.rng.folder, comment.commit, now, self.rng.index)
        try:
            patch, _ = file_patch(self.view.site.host, since, path, path, context=0)
        except Refused:  # the commit that it was written on no longer exists
            return None
        offset = 0
        for hunk in parse(patch):
            removed = sum(line.kind == "-" for line in hunk.lines)
            if hunk.old_start + max(removed - 1, 0) >= comment.line:
                break
            offset += sum(line.kind == "+" for line in hunk.lines) - removed
        return comment.line + offset
