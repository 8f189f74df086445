"""Forms for workspaces and API tokens. Values of variables are never shown again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse_lazy

from workspaces import services
from workspaces.access import current_user
from workspaces.catalog import form_choices
from workspaces.hosts import local
from workspaces.models import ApiToken, Workspace
from workspaces.models.api_token import DAYS
from workspaces.validators import validate_environment

CODE = {"class": "code", "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}

OTHER_HOST = {
    "hx-get": reverse_lazy("workspace_choices"),
    "hx-trigger": "change",
    "hx-vals": '{"changed": "workspace"}',
    "hx-include": "[name=kind]:checked, [name=ssh_host], [name=ssh_user], [data-choices]",
    "hx-target": "next .choices",
    "hx-swap": "outerHTML",
    "hx-indicator": "next .choices",
}
"""Reloads the choices of CLI and model when another host is chosen."""


MOST_MEMBERS = 200
WORKTREE_FIELDS = ("worktree_root", "copy_files", "setup_command", "check_command", "git_name", "git_email")


class WorkspaceForm(forms.ModelForm[Workspace]):
    """Every setting of a workspace except its owner."""

    member_names = forms.CharField(
        label="Members",
        required=False,
        help_text="User names, separated by commas. Members can see the workspace and run tasks in it.",
        widget=forms.TextInput(attrs=CODE),
    )
    variables = forms.CharField(
        label="Set variables",
        required=False,
        help_text="NAME=value, one per line. Replaces the value of a variable that is already set.",
        widget=forms.Textarea(attrs={**CODE, "rows": 3, "placeholder": "NAME=value", "data-secret": True}),
    )
    unset = forms.MultipleChoiceField(
        label="Remove variables", required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Workspace
        fields = [
            "name",
            "kind",
            "ssh_host",
            "ssh_user",
            "repo_path",
            "base_branch",
            "worktree_root",
            "copy_files",
            "setup_command",
            "check_command",
            "default_backend",
            "default_model",
            "default_reasoning_effort",
            "permission_mode",
            "max_permission_mode",
            "max_parallel_runs",
            "commit_leftovers",
            "require_portable_names",
            "ssh_agent",
            "try_changed_clis",
            "git_name",
            "git_email",
        ]
        labels = {
            "default_backend": "CLI",
            "default_model": "Model",
            "default_reasoning_effort": "Effort",
            "permission_mode": "Permissions",
            "max_permission_mode": "Most that a task may have",
            "setup_command": "Setup command",
            "git_email": "Git email",
        }
        widgets = {
            "kind": forms.RadioSelect(attrs=OTHER_HOST),
            "ssh_host": forms.TextInput(attrs={**CODE, **OTHER_HOST, "list": "aliases"}),
            "ssh_user": forms.TextInput(attrs={**CODE, **OTHER_HOST}),
            "repo_path": forms.TextInput(attrs={**CODE, "placeholder": "~/project"}),
            "base_branch": forms.TextInput(attrs=CODE),
            "worktree_root": forms.TextInput(attrs=CODE),
            "copy_files": forms.Textarea(attrs={**CODE, "rows": 2, "placeholder": ".env"}),
            "setup_command": forms.Textarea(attrs={**CODE, "rows": 2}),
            "check_command": forms.Textarea(attrs={**CODE, "rows": 2}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        workspace = self.instance
        if not local.supported() and workspace.kind != Workspace.Kind.SSH:
            self.initial["kind"] = Workspace.Kind.SSH
        if not local.supported():
            self.fields["kind"].choices = [(Workspace.Kind.SSH.value, Workspace.Kind.SSH.label)]  # type: ignore[attr-defined]
        names = sorted(workspace.environment)
        self.fields["unset"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        if workspace.pk:
            members = workspace.members.order_by("username").values_list("username", flat=True)
            self.initial.setdefault("member_names", ", ".join(members))

    @property
    def opens_worktrees(self) -> bool:
        """Whether the page shows the fields for worktrees expanded."""
        return bool(self.instance.pk) or any(self[name].errors for name in WORKTREE_FIELDS)

    @property
    def opens_variables(self) -> bool:
        """Whether the page shows variables and members expanded."""
        fields = (self["variables"], self["member_names"])
        return bool(self.instance.pk) or any(field.value() or field.errors for field in fields)

    def clean(self) -> dict[str, Any]:
        """Take a typed model from its own field."""
        cleaned = super().clean() or {}
        if cleaned.get("default_model") == form_choices.OTHER:
            _, cleaned["default_model"], _ = form_choices.chosen(self.data, "default_")
            if not cleaned["default_model"]:
                self.add_error("default_model", "Enter a model name, or choose one from the list.")
        return cleaned

    def clean_member_names(self) -> list[User]:
        names = [name.strip() for name in self.cleaned_data["member_names"].split(",") if name.strip()]
        if len(names) > MOST_MEMBERS:
            raise ValidationError(f"A workspace has at most {MOST_MEMBERS} members.")
        users = User.objects.filter(username__in=names, is_active=True)
        found = {user.get_username(): user for user in users}
        unknown = [name for name in names if name not in found]
        if unknown:
            raise ValidationError(f"No such user: {', '.join(unknown)}.")
        return list(found.values())

    def clean_variables(self) -> dict[str, str]:
        variables = {}
        for line in filter(str.strip, self.cleaned_data["variables"].splitlines()):
            name, sign, value = line.partition("=")
            if not sign:
                raise ValidationError(f"{line.split()[0]}: use the form NAME=value.")
            variables[name.strip().removeprefix("export ")] = value.strip()
        validate_environment(variables)
        return variables

    def save(self, commit: bool = True) -> Workspace:
        """Save with members and variables. Raises `Refused` like `save_workspace`."""
        workspace = super().save(commit=False)
        kept = {k: v for k, v in workspace.environment.items() if k not in self.cleaned_data["unset"]}
        workspace.environment = {**kept, **self.cleaned_data["variables"]}
        return services.save_workspace(workspace, members=self.cleaned_data["member_names"])


class TokenForm(forms.ModelForm[ApiToken]):
    """A new API token. It needs the password, like everything that outlives a session."""

    days = forms.TypedChoiceField(
        label="Valid for",
        coerce=int,
        initial=DAYS,
        choices=[(7, "A week"), (30, "30 days"), (90, "90 days"), (DAYS, "A year")],
    )
    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request

    def clean_password(self) -> str:
        """Check it like a login, which limits guessing."""
        name, given = current_user(self._request).get_username(), self.cleaned_data["password"]
        if authenticate(self._request, username=name, password=given) is None:
            raise ValidationError("This is not your password.")
        return str(given)

    class Meta:
        model = ApiToken
        fields = ["name"]
        widgets = {
            "name": forms.TextInput(
                attrs={"placeholder": "What is this token for? For example: nightly script"}
            )
        }
