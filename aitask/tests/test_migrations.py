"""A database of an earlier version gets the same tables as a new one."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.installation import Installation, migrated_database

EARLIER = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
executor = MigrationExecutor(connection)
executor.loader = MigrationLoader(connection, replace_migrations=False)
executor.migrate(%r)
"""
LANDED = ["tasks.0019_agent_settings", "workspaces.0010_allowed_agent_settings", "usage.0009_words_1"]
FIRST = ["tasks.0005_conversation", "workspaces.0001_initial", "usage.0003_one_row"]
NEWEST = ["tasks.0023_permission_modes", "workspaces.0012_permission_modes", "usage.0009_words_1"]
OTHERS = ["terminal.0001_visits", "sessions.0001_initial", "admin.0003_logentry_add_action_flag_choices"]


def tables_of(database: Path) -> dict[str, tuple[set[Any], ...]]:
    """Columns, references and indexes of each table."""
    with sqlite3.connect(database) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        return {name: _shape_of(connection, name) for (name,) in tables}


def _shape_of(connection: sqlite3.Connection, table: str) -> tuple[set[Any], ...]:
    def ask(about: str, name: str) -> list[tuple[Any, ...]]:
        return connection.execute(f"pragma {about}({name})").fetchall()

    indexes = {
        (unique, partial, *((row[0], row[2]) for row in ask("index_info", name)))
        for _, name, unique, _, partial in ask("index_list", table)
    }
    columns = {row[1:] for row in ask("table_info", table)}
    return columns, {row[2:] for row in ask("foreign_key_list", table)}, indexes


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("new"))


@pytest.mark.slow
@pytest.mark.parametrize("applied", [FIRST, LANDED, NEWEST], ids=["first", "landed", "newest"])
def test_a_database_of_an_earlier_version_gets_the_tables_of_a_new_one(
    applied: list[str], new: Path, tmp_path: Path
) -> None:
    made = Installation(tmp_path)
    tmp_path.chmod(0o700)
    targets = [tuple(name.split(".")) for name in (*applied, *OTHERS)]
    made.run("shell", "--no-imports", "-c", EARLIER % targets).check_returncode()
    made.run("migrate", "--verbosity", "0").check_returncode()
    assert tables_of(tmp_path / new.name) == tables_of(new)
