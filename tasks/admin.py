"""Admin pages of tasks, runs and messages. What the app has recorded is read-only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from tasks.models import (
    Attachment,
    Attendance,
    Attention,
    ByHand,
    ContentChunk,
    Dependency,
    Event,
    LeftFolder,
    Outgoing,
    OutsideChange,
    PreviewGrant,
    PromptTemplate,
    PushKey,
    PushSubscription,
    RemovedRun,
    Run,
    SavedFilter,
    SearchBackfill,
    SearchEntry,
    SeenRun,
    Spotlight,
    StartReport,
    Task,
    UnindexedWork,
)
from tasks.review import admin as review_admin  # noqa: F401  (registers its models)
from workspaces.admin import DisposableRecordAdmin, RecordAdmin
from workspaces.admin_choices import check_choice, offer_choices


class TaskAdminForm(forms.ModelForm[Task]):
    """Offers the models and levels of effort of the CLIs on the task's host."""

    class Meta:
        model = Task
        fields = ("title", "prompt", "backend", "model", "reasoning_effort", "permission_mode")
        labels = {"backend": "CLI", "reasoning_effort": "Effort"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_choices(self, self.instance.workspace)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        check_choice(self, self.instance.workspace, str(cleaned.get("backend")))
        return cleaned


@admin.register(Task)
class TaskAdmin(admin.ModelAdmin[Task]):
    form = TaskAdminForm
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
    fieldsets = (
        (None, {"fields": ("title", "prompt", "workspace", "status")}),
        ("Agent", {"fields": ("backend", "model", "reasoning_effort", "permission_mode")}),
        ("Git", {"fields": ("branch", "worktree_path", "base_commit")}),
        ("Record", {"fields": ("created_by", "created_at", "updated_at", "rank")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tasks are created and moved on the board, which keeps hosts and runs in step."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Tasks are deleted on their own page, which says what stays on the host."""
        return False


@admin.register(Run)
class RunAdmin(RecordAdmin, admin.ModelAdmin[Run]):
    list_display = (
        "pk",
        "task",
        "state",
        "backend",
        "model",
        "queued_at",
        "cost",
    )
    list_filter = ("state", "backend", "task__workspace")
    ordering = ("-pk",)
    search_fields = ("task__title", "cli_session", "reason")
    list_select_related = ("task",)
    groups: tuple[tuple[str | None, tuple[str, ...]], ...] = (
        (None, ("task", "number", "kind", "state", "reason", "activity", "prompt", "asked_by")),
        ("Agent", ("backend", "model", "reasoning_effort", "permission_mode", "cli_version", "cli_session")),
        ("Times", ("queued_at", "started_at", "finished_at", "last_heard_at", "last_event_at")),
        (
            "Tokens and cost",
            (
                *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
                *("reasoning_tokens", "cost_usd", "cost_source", "context_used", "context_window"),
            ),
        ),
        ("On the host", ("commit", "run_dir", "tmux_session", "tmux_window", "tmux_socket")),
    )

    @admin.display(ordering="cost_usd")
    def cost(self, run: Run) -> str:
        return "-" if run.cost_usd is None else f"${run.cost_usd:.4f}"

    def get_fieldsets(self, request: HttpRequest, obj: Run | None = None) -> Any:
        """Return what people look for in groups, and all other fields folded below them."""
        named = {name for _, names in self.groups for name in names}
        others = [name for name in self.get_fields(request, obj) if name not in named]
        groups = [(title, {"fields": names}) for title, names in self.groups]
        return [*groups, ("Internal", {"fields": others, "classes": ["collapse"]})]


@admin.register(Event)
class EventAdmin(RecordAdmin, admin.ModelAdmin[Event]):
    list_display = ("run", "seq", "at", "kind")
    list_filter = ("kind",)
    search_fields = ("run__task__title", "=run__cli_session")
    ordering = ("-run", "-seq")
    list_select_related = ("run",)
    show_full_result_count = False


@admin.register(Outgoing)
class OutgoingAdmin(RecordAdmin, admin.ModelAdmin[Outgoing]):
    list_display = ("run", "kind", "text", "state", "created_by", "at", "reason")
    list_filter = ("kind", "state")
    list_select_related = ("run", "created_by")
    search_fields = ("run__task__title", "reason")


@admin.register(Attention)
class AttentionAdmin(RecordAdmin, admin.ModelAdmin[Attention]):
    list_display = ("run", "kind", "text", "at", "pushed_at")
    list_filter = ("kind",)
    list_select_related = ("run",)
    search_fields = ("run__task__title", "text")


@admin.register(OutsideChange)
class OutsideChangeAdmin(RecordAdmin, admin.ModelAdmin[OutsideChange]):
    list_display = ("run", "kind", "name", "old", "new", "state", "at", "decided_by")
    list_filter = ("kind", "state")
    list_select_related = ("run", "decided_by")
    search_fields = ("run__task__title", "name")


@admin.register(RemovedRun)
class RemovedRunAdmin(RecordAdmin, admin.ModelAdmin[RemovedRun]):
    list_display = ("mark",)
    search_fields = ("mark",)


@admin.register(ByHand)
class ByHandAdmin(RecordAdmin, admin.ModelAdmin[ByHand]):
    list_display = ("task", "opened_by", "opened_at", "tmux_session", "window")
    list_select_related = ("task", "opened_by")
    search_fields = ("task__title", "tmux_session")


@admin.register(StartReport)
class StartReportAdmin(RecordAdmin, admin.ModelAdmin[StartReport]):
    list_display = ("at", "runs")


@admin.register(PushSubscription)
class PushSubscriptionAdmin(DisposableRecordAdmin, admin.ModelAdmin[PushSubscription]):
    """Hides the endpoint and the keys: with them anyone could push messages to the browser."""

    list_display = ("user", "created_at", "kinds", "trouble")
    list_select_related = ("user",)
    search_fields = ("user__username", "trouble")
    exclude = ("endpoint", "p256dh", "auth")


@admin.register(PushKey)
class PushKeyAdmin(RecordAdmin, admin.ModelAdmin[PushKey]):
    list_display = ("pk", "created_at")
    exclude = ("private",)


@admin.register(Attendance)
class AttendanceAdmin(DisposableRecordAdmin, admin.ModelAdmin[Attendance]):
    list_display = ("user", "active_at", "away_from", "away_until")
    list_select_related = ("user",)
    search_fields = ("user__username",)


@admin.register(SeenRun)
class SeenRunAdmin(DisposableRecordAdmin, admin.ModelAdmin[SeenRun]):
    list_display = ("run", "user")
    list_select_related = ("run", "user")
    search_fields = ("user__username", "run__task__title")


@admin.register(PromptTemplate)
class PromptTemplateAdmin(admin.ModelAdmin[PromptTemplate]):
    list_display = ("name", "workspace", "created_by", "updated_at")
    list_filter = ("workspace",)
    list_select_related = ("workspace", "created_by")
    search_fields = ("name", "text")


@admin.register(SearchEntry)
class SearchEntryAdmin(RecordAdmin, admin.ModelAdmin[SearchEntry]):
    list_display = ("task", "kind")
    list_filter = ("kind",)
    list_select_related = ("task",)
    search_fields = ("task__title",)
    show_full_result_count = False


@admin.register(SearchBackfill)
class SearchBackfillAdmin(RecordAdmin, admin.ModelAdmin[SearchBackfill]):
    list_display = ("__str__",)


@admin.register(UnindexedWork)
class UnindexedWorkAdmin(RecordAdmin, admin.ModelAdmin[UnindexedWork]):
    list_display = ("task", "commit")
    list_select_related = ("task",)


@admin.register(SavedFilter)
class SavedFilterAdmin(DisposableRecordAdmin, admin.ModelAdmin[SavedFilter]):
    list_display = ("user", "name", "workspace", "search")
    list_select_related = ("user", "workspace")


@admin.register(Attachment)
class AttachmentAdmin(RecordAdmin, admin.ModelAdmin[Attachment]):
    list_display = ("pk", "name", "kind", "size", "task", "created_by", "created_at")
    list_filter = ("kind",)
    list_select_related = ("task", "created_by")
    search_fields = ("name", "task__title")


@admin.register(ContentChunk)
class ContentChunkAdmin(RecordAdmin, admin.ModelAdmin[ContentChunk]):
    list_display = ("sha256", "number")
    search_fields = ("=sha256",)
    exclude = ("data",)


@admin.register(LeftFolder)
class LeftFolderAdmin(RecordAdmin, admin.ModelAdmin[LeftFolder]):
    list_display = ("host", "names", "reason", "retry_at")
    list_select_related = ("host",)


@admin.register(Dependency)
class DependencyAdmin(RecordAdmin, admin.ModelAdmin[Dependency]):
    list_display = ("task", "number", "title")
    list_select_related = ("task",)
    search_fields = ("task__title", "title")


@admin.register(PreviewGrant)
class PreviewGrantAdmin(DisposableRecordAdmin, admin.ModelAdmin[PreviewGrant]):
    """Deleting a grant ends the preview."""

    list_display = ("user", "task", "workspace", "port", "host", "created_at")
    list_select_related = ("user", "task", "workspace")
    search_fields = ("user__username", "task__title", "workspace__name")
    exclude = ("session_key", "token_digest", "cookie_digest")


@admin.register(Spotlight)
class SpotlightAdmin(RecordAdmin, admin.ModelAdmin[Spotlight]):
    list_display = ("workspace", "state", "task", "by", "changed_at")
    list_select_related = ("workspace", "task", "by")
    search_fields = ("workspace__name", "task__title")
