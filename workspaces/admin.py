"""Workspaces and configuration, edited by staff; hosts and what their CLIs offer, to ask again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from workspaces import doctor, services
from workspaces.catalog import services as catalog_services
from workspaces.models import ApiToken, BackendHold, Host, Installation, ModelList, Workspace


class RecordAdmin:
    """What the app alone writes: to be looked at, and for some to be removed."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class WorkspaceAdminForm(forms.ModelForm[Workspace]):
    """Values of variables are written, never shown again: null stands for the one that is kept."""

    class Meta:
        model = Workspace
        fields = "__all__"  # noqa: DJ007  (staff configure all of it)
        help_texts = {
            "environment": 'Variables for the agents: {"NAME": "value"}; null keeps the present value.'
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kept = dict(self.instance.environment)
        self.initial["environment"] = dict.fromkeys(self.kept)

    def clean_environment(self) -> Any:
        given = self.cleaned_data["environment"]
        if not isinstance(given, dict):
            return given
        return {name: self.kept.get(name) if value is None else value for name, value in given.items()}


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin[Workspace]):
    form = WorkspaceAdminForm
    list_display = ("name", "kind", "ssh_host", "repo_path", "owner", "default_backend", "max_parallel_runs")
    list_filter = ("kind", "default_backend")
    search_fields = ("name", "repo_path", "ssh_host")
    list_select_related = ("owner",)
    filter_horizontal = ("members",)
    actions = ["check_with_the_doctor"]

    def save_model(self, request: HttpRequest, obj: Workspace, form: object, change: object) -> None:
        services.save_workspace(obj)

    @admin.action(description="Check with the doctor", permissions=["view"])
    def check_with_the_doctor(self, request: HttpRequest, workspaces: QuerySet[Workspace]) -> None:
        for workspace in workspaces:
            findings = doctor.check(workspace)
            for finding in findings:
                if finding.ok is not True:
                    words = f"{workspace}: {finding.name}: {finding.detail} {finding.hint}"
                    level = messages.ERROR if finding.ok is False else messages.WARNING
                    self.message_user(request, words, level)
            if all(finding.ok for finding in findings):
                self.message_user(request, f"{workspace}: all {len(findings)} checks are good.")


@admin.register(BackendHold)
class BackendHoldAdmin(RecordAdmin, admin.ModelAdmin[BackendHold]):
    list_display = ("host", "backend", "refusals", "held_since", "reason", "next_probe_at")
    list_filter = ("backend",)
    list_select_related = ("host",)
    search_fields = ("host__key", "reason")


@admin.register(Installation)
class InstallationAdmin(RecordAdmin, admin.ModelAdmin[Installation]):
    list_display = ("key",)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Sessions on the hosts are known to be ours by it."""
        return False


@admin.register(ApiToken)
class ApiTokenAdmin(RecordAdmin, admin.ModelAdmin[ApiToken]):
    """Made on the account page, where a token is shown once; taken back here, too."""

    list_display = ("name", "user", "created_at", "last_used_at")
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
    actions = ["ask_again"]

    @admin.display(description="models")
    def offered(self, row: ModelList) -> int:
        return len(row.models)

    @admin.action(description="Ask the CLIs again", permissions=["view"])
    def ask_again(self, request: HttpRequest, lists: QuerySet[ModelList]) -> None:
        ask(self, request, Host.objects.filter(model_lists__in=lists).distinct())


@admin.register(Host)
class HostAdmin(admin.ModelAdmin[Host]):
    list_display = ("key", "link", "link_reason", "last_heard_at")
    list_filter = ("link", "kind")
    search_fields = ("key", "link_reason")
    readonly_fields = (
        *("key", "kind", "alias", "user"),
        *("link", "link_reason", "link_hint", "last_heard_at", "lease_owner", "lease_until"),
    )
    actions = ["ask_models"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.action(description="Ask the CLIs for their models", permissions=["view"])
    def ask_models(self, request: HttpRequest, hosts: QuerySet[Host]) -> None:
        ask(self, request, hosts)


def ask(
    site: admin.ModelAdmin[ModelList] | admin.ModelAdmin[Host], request: HttpRequest, hosts: QuerySet[Host]
) -> None:
    for host in hosts:
        catalog_services.request_lists(host, force=True)
    site.message_user(request, "The workers are asking; reload the page in a moment.", messages.SUCCESS)
