"""Refresh the model lists now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from workspaces import clis, hosts
from workspaces.catalog import jobs as catalog_jobs
from workspaces.catalog import services as catalog_services
from workspaces.models import Host, ModelList


class Command(BaseCommand):
    help = (
        "Ask the CLIs of all hosts, or of one, for their models. The exit status is 1 if one of them failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", metavar="ALIAS", help='an SSH alias, or "local" for this machine')

    def handle(self, *args: Any, host: str | None, **options: Any) -> None:
        failed = False
        try:
            for row in chosen_hosts(host):
                for answer in catalog_jobs.ask_host(row):
                    self.stdout.write(line_of(answer))
                    failed = failed or is_failure(answer)
        finally:
            hosts.close_all()
        if failed:
            raise SystemExit(1)


def chosen_hosts(alias: str | None) -> list[Host]:
    """Return the hosts that match `alias`; all known ones for None."""
    known = catalog_services.known()
    if alias is None:
        return known
    found = [host for host in known if alias in (host.key, host.name, host.alias)]
    if not found:
        names = ", ".join(host.name for host in known) or "none"
        raise CommandError(f"There is no host {alias}. Known: {names}.")
    return found


def is_failure(answer: ModelList) -> bool:
    """Return whether asking failed; a CLI that is not installed does not count."""
    return bool(answer.error) and answer.present is not False


def line_of(answer: ModelList) -> str:
    where = f"{answer.host.name} {clis.label_of(answer.backend)}"
    setting = f" (variables {answer.environment[:8]})" if answer.environment else ""
    if answer.error:
        return f"{where}{setting}: {answer.error}"
    ids = ", ".join(model["id"] for model in answer.models)
    return f"{where}{setting} {answer.cli_version}: {ids}"
