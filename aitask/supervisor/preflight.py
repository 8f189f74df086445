"""What `up` makes sure of before it starts anything: each refusal is one sentence that says what to do."""

from __future__ import annotations

import ipaddress
import os
import socket
import sqlite3
import time
from pathlib import Path

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

PORT_PATIENCE_SECONDS = 3.0
LOOPBACK_NAMES = {"localhost", "127.0.0.1", "[::1]", ".localhost"}


class NotReady(Exception):
    """`up` can't start; the text is for the person who typed it."""


def take_data_dir(data_dir: Path) -> sqlite3.Connection:
    """Be the only `up` of this folder until the returned connection closes or this process dies in any way.

    SQLite's file locks are the portable ones; nothing is ever stored in this file.
    """
    try:
        connection = sqlite3.connect(data_dir / "up.lock", isolation_level=None, timeout=0.5)
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        if "locked" not in str(error):
            raise NotReady(
                f"{data_dir}/up.lock can't be written ({error}); set DATA_DIR to another folder."
            ) from error
        raise NotReady(
            f"AI Task Manager is already running with {data_dir}; "
            "stop it first, or set DATA_DIR to another folder."
        ) from error
    return connection


def check_database(database: BaseDatabaseWrapper) -> None:
    """One sentence now, instead of one stack of calls from each process."""
    try:
        database.ensure_connection()
    except DatabaseError as error:
        words = " ".join(str(error).split())
        place = database.settings_dict["NAME"]
        raise NotReady(
            f"The database {place} can't be opened: {words}; see DATABASE_URL and DATA_DIR."
        ) from error


def check_remote(host: str, *, allowed: bool, allowed_hosts: list[str]) -> None:
    """Whoever can open a page here can run commands on every host, so the world is let in only on purpose."""
    if is_loopback(host):
        return
    if not allowed:
        raise NotReady(
            f"--host {host} would let other machines in, and whoever logs in can run commands on your hosts; "
            "if you mean it, set ALLOW_REMOTE=true and list this site's names in ALLOWED_HOSTS."
        )
    if set(allowed_hosts) <= LOOPBACK_NAMES:
        raise NotReady(
            f"--host {host} lets other machines in, but ALLOWED_HOSTS names only this one; "
            "set ALLOWED_HOSTS to the names by which they will call it."
        )


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_port(host: str, port: int) -> None:
    """Waits a moment for a predecessor that is just stopping."""
    deadline = time.monotonic() + PORT_PATIENCE_SECONDS
    while (reason := _why_not_bindable(host, port)) and time.monotonic() < deadline:
        time.sleep(0.1)
    if reason:
        raise NotReady(f"Can't listen on {host} port {port}: {reason}; choose another with --port.")


def _why_not_bindable(host: str, port: int) -> str:
    """Empty when the address is free."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name != "nt":  # there it would succeed beside another listener
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""
