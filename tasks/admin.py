"""Tasks, runs and events for looking at; what was recorded is not changed by hand."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from tasks.models import Attention, Event, Outgoing, Run, Task
from tasks.review import admin as review_admin  # noqa: F401  (registers its own)


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
    search_fields = ("title", "prompt")
    readonly_fields = ("branch", "worktree_path", "base_commit", "created_at", "updated_at")


class RecordAdmin:
    """A record: to be read, not to be written."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Run)
class RunAdmin(RecordAdmin, admin.ModelAdmin[Run]):
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
    search_fields = ("task__title", "cli_session", "reason")
    list_select_related = ("task",)


@admin.register(Event)
class EventAdmin(RecordAdmin, admin.ModelAdmin[Event]):
    list_display = ("run", "seq", "at", "kind")
    list_filter = ("kind",)
    list_select_related = ("run",)
    show_full_result_count = False


@admin.register(Outgoing)
class OutgoingAdmin(RecordAdmin, admin.ModelAdmin[Outgoing]):
    list_display = ("run", "kind", "state", "created_by", "at", "reason")
    list_filter = ("kind", "state")
    list_select_related = ("run", "created_by")


@admin.register(Attention)
class AttentionAdmin(RecordAdmin, admin.ModelAdmin[Attention]):
    list_display = ("run", "kind", "text", "at", "pushed_at")
    list_filter = ("kind",)
    list_select_related = ("run",)
