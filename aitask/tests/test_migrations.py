"""A database of an earlier version gets the same tables as a new one."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.installation import Installation, make_installation
from aitask.tests.lab.ready import empty_tables

EARLIER = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
executor = MigrationExecutor(connection)
executor.loader = MigrationLoader(connection, replace_migrations=False)
executor.migrate(%r)
"""
VERSIONS = {
    "first": ["tasks.0005_conversation", "workspaces.0001_initial", "usage.0003_one_row"],
    "landed": ["tasks.0019_agent_settings", "workspaces.0010_allowed_agent_settings", "usage.0009_words_1"],
    "newest": ["tasks.0023_permission_modes", "workspaces.0012_permission_modes", "usage.0009_words_1"],
}
"""Versions that were installed somewhere, oldest first."""
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
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that each test brings to a later version, as its administrator did."""
    return make_installation(tmp_path_factory.mktemp("installed") / "data", empty=True)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_an_earlier_version_gets_the_tables_of_a_new_one(
    version: str, installed: Installation, tmp_path: Path
) -> None:
    targets = [tuple(name.split(".")) for name in (*VERSIONS[version], *OTHERS)]
    installed.run("shell", "--no-imports", "-c", EARLIER % targets).check_returncode()
    copy = make_installation(tmp_path / "copy", empty=True)
    shutil.copy(installed.data_dir / "db.sqlite3", copy.data_dir)
    copy.run("migrate", "--verbosity", "0").check_returncode()
    assert tables_of(copy.data_dir / "db.sqlite3") == tables_of(empty_tables())
