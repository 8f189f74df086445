"""Tasks, runs and events for looking at; what was recorded is not changed by hand."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from tasks.models import (
    Attention,
    ByHand,
    Event,
    Outgoing,
    PushKey,
    PushSubscription,
    Run,
    StartReport,
    Task,
)
from tasks.review import admin as review_admin  # noqa: F401  (registers its own)
from workspaces.admin import RecordAdmin


@admin.register(Task)
class TaskAdmin(admin.ModelAdmin[Task]):
    list_display = (
        "pk",
        "title",
        "workspace",
        "status",
        "backend",
        "model",
        "reasoning_effort",
        "updated_at",
    )
    list_filter = ("status", "workspace", "backend")
    ordering = ("-pk",)
    list_select_related = ("workspace",)
    search_fields = ("title", "prompt")
    readonly_fields = (
        *("workspace", "status", "rank", "created_by", "created_at", "updated_at"),
        *("branch", "worktree_path", "base_commit"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tasks are written and moved on the board, where the hosts hear of it."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """On its page, which says what stays on the host."""
        return False


class LastingAdmin(RecordAdmin):
    """What others rely on: without an event, a message or an open session by hand they would tell lies."""

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Run)
class RunAdmin(LastingAdmin, admin.ModelAdmin[Run]):
    list_display = (
        "pk",
        "task",
        "number",
        "state",
        "backend",
        "model",
        "queued_at",
        "finished_at",
        "cost_usd",
    )
    list_filter = ("state", "backend", "task__workspace")
    ordering = ("-pk",)
    search_fields = ("task__title", "cli_session", "reason")
    list_select_related = ("task",)


@admin.register(Event)
class EventAdmin(LastingAdmin, admin.ModelAdmin[Event]):
    list_display = ("run", "seq", "at", "kind")
    list_filter = ("kind",)
    search_fields = ("run__task__title", "=run__cli_session")
    ordering = ("-run", "-seq")
    list_select_related = ("run",)
    show_full_result_count = False


@admin.register(Outgoing)
class OutgoingAdmin(LastingAdmin, admin.ModelAdmin[Outgoing]):
    list_display = ("run", "kind", "text", "state", "created_by", "at", "reason")
    list_filter = ("kind", "state")
    list_select_related = ("run", "created_by")
    search_fields = ("run__task__title", "reason")


@admin.register(Attention)
class AttentionAdmin(LastingAdmin, admin.ModelAdmin[Attention]):
    list_display = ("run", "kind", "text", "at", "pushed_at")
    list_filter = ("kind",)
    list_select_related = ("run",)
    search_fields = ("run__task__title", "text")


@admin.register(ByHand)
class ByHandAdmin(LastingAdmin, admin.ModelAdmin[ByHand]):
    list_display = ("task", "opened_by", "opened_at", "tmux_session", "window")
    list_select_related = ("task", "opened_by")
    search_fields = ("task__title", "tmux_session")


@admin.register(StartReport)
class StartReportAdmin(RecordAdmin, admin.ModelAdmin[StartReport]):
    list_display = ("at", "runs")


@admin.register(PushSubscription)
class PushSubscriptionAdmin(RecordAdmin, admin.ModelAdmin[PushSubscription]):
    """Who holds these two keys and the address may send to that browser, so they are not shown."""

    list_display = ("user", "created_at", "kinds", "trouble")
    list_select_related = ("user",)
    search_fields = ("user__username", "trouble")
    exclude = ("endpoint", "p256dh", "auth")


@admin.register(PushKey)
class PushKeyAdmin(LastingAdmin, admin.ModelAdmin[PushKey]):
    list_display = ("pk", "created_at")
    exclude = ("private",)
