"""What a search finds, and what has still to be indexed."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from aitask.lib.leases import Leased
from tasks.models.task import Task


class IndexedWordsField(models.TextField[str, str]):
    """The words of a text, separated by spaces: a `tsvector` with their positions on PostgreSQL.

    Words that begin with `_` name what the row belongs to, and have no position. The characters of a word
    have no meaning to any parser, so nothing needs quoting.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "tsvector" if connection.vendor == "postgresql" else super().db_type(connection)

    def get_placeholder(self, _value: Any, _compiler: Any, connection: BaseDatabaseWrapper) -> str:
        return "%s::tsvector" if connection.vendor == "postgresql" else "%s"

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return _with_positions(value) if connection.vendor == "postgresql" else value


def _with_positions(words: str) -> str:
    places: dict[str, list[str]] = {}
    position = 0
    for word in words.split():
        found = places.setdefault(word, [])
        if not word.startswith("_"):
            position += 1
            found.append(str(position))
    return " ".join(f"'{word}'{':' * bool(found)}{','.join(found)}" for word, found in places.items())


class SearchEntry(models.Model):
    """One text that a search can find. Its id says where it comes from: see `tasks/search/places.py`."""

    class Kind(models.TextChoices):
        TITLE = "title", "Titles"
        PROMPT = "prompt", "Prompts"
        ANSWER = "answer", "Answers"
        COMMAND = "command", "Commands"
        FILE = "file", "Files"
        DIFF = "diff", "Diffs"
        TERMINAL = "terminal", "Terminals"
        ERROR = "error", "Errors"

    id = models.BigIntegerField(primary_key=True)
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    words = IndexedWordsField()
    text = models.TextField(blank=True, help_text="Only of what no other row has: saved terminals, diffs")

    class Meta:
        indexes = [models.Index(fields=["task", "kind"])]

    def __str__(self) -> str:
        return f"{self.kind} of task {self.task_id}"


class SearchBackfill(Leased):
    """Which rows of before the index a job still has to index, newest first: those with smaller ids."""

    before_task = models.BigIntegerField()
    before_event = models.BigIntegerField()

    def __str__(self) -> str:
        return f"tasks before {self.before_task}, events before {self.before_event}"

    @property
    def is_done(self) -> bool:
        return self.before_task <= 1 and self.before_event <= 1


class UnindexedWork(Leased):
    """A run of the task has ended, and its branch's diff has still to be indexed."""

    task = models.OneToOneField(Task, on_delete=models.CASCADE, related_name="+")
    commit = models.CharField(max_length=64, help_text="The commit that the run has left")

    def __str__(self) -> str:
        return f"work of task {self.task_id}"
