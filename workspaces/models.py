"""Who works where: installations, hosts, workspaces and the tokens of people's scripts."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from typing import Literal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from workspaces.hosts.address import Address
from workspaces.validators import (
    validate_environment,
    validate_folder,
    validate_globs,
    validate_host_alias,
    validate_one_line,
    validate_person,
    validate_word,
)


class Backend(models.TextChoices):
    """The agent CLIs; a new one is a file in hostkit/agents and a line here."""

    CLAUDE_CODE = "claude_code", "Claude Code"
    CODEX = "codex", "Codex"


class PermissionMode(models.TextChoices):
    """How much an agent may do without asking."""

    ASK = "ask", "Ask before changes"
    EDITS = "edits", "Edit files, ask for commands"
    FULL = "full", "Everything without asking"


class Installation(models.Model):
    """One row: the name by which sessions and worktrees on shared hosts are known to be ours."""

    key = models.CharField(max_length=32, unique=True, editable=False)

    def __str__(self) -> str:
        return self.key

    @classmethod
    def current_key(cls) -> str:
        """Eight hex digits, made at the first call and never changed."""
        row, _ = cls.objects.get_or_create(pk=1, defaults={"key": uuid.uuid4().hex[:8]})
        return row.key


class Host(models.Model):
    """A machine that runs agents, and what is known of the way to it."""

    class Link(models.TextChoices):
        UNKNOWN = "unknown", "Not tried yet"
        UP = "up", "Connected"
        DOWN = "down", "Link lost"

    key = models.CharField(max_length=300, unique=True, help_text="local, ssh:alias or ssh:user@alias")
    kind = models.CharField(max_length=5, choices=[("local", "This machine"), ("ssh", "SSH")])
    alias = models.CharField(max_length=200, blank=True)
    user = models.CharField(max_length=100, blank=True)
    accepted_keys = models.JSONField(
        default=list, blank=True, help_text="Host keys that a person accepted, as known_hosts lines"
    )
    link = models.CharField(max_length=7, choices=Link.choices, default=Link.UNKNOWN)
    link_reason = models.CharField(max_length=500, blank=True)
    link_hint = models.CharField(max_length=500, blank=True)
    last_heard_at = models.DateTimeField(null=True, blank=True)
    lease_owner = models.CharField(max_length=100, blank=True, help_text="The follower that watches it")
    lease_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.key

    @property
    def address(self) -> Address:
        kind: Literal["local", "ssh"] = "local" if self.kind == "local" else "ssh"
        return Address(kind=kind, alias=self.alias, user=self.user, accepted_keys=tuple(self.accepted_keys))

    @property
    def name(self) -> str:
        """What a program calls it: local, an alias, or user@alias."""
        return self.key.removeprefix("ssh:")

    @property
    def label(self) -> str:
        """What a person calls it."""
        return "this machine" if self.kind == "local" else self.name


class BackendHold(models.Model):
    """Starts of one CLI on one host held back because its login was refused."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="holds")
    backend = models.CharField(max_length=20, choices=Backend.choices)
    refusals = models.PositiveIntegerField(default=0, help_text="Runs in a row that met a refused login")
    held_since = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    probe_run = models.BigIntegerField(null=True, blank=True, help_text="The one run let through to try")
    next_probe_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["host", "backend"], name="one_hold_per_host_and_backend")
        ]

    def __str__(self) -> str:
        return f"{self.backend} on {self.host_id}"


class Workspace(models.Model):
    """A repository on a host, and how agents work in it."""

    class Kind(models.TextChoices):
        LOCAL = "local", "This machine"
        SSH = "ssh", "A server reached by SSH"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="own_workspaces"
    )
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="shared_workspaces")
    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=5, choices=Kind.choices, default=Kind.LOCAL)
    ssh_host = models.CharField(
        "SSH host",
        max_length=200,
        blank=True,
        validators=[validate_host_alias],
        help_text="The alias you type after `ssh`, such as cloud",
    )
    ssh_user = models.CharField(
        "SSH user",
        max_length=100,
        blank=True,
        validators=[validate_host_alias],
        help_text="Only when it differs from your ssh configuration",
    )
    repo_path = models.CharField(
        "repository",
        max_length=1000,
        help_text="Folder of the git repository on the host; ~ is your home there",
    )
    base_branch = models.CharField(max_length=200, default="main")
    worktree_root = models.CharField(
        "worktree folder", max_length=1000, blank=True, help_text="Default: <repository>.worktrees, beside it"
    )
    copy_files = models.TextField(
        "files to copy",
        blank=True,
        validators=[validate_globs],
        help_text="One pattern a line, such as .env: copied into each new worktree, never committed",
    )
    setup_command = models.TextField(blank=True, help_text="Run once in each new worktree, such as npm ci")
    check_command = models.TextField(blank=True, help_text="Says whether the work is good, such as make test")
    default_backend = models.CharField(max_length=20, choices=Backend.choices, default=Backend.CLAUDE_CODE)
    default_model = models.CharField(max_length=100, blank=True, help_text="Empty: whatever the CLI picks")
    default_reasoning_effort = models.CharField(max_length=20, blank=True)
    permission_mode = models.CharField(
        max_length=5, choices=PermissionMode.choices, default=PermissionMode.EDITS
    )
    environment = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_environment],
        help_text='Variables for the agents: {"NAME": "value"}',
    )
    max_parallel_runs = models.PositiveSmallIntegerField("most runs at once", default=4)
    commit_leftovers = models.BooleanField(
        "commit what an agent leaves uncommitted",
        default=True,
        help_text="At the end of a run, on the task's branch",
    )
    git_name = models.CharField(max_length=200, blank=True, help_text="Empty: the host's own git identity")
    git_email = models.EmailField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    RULES = (
        ("name", validate_one_line),
        ("repo_path", validate_folder),
        ("base_branch", validate_word),
        ("worktree_root", validate_folder),
        ("default_model", validate_word),
        ("default_reasoning_effort", validate_word),
        ("git_name", validate_person),
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        problems: dict[str, ValidationError | str] = {}
        for field, rule in self.RULES:
            try:
                rule(getattr(self, field))
            except ValidationError as error:
                problems[field] = error
        if self.kind == self.Kind.SSH and not self.ssh_host:
            problems["ssh_host"] = "Say which host: the alias you type after `ssh`."
        if self.max_parallel_runs < 1:
            problems["max_parallel_runs"] = "At least 1, or nothing would ever run."
        if problems:
            raise ValidationError(problems)
        self._check_that_it_stays()

    def _check_that_it_stays(self) -> None:
        """Live runs are looked for where the workspace says; moving it would lose them."""
        saved = Workspace.objects.filter(pk=self.pk).first()
        if saved is None or (saved.address, saved.repo_path) == (self.address, self.repo_path):
            return
        if saved.tasks.filter(runs__state__in=("queued", "starting", "running", "waiting")).exists():
            raise ValidationError("Runs are going on here. Cancel them before the workspace moves elsewhere.")

    @property
    def address(self) -> Address:
        """Which machine it lies on."""
        if self.kind == self.Kind.LOCAL:
            return Address(kind="local")
        return Address(kind="ssh", alias=self.ssh_host, user=self.ssh_user)

    @property
    def host(self) -> Host:
        """The row of the machine that this workspace lies on; made when first asked for."""
        address = self.address
        row, _ = Host.objects.get_or_create(
            key=address.key,
            defaults={"kind": address.kind, "alias": address.alias, "user": address.user},
        )
        return row

    @property
    def copy_patterns(self) -> list[str]:
        return [line.strip() for line in self.copy_files.splitlines() if line.strip()]


class ApiToken(models.Model):
    """A person's key for scripts; only its digest is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    def __str__(self) -> str:
        return f"{self.name} of {self.user_id}"

    @staticmethod
    def digest_of(token: str) -> str:
        """A token has 256 random bits, so a plain fast hash is as good as a slow one."""
        return hashlib.sha256(token.encode()).hexdigest()

    @classmethod
    def issue(cls, *, user_id: int, name: str) -> str:
        """Make a token and return it; it can't be read again."""
        token = f"aitask_{secrets.token_urlsafe(32)}"
        cls.objects.create(user_id=user_id, name=name, digest=cls.digest_of(token))
        return token


from workspaces.catalog.models import ModelList as ModelList  # noqa: E402  (it points at Host)
