"""Hosts and what their CLIs offer, for looking at and for asking again."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from workspaces.catalog import wanting
from workspaces.models import Host, ModelList


class Record:
    """Written by the app alone."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(ModelList)
class ModelListAdmin(Record, admin.ModelAdmin[ModelList]):
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
    list_filter = ("link",)
    readonly_fields = ("key", "kind", "alias", "user", "lease_owner", "lease_until", "last_heard_at")
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
        wanting.want(host, force=True)
    site.message_user(request, "The workers are asking; reload the page in a moment.", messages.SUCCESS)
