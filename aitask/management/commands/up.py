"""`manage.py up`: run the whole app."""

from __future__ import annotations

import http.client
import sys
import threading
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Tags
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import connection, connections
from django.http.request import validate_host
from django.urls import reverse

from aitask import browser, first_run, own_host
from aitask.backup import restore
from aitask.checks import INSTALLATION
from aitask.lib.printer import LogFile, WritableText
from aitask.supervisor import preflight
from aitask.supervisor.nursery import Nursery
from aitask.supervisor.roles import Role
from aitask.supervisor.supervisor import Console, Supervisor
from tasks.conversation import web_push
from tasks.runs import restart_report

ANSWER_SECONDS = 60.0
HEALTH = "/healthz"
"""Its address is not looked up, because that would import all pages."""


class Command(BaseCommand):
    help = "Migrate the database and run web, worker and follower. The first run prints a link for the setup."
    # The others check the source, which has been tested, and would import all pages into this process.
    requires_system_checks = (INSTALLATION, Tags.compatibility, Tags.security)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
        )
        parser.add_argument("--port", default=8000, type=port_number)
        parser.add_argument(
            "--no-browser", action="store_true", help="don't open a browser for the setup of a new site"
        )
        parser.add_argument("--log-file", type=Path, help="write the output to this file, of at most 10 MB")

    def handle(
        self, *args: Any, host: str, port: int, no_browser: bool, log_file: Path | None, **options: Any
    ) -> None:
        output = self._output(log_file)
        opens_browser = not no_browser and browser.is_at_hand(output)
        try:
            preflight.check_remote(host, allowed=settings.ALLOW_REMOTE, allowed_hosts=settings.ALLOWED_HOSTS)
            lock = preflight.take_data_dir(settings.DATA_DIR)
            preflight.check_port(host, port)
            preflight.check_database(connection)
            restore.recover()
        except preflight.NotReady as error:
            raise CommandError(str(error)) from error
        try:
            if not preflight.has_all_migrations(connection):
                call_command("migrate", interactive=False, verbosity=0)
            web_push.private_key()
            restart_report.note_start()
            self.supervise(host, port, output, opens_browser)
        finally:
            lock.close()

    def _output(self, log_file: Path | None) -> WritableText:
        """Return where everything is printed; errors of this command go there, too."""
        if log_file is None:
            return sys.stdout
        output = LogFile(log_file)
        self.stdout = self.stderr = OutputWrapper(cast(TextIO, output))
        return output

    def supervise(self, host: str, port: int, output: WritableText, opens_browser: bool) -> None:
        roles = the_roles(host, port)
        console = Console(output, ["up", *(role.name for role in roles)])
        connections.close_all()
        supervisor = Supervisor(roles, settings.BASE_DIR, console, Nursery.open())
        announcing = [host, port, console, opens_browser]
        threading.Thread(target=announce, args=announcing, daemon=True).start()
        supervisor.run()


def the_roles(host: str, port: int) -> Sequence[Role]:
    listen = ("-b", host, "-p", str(port))
    web = ("aitask.web", "-v", "0", "--no-server-name", *listen, "aitask.asgi:application")
    return (
        Role("web", web, answers=lambda: answers(host, port)),
        Role("worker", ("manage", "qcluster")),
        Role("follower", ("manage", "follow_runs", "--no-report")),
    )


def announce(host: str, port: int, console: Console, opens_browser: bool = False) -> None:
    """Print the URL once the site answers, and print or open the setup link if there is no account yet."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while not answers(host, port):
        if time.monotonic() > deadline:
            console.show("up", f"no answer on port {port} yet; see the messages of web above")
            deadline = time.monotonic() + ANSWER_SECONDS
        time.sleep(0.1)
    site = address(host, port)
    console.show("up", f"AI Task Manager is ready: {site}/  (Ctrl-C stops it)")
    if first_run.is_needed():
        link = site + reverse("setup", args=[first_run.new_token()])
        console.show("up", f"First run: create the administrator at {link}")
        if opens_browser:
            browser.open_private(link)


def answers(host: str, port: int) -> bool:
    """Return whether the site answers a request for an allowed host name."""
    connection = http.client.HTTPConnection(reachable(host), port, timeout=5)
    try:
        connection.request("GET", HEALTH, headers={"Host": urlsplit(address(host, port)).netloc})
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def reachable(host: str) -> str:
    """Return the address to connect to; for a listener on all addresses, loopback."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def address(host: str, port: int) -> str:
    """Return the site's URL: the first trusted origin, else one with an allowed host name."""
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        if "*" not in origin:
            return str(origin)
    name = reachable(host)
    if preflight.is_loopback(name) and own_host.is_used():
        return f"http://{own_host.NAME}:{port}"
    name = f"[{name}]" if ":" in name else name
    if not validate_host(name, settings.ALLOWED_HOSTS):
        name = next((known for known in settings.ALLOWED_HOSTS if known[0] not in "*."), name)
    return f"http://{name}:{port}"


def port_number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ArgumentTypeError(f"{text!r} is not a port number from 1 to 65535")
    return int(text)
