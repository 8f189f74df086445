"""Admin pages of tasks, runs and messages. What the app has recorded is read-only."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from tasks.models import (
    Attention,
    ByHand,
    Event,
    Outgoing,
    OutsideChange,
    PushKey,
    PushSubscription,
    RemovedRun,
    Run,
    StartReport,
    Task,
)
from tasks.review import admin as review_admin  # noqa: F401  (registers its models)
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
        """Tasks are created and moved on the board, which keeps hosts and runs in step."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Tasks are deleted on their own page, which says what stays on the host."""
        return False


class PermanentRecordAdmin(RecordAdmin):
    """Records that other rows depend on, and that can't be deleted for this reason."""

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Run)
class RunAdmin(PermanentRecordAdmin, admin.ModelAdmin[Run]):
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
class EventAdmin(PermanentRecordAdmin, admin.ModelAdmin[Event]):
    list_display = ("run", "seq", "at", "kind")
    list_filter = ("kind",)
    search_fields = ("run__task__title", "=run__cli_session")
    ordering = ("-run", "-seq")
    list_select_related = ("run",)
    show_full_result_count = False


@admin.register(Outgoing)
class OutgoingAdmin(PermanentRecordAdmin, admin.ModelAdmin[Outgoing]):
    list_display = ("run", "kind", "text", "state", "created_by", "at", "reason")
    list_filter = ("kind", "state")
    list_select_related = ("run", "created_by")
    search_fields = ("run__task__title", "reason")


@admin.register(Attention)
class AttentionAdmin(PermanentRecordAdmin, admin.ModelAdmin[Attention]):
    list_display = ("run", "kind", "text", "at", "pushed_at")
    list_filter = ("kind",)
    list_select_related = ("run",)
    search_fields = ("run__task__title", "text")


@admin.register(OutsideChange)
class OutsideChangeAdmin(PermanentRecordAdmin, admin.ModelAdmin[OutsideChange]):
    list_display = ("run", "kind", "name", "old", "new", "state", "at", "decided_by")
    list_filter = ("kind", "state")
    list_select_related = ("run", "decided_by")
    search_fields = ("run__task__title", "name")


@admin.register(RemovedRun)
class RemovedRunAdmin(PermanentRecordAdmin, admin.ModelAdmin[RemovedRun]):
    list_display = ("mark",)
    search_fields = ("mark",)


@admin.register(ByHand)
class ByHandAdmin(PermanentRecordAdmin, admin.ModelAdmin[ByHand]):
    list_display = ("task", "opened_by", "opened_at", "tmux_session", "window")
    list_select_related = ("task", "opened_by")
    search_fields = ("task__title", "tmux_session")


@admin.register(StartReport)
class StartReportAdmin(RecordAdmin, admin.ModelAdmin[StartReport]):
    list_display = ("at", "runs")


@admin.register(PushSubscription)
class PushSubscriptionAdmin(RecordAdmin, admin.ModelAdmin[PushSubscription]):
    """Hides the endpoint and the keys: with them anyone could push messages to the browser."""

    list_display = ("user", "created_at", "kinds", "trouble")
    list_select_related = ("user",)
    search_fields = ("user__username", "trouble")
    exclude = ("endpoint", "p256dh", "auth")


@admin.register(PushKey)
class PushKeyAdmin(PermanentRecordAdmin, admin.ModelAdmin[PushKey]):
    list_display = ("pk", "created_at")
    exclude = ("private",)
