"""A repository on a host, and how agents work in it."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from workspaces import clis
from workspaces.hosts.address import Address
from workspaces.models.choices import PermissionMode
from workspaces.models.host import Host
from workspaces.validators import (
    validate_environment,
    validate_folder,
    validate_globs,
    validate_host_alias,
    validate_one_line,
    validate_person,
    validate_word,
)


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
    default_backend = models.CharField(max_length=20, choices=clis.choices, default=clis.default())
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
