"""Machines that run agents, and the key that marks what this installation owns there."""

from __future__ import annotations

import uuid
from typing import Literal

from django.db import models

from aitask.lib.leases import Leased
from workspaces import clis
from workspaces.hosts.address import Address


class Installation(models.Model):
    """A single row: the key that marks our sessions and worktrees on shared hosts."""

    key = models.CharField(max_length=32, unique=True, editable=False)

    def __str__(self) -> str:
        return self.key

    @classmethod
    def current_key(cls) -> str:
        """Return the key: eight hex digits, created at the first call and never changed."""
        row, _ = cls.objects.get_or_create(pk=1, defaults={"key": uuid.uuid4().hex[:8]})
        return row.key


class Host(Leased):
    """A machine that runs agents, and the state of the link to it."""

    class Link(models.TextChoices):
        UNKNOWN = "unknown", "Not tried yet"
        UP = "up", "Connected"
        DOWN = "down", "Link lost"

    key = models.CharField(max_length=300, unique=True, help_text="local, ssh:alias or ssh:user@alias")
    kind = models.CharField(max_length=5, choices=[("local", "This machine"), ("ssh", "SSH")])
    alias = models.CharField(max_length=200, blank=True)
    user = models.CharField(max_length=100, blank=True)
    accepted_keys = models.JSONField(
        default=list, blank=True, help_text="Host keys that a user accepted, as known_hosts lines"
    )
    link = models.CharField(max_length=7, choices=Link.choices, default=Link.UNKNOWN)
    link_reason = models.CharField(max_length=500, blank=True)
    link_hint = models.CharField(max_length=500, blank=True)
    last_heard_at = models.DateTimeField(null=True, blank=True)
    tmux_socket = models.CharField(
        max_length=300, blank=True, editable=False, help_text="Of our tmux server there, as last reported"
    )
    asked_for_runs_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was last asked for runs that the database does not know"
    )

    def __str__(self) -> str:
        return self.key

    @classmethod
    def at(cls, address: Address) -> Host:
        """Return the row of a host; one that is not saved if there is none yet."""
        row = cls.objects.filter(key=address.key).first()
        return row or cls(key=address.key, kind=address.kind, alias=address.alias, user=address.user)

    @property
    def address(self) -> Address:
        kind: Literal["local", "ssh"] = "local" if self.kind == "local" else "ssh"
        return Address(kind=kind, alias=self.alias, user=self.user, accepted_keys=tuple(self.accepted_keys))

    @property
    def name(self) -> str:
        """The name for commands: local, an alias, or user@alias."""
        return self.key.removeprefix("ssh:")

    @property
    def label(self) -> str:
        """The name for pages and messages."""
        return "this machine" if self.kind == "local" else self.name


class LinkGap(models.Model):
    """A time without a link to a host. Only the newest ones of each host are kept."""

    KEPT = 100
    "How many of a host are kept."

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="gaps")
    lost_at = models.DateTimeField()
    back_at = models.DateTimeField(null=True, blank=True, help_text="Empty while the link is lost")
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = [models.Index(fields=["host", "lost_at"])]
        constraints = [
            models.UniqueConstraint(
                fields=["host"], condition=models.Q(back_at=None), name="one_open_gap_per_host"
            )
        ]

    def __str__(self) -> str:
        return f"no link to {self.host_id} from {self.lost_at:%Y-%m-%d %H:%M}"


class BackendHold(models.Model):
    """A hold on the runs of one CLI on one host, because its login was refused."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="holds")
    backend = models.CharField(max_length=20, choices=clis.choices)
    refusals = models.PositiveIntegerField(default=0, help_text="Consecutive runs whose login was refused")
    held_since = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    probe_run = models.BigIntegerField(
        null=True, blank=True, help_text="The run that may start to try the login again"
    )
    next_probe_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["host", "backend"], name="one_hold_per_host_and_backend")
        ]

    def __str__(self) -> str:
        return f"{self.backend} on {self.host_id}"
