"""The index of words in the database: FTS5 of SQLite, or GIN of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from django.db import connections

from tasks.models import SearchEntry
from tasks.search import places
from tasks.search.words import Phrase

Side = Literal["events", "own", "work"]
"Which entries: of events, of tasks themselves (titles, prompts, terminals), or of what tasks have changed."

SQLITE = (
    # `_` is a part of the words that say what an entry belongs to.
    """CREATE VIRTUAL TABLE tasks_searchwords USING fts5(
        words, content='tasks_searchentry', content_rowid='id', columnsize=0, prefix='3 4 5',
        tokenize="unicode61 remove_diacritics 0 tokenchars '_'")""",
    "INSERT INTO tasks_searchwords(tasks_searchwords) VALUES ('rebuild')",
)
TRIGGERS = (
    """CREATE TRIGGER IF NOT EXISTS tasks_searchentry_added AFTER INSERT ON tasks_searchentry BEGIN
        INSERT INTO tasks_searchwords(rowid, words) VALUES (new.id, new.words); END""",
    """CREATE TRIGGER IF NOT EXISTS tasks_searchentry_removed AFTER DELETE ON tasks_searchentry BEGIN
        INSERT INTO tasks_searchwords(tasks_searchwords, rowid, words)
        VALUES ('delete', old.id, old.words); END""",
)
POSTGRESQL = "CREATE INDEX IF NOT EXISTS tasks_searchentry_words ON tasks_searchentry USING gin (words)"


def create(*, using: str, **_kwargs: Any) -> None:
    """Create what no model describes, unless it is there. Called after each migration.

    A migration of the table removes its triggers on SQLite.
    """
    connection = connections[using]
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        if SearchEntry._meta.db_table not in tables:
            return
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRESQL)
            return
        for statement in (*(() if "tasks_searchwords" in tables else SQLITE), *TRIGGERS):
            cursor.execute(statement)


def find(
    phrases: Sequence[Phrase], scopes: Sequence[Iterable[str]], *, most: int, side: Side = "events"
) -> list[int]:
    """Return the ids of entries that have all phrases and a word of each scope.

    They are those of events, the newest first; or those of the other sides, the newest task's first.
    """
    connection = connections["default"]
    is_postgresql = connection.vendor == "postgresql"
    asked = _asked_of_postgresql(phrases, scopes) if is_postgresql else _asked_of_sqlite(phrases, scopes)
    sql = FIND["postgresql" if is_postgresql else "sqlite"]
    with connection.cursor() as cursor:
        cursor.execute(sql.format(**SIDES[side]), [asked, most])
        return [row[0] for row in cursor.fetchall()]


SIDES: dict[Side, dict[str, object]] = {
    "events": {"first": 1, "last": 2**62, "order": "DESC"},
    "own": {"first": -places.WORK, "last": -1, "order": "ASC"},
    "work": {"first": -(2**62), "last": -places.WORK - 1, "order": "ASC"},
}
FIND = {
    "sqlite": "SELECT rowid FROM tasks_searchwords WHERE tasks_searchwords MATCH %s "
    "AND rowid BETWEEN {first} AND {last} ORDER BY rowid {order} LIMIT %s",
    "postgresql": "SELECT id FROM tasks_searchentry WHERE words @@ %s::tsquery "
    "AND id BETWEEN {first} AND {last} ORDER BY id {order} LIMIT %s",
}


def _asked_of_sqlite(phrases: Iterable[Phrase], scopes: Iterable[Iterable[str]]) -> str:
    return " AND ".join([*map(_in_sqlite, phrases), *(_any(scope, '"{}"', " OR ") for scope in scopes)])


def _asked_of_postgresql(phrases: Iterable[Phrase], scopes: Iterable[Iterable[str]]) -> str:
    return " & ".join([*map(_in_postgresql, phrases), *(_any(scope, "'{}'", " | ") for scope in scopes)])


def _in_sqlite(phrase: Phrase) -> str:
    return f'"{" ".join(phrase.words)}"{"*" if phrase.is_prefix else ""}'


def _in_postgresql(phrase: Phrase) -> str:
    words = [f"'{word}'" for word in phrase.words]
    if phrase.is_prefix:
        words[-1] += ":*"
    return f"({' <-> '.join(words)})"


def _any(scope: Iterable[str], quoted: str, between: str) -> str:
    return f"({between.join(quoted.format(word) for word in scope)})"
