"""Checks of `up` before it starts anything; each error says in one sentence what to do."""

from __future__ import annotations

import ipaddress
import os
import socket
import sqlite3
import time
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

PORT_PATIENCE_SECONDS = 3.0
ALL_OF_LOCALHOST = ".localhost"


class NotReady(Exception):
    """`up` can't start; the message is for the user."""


def take_data_dir(data_dir: Path) -> sqlite3.Connection:
    """Lock the folder for this `up` until the returned connection is closed or this process ends.

    Uses SQLite for a portable file lock; nothing is stored in the file.
    """
    try:
        connection = sqlite3.connect(data_dir / "up.lock", isolation_level=None, timeout=0.5)
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        if "locked" not in str(error):
            raise NotReady(
                f"{data_dir}/up.lock is not writable ({error}); set DATA_DIR to another folder."
            ) from error
        raise NotReady(
            f"AI Task Manager is already running with {data_dir}; "
            "stop it first, or set DATA_DIR to another folder."
        ) from error
    return connection


def check_database(database: BaseDatabaseWrapper) -> None:
    """Open the database now, instead of getting a traceback from each process."""
    try:
        database.ensure_connection()
    except DatabaseError as error:
        reason = " ".join(str(error).split())
        name = database.settings_dict["NAME"]
        raise NotReady(
            f"The database {name} can't be opened: {reason}; check DATABASE_URL and DATA_DIR."
        ) from error


def has_all_migrations(database: BaseDatabaseWrapper) -> bool:
    """Return whether each migration's file is recorded as applied, without importing all of them."""
    applied = MigrationRecorder(database).applied_migrations()
    return all(
        (config.label, file.stem) in applied
        for config in apps.get_app_configs()
        for file in Path(config.path, "migrations").glob("[!_]*.py")
    )


def check_remote(host: str, *, allowed: bool, allowed_hosts: list[str]) -> None:
    """Refuse to listen for other machines unless that is allowed: users can run commands on every host."""
    if is_loopback(host):
        return
    if not allowed:
        raise NotReady(
            f"--host {host} would accept other machines, and users can run commands on your hosts; "
            "to allow it, set ALLOW_REMOTE=true and list this site's names in ALLOWED_HOSTS."
        )
    if set(allowed_hosts) <= {*settings.LOCAL_NAMES, ALL_OF_LOCALHOST}:
        raise NotReady(
            f"--host {host} accepts other machines, but ALLOWED_HOSTS has only names of this one; "
            "set ALLOWED_HOSTS to the names that browsers will use."
        )


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_port(host: str, port: int) -> None:
    """Check that the port is free. Waits a moment for a server that is stopping."""
    deadline = time.monotonic() + PORT_PATIENCE_SECONDS
    while (reason := _why_not_bindable(host, port)) and time.monotonic() < deadline:
        time.sleep(0.1)
    if reason:
        raise NotReady(f"Can't listen on {host} port {port}: {reason}; choose another port with --port.")


def _why_not_bindable(host: str, port: int) -> str:
    """Return why the address can't be used; empty if it is free."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name != "nt":  # on Windows it would succeed although another process listens
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""
