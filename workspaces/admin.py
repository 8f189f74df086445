"""Admin of workspaces, hosts, model lists and API tokens."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect

from aitask.lib.errors import NotAllowed
from workspaces import doctor, services
from workspaces.access import can_edit, check_place, current_user, may_add
from workspaces.admin_choices import check_choice, offer_choices
from workspaces.catalog import services as catalog_services
from workspaces.models import (
    ApiToken,
    BackendHold,
    Host,
    Installation,
    InstalledCli,
    LinkGap,
    ModelList,
    Workspace,
)


class DisposableRecordAdmin:
    """Rows that only the app writes: staff can view and delete them."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class RecordAdmin(DisposableRecordAdmin):
    """Rows that only the app writes and that must stay: figures, and what other rows depend on."""

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class WorkspaceAdminForm(forms.ModelForm[Workspace]):
    """Never shows the values of variables: null keeps the value that is set."""

    user: User
    """Who is logged in; set by `WorkspaceAdmin.get_form`."""

    class Meta:
        model = Workspace
        fields = "__all__"  # noqa: DJ007  (staff can edit every field)
        widgets = {"members": forms.CheckboxSelectMultiple}
        labels = {
            "kind": "Host",
            "default_backend": "Default CLI",
            "default_reasoning_effort": "Default effort",
            "permission_mode": "Permissions",
            "environment": "Variables",
        }
        help_texts = {
            "environment": 'Variables for the agents: {"NAME": "value"}; null keeps the current value.'
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            offer_choices(self, self.instance, prefix="default_")
        self.kept = dict(self.instance.environment)
        self.initial["environment"] = dict.fromkeys(self.kept)

    def clean(self) -> dict[str, Any]:
        """Refuse another host unless the member of staff may add hosts, and a model of another CLI."""
        cleaned = super().clean() or {}
        for name in ("kind", "ssh_host", "ssh_user"):
            setattr(self.instance, name, cleaned.get(name, getattr(self.instance, name)))
        try:
            check_place(self.user, self.instance)
        except NotAllowed as error:
            raise ValidationError(str(error)) from error
        check_choice(self, self.instance, str(cleaned.get("default_backend")), prefix="default_")
        return cleaned

    def clean_environment(self) -> Any:
        submitted = self.cleaned_data["environment"]
        if not isinstance(submitted, dict):
            return submitted
        return {name: self.kept.get(name) if value is None else value for name, value in submitted.items()}


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin[Workspace]):
    form = WorkspaceAdminForm
    list_display = ("name", "kind", "ssh_host", "repo_path", "owner", "default_backend", "max_parallel_runs")
    list_filter = ("kind", "default_backend")
    search_fields = ("name", "repo_path", "ssh_host")
    list_select_related = ("owner",)
    actions = ["run_health_check"]
    fieldsets = (
        (None, {"fields": ("name", "owner")}),
        ("Host and repository", {"fields": ("kind", "ssh_host", "ssh_user", "repo_path", "base_branch")}),
        (
            "Agents",
            {
                "fields": (
                    *("default_backend", "default_model", "default_reasoning_effort"),
                    *("permission_mode", "max_permission_mode", "max_parallel_runs"),
                    *("ssh_agent", "try_changed_clis"),
                )
            },
        ),
        (
            "Worktrees and merging",
            {
                "fields": (
                    *("worktree_root", "copy_files", "setup_command", "check_command"),
                    *("commit_leftovers", "require_portable_names", "git_name", "git_email"),
                )
            },
        ),
        ("Variables and members", {"fields": ("environment", "members")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Workspace | None = None) -> bool:
        """Only those who may delete it in the app, where its name must be typed."""
        return super().has_delete_permission(request, obj) and (obj is None or can_edit(request.user, obj))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponseRedirect:
        """Lead to the app's page, which says what is deleted and asks for the name."""
        workspace = self.get_object(request, object_id)
        if workspace is None:
            return redirect("admin:workspaces_workspace_changelist")
        return redirect("workspace_delete", pk=workspace.pk)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_form(
        self, request: HttpRequest, obj: Workspace | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.user = current_user(request)  # type: ignore[attr-defined]
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Workspace | None = None) -> Any:
        """Show only the names of the variables to staff who may not change them: no form hides the values."""
        if obj is None or self.has_change_permission(request, obj):
            return self.fieldsets
        *others, (title, _) = self.fieldsets
        return [*others, (title, {"fields": ("variables", "members")})]

    def variables(self, workspace: Workspace) -> str:
        return ", ".join(sorted(workspace.environment)) or "none"

    def save_model(self, request: HttpRequest, obj: Workspace, form: object, change: object) -> None:
        services.save_workspace(obj)

    @admin.action(description="Run the health check", permissions=["view"])
    def run_health_check(self, request: HttpRequest, workspaces: QuerySet[Workspace]) -> None:
        for workspace in workspaces:
            findings = doctor.check(workspace)
            for finding in findings:
                if finding.ok is not True:
                    text = f"{workspace}: {finding.name}: {finding.detail} {finding.hint}"
                    level = messages.ERROR if finding.ok is False else messages.WARNING
                    self.message_user(request, text, level)
            if all(finding.ok for finding in findings):
                self.message_user(request, f"{workspace}: all {len(findings)} checks passed.")


@admin.register(BackendHold)
class BackendHoldAdmin(RecordAdmin, admin.ModelAdmin[BackendHold]):
    list_display = ("host", "backend", "refusals", "held_since", "reason", "next_probe_at")
    list_filter = ("backend",)
    list_select_related = ("host",)
    search_fields = ("host__key", "reason")


@admin.register(InstalledCli)
class InstalledCliAdmin(RecordAdmin, admin.ModelAdmin[InstalledCli]):
    list_display = (
        "host",
        "backend",
        "environment",
        "version",
        "state",
        "good_version",
        "tried_at",
        "reason",
    )
    list_filter = ("state", "backend", "host")
    list_select_related = ("host",)
    search_fields = ("host__key", "version", "reason")


@admin.register(Installation)
class InstallationAdmin(RecordAdmin, admin.ModelAdmin[Installation]):
    list_display = ("key",)


@admin.register(ApiToken)
class ApiTokenAdmin(DisposableRecordAdmin, admin.ModelAdmin[ApiToken]):
    """Tokens are created on the account page, which shows them once; staff can revoke them here."""

    list_display = ("name", "user", "created_at", "last_used_at", "expires_at", "end_reason")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")


@admin.register(ModelList)
class ModelListAdmin(RecordAdmin, admin.ModelAdmin[ModelList]):
    list_display = (
        "host",
        "backend",
        "environment",
        "cli_version",
        "account",
        "offered",
        "fetched_at",
        "stale",
        "error",
    )
    list_filter = ("host", "backend", "stale")
    list_select_related = ("host",)
    search_fields = ("host__key", "cli_version", "error")
    actions = ["refresh_lists"]

    @admin.display(description="models")
    def offered(self, row: ModelList) -> int:
        return len(row.models)

    @admin.action(description="Refresh the model lists", permissions=["view"])
    def refresh_lists(self, request: HttpRequest, lists: QuerySet[ModelList]) -> None:
        _refresh(self, request, Host.objects.filter(model_lists__in=lists).distinct())


@admin.register(Host)
class HostAdmin(admin.ModelAdmin[Host]):
    list_display = ("key", "link", "link_reason", "last_heard_at")
    list_filter = ("link", "kind")
    search_fields = ("key", "link_reason")
    readonly_fields = (
        *("key", "kind", "alias", "user"),
        *(
            "link",
            "link_reason",
            "link_hint",
            "last_heard_at",
            "lease_owner",
            "lease_until",
            "asked_for_runs_at",
        ),
    )
    fieldsets = (
        (None, {"fields": ("key", "kind", "alias", "user", "accepted_keys")}),
        ("Link", {"fields": ("link", "link_reason", "link_hint", "last_heard_at")}),
        ("Follower", {"fields": ("lease_owner", "lease_until", "asked_for_runs_at")}),
    )
    actions = ["refresh_models"]

    def get_readonly_fields(self, request: HttpRequest, obj: Host | None = None) -> tuple[str, ...]:
        """Host keys are accepted by those who may add hosts."""
        accepted = () if may_add(request.user) else ("accepted_keys",)
        return (*self.readonly_fields, *accepted)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Host | None = None) -> bool:
        """Return False: the app makes it again for each workspace on it, without the accepted keys."""
        return False

    @admin.action(description="Refresh the model lists of the hosts", permissions=["view"])
    def refresh_models(self, request: HttpRequest, hosts: QuerySet[Host]) -> None:
        _refresh(self, request, hosts)


@admin.register(LinkGap)
class LinkGapAdmin(RecordAdmin, admin.ModelAdmin[LinkGap]):
    list_display = ("host", "lost_at", "back_at", "reason")
    list_filter = ("host",)
    list_select_related = ("host",)
    search_fields = ("host__key", "reason")


def _refresh(
    site: admin.ModelAdmin[ModelList] | admin.ModelAdmin[Host], request: HttpRequest, hosts: QuerySet[Host]
) -> None:
    for host in hosts:
        catalog_services.request_lists(host, force=True)
    site.message_user(request, "Refreshing the model lists. Reload the page in a moment.", messages.SUCCESS)
