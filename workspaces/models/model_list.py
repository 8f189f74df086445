"""What a CLI on a host said it offers, and how the asking stands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import models as db
from django.utils import timezone

from aitask.lib.leases import Leased
from workspaces import clis
from workspaces.hostkit.wire import OfferedModel
from workspaces.models.host import Host

YOUNG = timedelta(minutes=10)
"A list of this age is taken over at a restart, as long as the CLI's program and login are the same."


def digest_of(environment: Mapping[str, Any]) -> str:
    """Names what a CLI is asked with; empty for the host's own environment.

    Every variable counts: which of them change a CLI's answer is the CLI's own affair (PATH and HOME, keys,
    providers, proxies, …), and asking once more costs a second.
    """
    if not environment:
        return ""
    return hashlib.sha256(json.dumps(environment, sort_keys=True).encode()).hexdigest()[:32]


class ModelList(Leased):
    """What one CLI of a host offers in one environment. A failure keeps the last list, as stale."""

    host = db.ForeignKey("workspaces.Host", on_delete=db.CASCADE, related_name="model_lists")
    backend = db.CharField(max_length=20)
    environment = db.CharField(
        max_length=32, blank=True, help_text="Digest of the workspace's variables; empty without any"
    )
    models = db.JSONField(default=list, blank=True)
    fetched_at = db.DateTimeField(null=True, blank=True, help_text="When the CLI last gave its list")
    stale = db.BooleanField(default=True)
    error = db.CharField(max_length=1000, blank=True, help_text="Why the list is old, or why there is none")
    present = db.BooleanField(null=True, help_text="Whether the host has this CLI")
    path = db.CharField(max_length=1000, blank=True)
    cli_version = db.CharField(max_length=100, blank=True)
    account = db.CharField(max_length=100, blank=True, help_text="Kind of account that the list is for")
    logged_in = db.BooleanField(null=True)
    fingerprint = db.CharField(max_length=64, blank=True, help_text="Of the program and its login")
    asked_at = db.DateTimeField(null=True, blank=True, help_text="When it was last asked")
    due_at = db.DateTimeField(null=True, blank=True, help_text="When it is to be asked next")
    failures = db.PositiveSmallIntegerField(default=0, help_text="Times in a row that the host was away")

    class Meta:
        constraints = [
            db.UniqueConstraint(
                fields=["host", "backend", "environment"], name="one_model_list_per_cli_and_environment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.backend} on {self.host.key}"

    @classmethod
    def make_rows(cls, host: Host, digest: str) -> None:
        """A row for each CLI of the host, empty until it has answered."""
        for backend in clis.names():
            cls.objects.get_or_create(host=host, backend=backend, environment=digest)

    @property
    def is_young(self) -> bool:
        return not self.stale and self.fetched_at is not None and self.fetched_at > timezone.now() - YOUNG

    @property
    def is_awaited(self) -> bool:
        """No answer has come yet, but it is being asked for."""
        return self.asked_at is None and self.due_at is not None

    @property
    def is_offered(self) -> bool:
        """Whether a new task may choose this CLI; nothing is ruled out before the host was asked."""
        return self.present is not False

    def find(self, model: str) -> OfferedModel | None:
        return next((each for each in self.models if each["id"] == model), None)

    @property
    def levels(self) -> list[str]:
        """Every level of effort that one of its models has."""
        return list(dict.fromkeys(level["id"] for each in self.models for level in each["reasoning_efforts"]))

    @property
    def recommended(self) -> OfferedModel | None:
        """The one that the CLI calls its default."""
        return next((each for each in self.models if each["is_default"]), None)
