"""Create a token for the JSON API."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from workspaces.models import ApiToken
from workspaces.models.api_token import DAYS

MOST_DAYS = 3650
MAX_LENGTH = 100
"Characters of a token's name."


class Command(BaseCommand):
    help = "Create an API token for USERNAME and print it to stdout. It can't be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--name", default="command line", help="What the token is for, as shown to its owner"
        )

        parser.add_argument(
            "--days",
            type=int,
            default=DAYS,
            help=f"how long it is valid (default: {DAYS}, at most {MOST_DAYS})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"].strip()
        if not name or len(name) > MAX_LENGTH:
            raise CommandError(f"Give the token a name of 1 to {MAX_LENGTH} characters.")
        if not 1 <= options["days"] <= MOST_DAYS:
            raise CommandError(f"A token is valid for 1 to {MOST_DAYS} days.")
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['username']!r}.")
        self.stdout.write(ApiToken.issue(user_id=user.pk, name=name, days=options["days"]))
