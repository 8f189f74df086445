"""The models that a CLI on a host offers, and when to ask it again."""

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
"After a restart, lists younger than this are kept if the CLI's program and login are unchanged."


def digest_of(environment: Mapping[str, Any]) -> str:
    """Return a digest of the variables that a CLI runs with; empty if there are none.

    All variables count, because any of them may change the CLI's answer (PATH, HOME, keys, proxies, …).
    """
    if not environment:
        return ""
    return hashlib.sha256(json.dumps(environment, sort_keys=True).encode()).hexdigest()[:32]


class ModelList(Leased):
    """What one CLI of a host offers in one environment. After a failure the last list is kept as stale."""

    host = db.ForeignKey("workspaces.Host", on_delete=db.CASCADE, related_name="model_lists")
    backend = db.CharField(max_length=20)
    environment = db.CharField(
        max_length=32, blank=True, help_text="Digest of the workspace's variables; empty if it has none"
    )
    models = db.JSONField(default=list, blank=True)
    fetched_at = db.DateTimeField(null=True, blank=True, help_text="When the CLI last returned its list")
    stale = db.BooleanField(default=True)
    error = db.CharField(max_length=1000, blank=True, help_text="Why the list is stale or missing")
    present = db.BooleanField(null=True, help_text="Whether the host has this CLI")
    path = db.CharField(max_length=1000, blank=True)
    cli_version = db.CharField(max_length=100, blank=True)
    account = db.CharField(max_length=100, blank=True, help_text="Kind of account that the list applies to")
    logged_in = db.BooleanField(null=True)
    fingerprint = db.CharField(
        max_length=64, blank=True, help_text="Fingerprint of the program and its login"
    )
    asked_at = db.DateTimeField(null=True, blank=True, help_text="When the CLI was last asked")
    due_at = db.DateTimeField(null=True, blank=True, help_text="When to ask the CLI next")
    failures = db.PositiveSmallIntegerField(
        default=0, help_text="Consecutive times that the host could not be reached"
    )

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
        """Create a row for each CLI, empty until the CLI has answered."""
        for backend in clis.names():
            cls.objects.get_or_create(host=host, backend=backend, environment=digest)

    @property
    def is_young(self) -> bool:
        return not self.stale and self.fetched_at is not None and self.fetched_at > timezone.now() - YOUNG

    @property
    def is_awaited(self) -> bool:
        """Whether the first answer is still awaited."""
        return self.asked_at is None and self.due_at is not None

    @property
    def is_offered(self) -> bool:
        """Whether a new task may use this CLI; True until the host has answered."""
        return self.present is not False

    def find(self, model: str) -> OfferedModel | None:
        return next((each for each in self.models if each["id"] == model), None)

    @property
    def levels(self) -> list[str]:
        """The levels of effort of all its models."""
        return list(dict.fromkeys(level["id"] for each in self.models for level in each["reasoning_efforts"]))

    @property
    def recommended(self) -> OfferedModel | None:
        """The model that the CLI uses by default."""
        return next((each for each in self.models if each["is_default"]), None)
