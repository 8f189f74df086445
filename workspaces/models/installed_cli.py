"""What is known about the program of a CLI on a host, and whether its version works."""

from __future__ import annotations

from django.db import models as db
from django.utils import timezone

from aitask.lib.leases import Leased
from workspaces import clis


class InstalledCli(Leased):
    """The program of one CLI that runs of one host and environment start, and what came of its version.

    `fingerprint` identifies the program's files. A verdict holds for this fingerprint alone.
    """

    class State(db.TextChoices):
        UNPROVEN = "unproven", "Not tried"
        TRYING = "trying", "Changed, to be tried"
        GOOD = "good", "Works"
        HELD = "held", "On hold"

    host = db.ForeignKey("workspaces.Host", on_delete=db.CASCADE, related_name="installed_clis")
    backend = db.CharField(max_length=20, choices=clis.choices)
    environment = db.CharField(
        max_length=32, blank=True, help_text="Digest of the workspace's variables; empty if it has none"
    )
    state = db.CharField(max_length=8, choices=State.choices, default=State.UNPROVEN)
    path = db.CharField(max_length=1000, blank=True)
    program = db.CharField(max_length=1000, blank=True, help_text="Its file, behind symbolic links")
    version = db.CharField(max_length=50, blank=True, help_text="Empty if it is not known")
    fingerprint = db.CharField(max_length=64, blank=True, help_text="Of the program; empty if it is missing")
    changed_at = db.DateTimeField(null=True, blank=True, help_text="When this program was first seen")
    looked_at = db.DateTimeField(null=True, blank=True, help_text="When the program was last looked at")

    code = db.CharField(max_length=20, blank=True, help_text="What the last trial turn showed, as a code")
    reason = db.CharField(
        max_length=500, blank=True, help_text="Why starts are held, or why a trial turn did not show anything"
    )
    tried_at = db.DateTimeField(null=True, blank=True, help_text="When the last trial turn ended")
    tries = db.PositiveSmallIntegerField(default=0, help_text="Failed trial turns of this program")
    try_at = db.DateTimeField(null=True, blank=True, help_text="When to try a turn again; empty for not")
    wanted = db.BooleanField(default=False, help_text="A user wants a trial turn now")
    allowed_fingerprint = db.CharField(
        max_length=64, blank=True, help_text="Program that a user has allowed to start anyway"
    )

    good_version = db.CharField(
        max_length=50, blank=True, help_text="The last version that has finished a turn"
    )
    good_fingerprint = db.CharField(max_length=64, blank=True)
    good_program = db.CharField(max_length=1000, blank=True)
    good_at = db.DateTimeField(null=True, blank=True, help_text="When it last finished a turn")

    class Meta:
        verbose_name = "installed CLI"
        verbose_name_plural = "installed CLIs"
        constraints = [
            db.UniqueConstraint(
                fields=["host", "backend", "environment"], name="one_installed_cli_per_environment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.label} on {self.host.key}"

    @property
    def label(self) -> str:
        return clis.label_of(self.backend)

    @property
    def name(self) -> str:
        """The CLI and its version in words, such as “Claude Code 2.1.332”."""
        return f"{self.label} {self.version}".strip()

    @property
    def is_allowed(self) -> bool:
        """Whether a user has allowed this very program to start anyway."""
        return bool(self.fingerprint) and self.allowed_fingerprint == self.fingerprint

    @property
    def is_held(self) -> bool:
        """Whether its runs wait for a better program."""
        return self.state == self.State.HELD and not self.is_allowed

    @property
    def is_trying(self) -> bool:
        """Whether a trial turn is due or in progress."""
        return self.wanted or self.state == self.State.TRYING

    @property
    def is_due(self) -> bool:
        return self.wanted or (self.try_at is not None and self.try_at <= timezone.now())

    @property
    def last_good(self) -> str:
        """The last good version, as the end of a sentence."""
        return f"; last good: {self.good_version}" if self.good_version else ""

    @property
    def hold_reason(self) -> str:
        """Why its runs wait, as a sentence; empty if they don't."""
        if self.is_allowed:
            return ""
        if self.state == self.State.TRYING:
            doubt = self.reason or f"{self.change_words} on {self.host.label}"
            return f"{doubt}: trying one turn."
        return f"Held: {self.reason}" if self.state == self.State.HELD else ""

    @property
    def change_words(self) -> str:
        """Which program replaces the last good one, in words."""
        if self.good_version and self.version and self.good_version != self.version:
            return f"{self.label} changed from {self.good_version} to {self.version}"
        return f"{self.label} changed to {self.version}" if self.version else f"{self.label} changed"
