"""Admin pages of reviews and merge trains; read-only."""

from __future__ import annotations

from django.contrib import admin

from tasks.models import Comment, MergeStep, MergeTrain, Radar, Resolution, Verdict, ViewedFile
from workspaces.admin import DisposableRecordAdmin, RecordAdmin


class StepInline(RecordAdmin, admin.TabularInline[MergeStep, MergeTrain]):
    model = MergeStep
    fields = ("position", "task", "title", "branch", "state", "reason", "tries")
    readonly_fields = fields
    extra = 0
    can_delete = False


@admin.register(MergeTrain)
class MergeTrainAdmin(RecordAdmin, admin.ModelAdmin[MergeTrain]):
    list_display = ("__str__", "workspace", "state", "strategy", "dry_run", "created_at", "finished_at")
    list_filter = ("state", "workspace")
    list_select_related = ("workspace",)
    search_fields = ("workspace__name",)
    inlines = [StepInline]


@admin.register(Verdict)
class VerdictAdmin(RecordAdmin, admin.ModelAdmin[Verdict]):
    list_display = ("task", "kind", "by", "at", "rescue_ref")
    list_filter = ("kind",)
    list_select_related = ("task", "by")
    search_fields = ("task__title", "rescue_ref")


@admin.register(Resolution)
class ResolutionAdmin(RecordAdmin, admin.ModelAdmin[Resolution]):
    list_display = ("task", "state", "run", "train", "asked_at")
    list_filter = ("state",)
    list_select_related = ("task", "run", "train")
    search_fields = ("task__title",)


@admin.register(Comment)
class CommentAdmin(RecordAdmin, admin.ModelAdmin[Comment]):
    list_display = ("task", "author", "line", "text", "sent_at")
    list_select_related = ("task", "author")
    search_fields = ("task__title", "text")


@admin.register(Radar)
class RadarAdmin(RecordAdmin, admin.ModelAdmin[Radar]):
    list_display = ("workspace", "looked_at", "seconds", "reason")
    list_select_related = ("workspace",)


@admin.register(MergeStep)
class MergeStepAdmin(RecordAdmin, admin.ModelAdmin[MergeStep]):
    list_display = ("train", "position", "title", "branch", "state", "reason")
    list_filter = ("state",)
    list_select_related = ("train",)
    search_fields = ("title", "branch", "reason")


@admin.register(ViewedFile)
class ViewedFileAdmin(DisposableRecordAdmin, admin.ModelAdmin[ViewedFile]):
    list_display = ("task", "user", "version")
    list_select_related = ("task", "user")
    search_fields = ("task__title", "user__username")
