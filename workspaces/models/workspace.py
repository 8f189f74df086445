"""A repository on a host, and how agents work in it."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from workspaces import clis
from workspaces.hostkit.base.modes import is_wider
from workspaces.hosts import local
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
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=5, choices=Kind.choices, default=Kind.LOCAL)
    ssh_host = models.CharField(
        "SSH host",
        max_length=200,
        blank=True,
        validators=[validate_host_alias],
        help_text="The alias you type after ssh, for example cloud",
    )
    ssh_user = models.CharField(
        "SSH user",
        max_length=100,
        blank=True,
        validators=[validate_host_alias],
        help_text="Only if it differs from your ssh configuration",
    )
    repo_path = models.CharField(
        "repository",
        max_length=1000,
        help_text="Path of the git repository on the host; ~ is your home folder there",
    )
    base_branch = models.CharField(max_length=200, default="main")
    worktree_root = models.CharField(
        "worktree folder",
        max_length=1000,
        blank=True,
        help_text="Default: next to the repository, its name with .worktrees at the end",
    )
    copy_files = models.TextField(
        "files to copy",
        blank=True,
        validators=[validate_globs],
        help_text="One pattern per line, for example .env. Copied into each new worktree, never committed",
    )
    setup_command = models.TextField(
        blank=True,
        help_text="Runs once in each new worktree, for example npm ci. $AITASK_PORT is a free port for it",
    )
    check_command = models.TextField(
        blank=True, help_text="Must succeed before a merge, for example make test"
    )
    default_backend = models.CharField(max_length=20, choices=clis.choices, default=clis.default())
    default_model = models.CharField(max_length=100, blank=True, help_text="Empty: CLI default")
    default_reasoning_effort = models.CharField(max_length=20, blank=True)
    permission_mode = models.CharField(
        max_length=5, choices=PermissionMode.choices, default=PermissionMode.EDITS
    )
    max_permission_mode = models.CharField(
        "most that a task may have",
        max_length=5,
        blank=True,
        choices=[
            ("", "No more than these permissions"),
            *(choice for choice in PermissionMode.choices if choice[0] != PermissionMode.PLAN),
        ],
        help_text="Of the workspace's tasks, only some may need more",
    )
    environment = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_environment],
        help_text='Environment variables for the agents: {"NAME": "value"}',
    )
    max_parallel_runs = models.PositiveSmallIntegerField("parallel runs (max.)", default=4)
    commit_leftovers = models.BooleanField(
        "commit what an agent leaves uncommitted",
        default=True,
        help_text="On the task's branch, when a run ends",
    )
    require_portable_names = models.BooleanField(
        "merge only names that Windows can check out",
        default=False,
        help_text="Merge trains leave out a task that adds names such as aux or a:b, links, or names that"
        " differ only by case",
    )
    ssh_agent = models.BooleanField(
        "lend agents the ssh agent",
        default=False,
        help_text="They can then log in wherever the host's login can, as for git push or private packages",
    )
    allowed_agent_settings = models.JSONField(
        default=list, editable=False, help_text="Digests of what branches bring for agents and a user allowed"
    )
    try_changed_clis = models.BooleanField(
        "try a changed CLI before runs start",
        default=True,
        help_text="After an update on the host, one tiny request on the login's account shows whether the"
        " new version works. If not, runs wait for a better one",
    )
    git_name = models.CharField(
        max_length=200, blank=True, help_text="Empty: the git identity configured on the host"
    )
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
        constraints = [
            # Not unique for all: the error would tell names of workspaces that the user may not see.
            models.UniqueConstraint(fields=["owner", "name"], name="one_workspace_per_owner_and_name")
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        problems: dict[str, ValidationError | str] = {}
        for field, rule in self.RULES:
            try:
                rule(getattr(self, field))
            except ValidationError as error:
                problems[field] = error
        if self.kind == self.Kind.LOCAL and not local.supported():
            problems["kind"] = "Agents can't run on this machine. Choose SSH, and a Linux server."
        if self.kind == self.Kind.SSH and not self.ssh_host:
            problems["ssh_host"] = "Enter the alias you type after ssh."
        if self.max_parallel_runs < 1:
            problems["max_parallel_runs"] = "Must be at least 1."
        if self.max_permission_mode and is_wider(self.permission_mode, self.max_permission_mode):
            problems["max_permission_mode"] = "Must not be less than the permissions of the workspace."
        if Workspace.objects.filter(owner_id=self.owner_id, name=self.name).exclude(pk=self.pk).exists():
            problems["name"] = "A workspace of this owner with this name already exists."
        if problems:
            raise ValidationError(problems)
        self._check_not_moved()

    def _check_not_moved(self) -> None:
        """Refuse another host or repository while runs are live: they would be lost."""
        saved = Workspace.objects.filter(pk=self.pk).first()
        if saved is None or (saved.address, saved.repo_path) == (self.address, self.repo_path):
            return
        if saved.tasks.filter(runs__state__in=("queued", "starting", "running", "waiting")).exists():
            raise ValidationError(
                "Runs are in progress. Cancel them before you change the host or the repository."
            )

    @property
    def address(self) -> Address:
        """The address of the workspace's host."""
        if self.kind == self.Kind.LOCAL:
            return Address(kind="local")
        return Address(kind="ssh", alias=self.ssh_host, user=self.ssh_user)

    @property
    def host(self) -> Host:
        """The row of the workspace's host, created at the first access."""
        address = self.address
        row, _ = Host.objects.get_or_create(
            key=address.key,
            defaults={"kind": address.kind, "alias": address.alias, "user": address.user},
        )
        return row

    @property
    def ceiling(self) -> str:
        """The widest permission mode of runs. A plan can always be approved into the strictest one."""
        own = self.max_permission_mode or self.permission_mode
        return own if own != PermissionMode.PLAN else PermissionMode.ASK.value

    @property
    def ceiling_label(self) -> str:
        return str(PermissionMode(self.ceiling).label)

    @property
    def commands(self) -> list[str]:
        """The shell commands that are set: for the setup of worktrees, and for checks."""
        return [command for command in (self.setup_command, self.check_command) if command.strip()]

    def allows_agent_settings(self, digest: str) -> bool:
        """Return whether runs may start with this content for agents. None at all (empty) is allowed."""
        return not digest or digest in self.allowed_agent_settings

    @property
    def copy_patterns(self) -> list[str]:
        return [line.strip() for line in self.copy_files.splitlines() if line.strip()]
