"""Reviews and trains in the admin, for looking at rows."""

from __future__ import annotations

from django.contrib import admin

from tasks.review.models import Comment, MergeStep, MergeTrain, Radar, Resolution, Verdict


class StepInline(admin.TabularInline[MergeStep, MergeTrain]):
    model = MergeStep
    fields = ("position", "task", "title", "branch", "state", "reason", "tries")
    readonly_fields = fields
    extra = 0
    can_delete = False


@admin.register(MergeTrain)
class MergeTrainAdmin(admin.ModelAdmin[MergeTrain]):
    list_display = ("__str__", "workspace", "state", "strategy", "dry_run", "created_at", "finished_at")
    list_filter = ("state", "workspace")
    inlines = [StepInline]


@admin.register(Verdict)
class VerdictAdmin(admin.ModelAdmin[Verdict]):
    list_display = ("task", "kind", "by", "at", "rescue_ref")
    list_filter = ("kind",)


@admin.register(Resolution)
class ResolutionAdmin(admin.ModelAdmin[Resolution]):
    list_display = ("task", "state", "run", "train", "asked_at")


@admin.register(Comment)
class CommentAdmin(admin.ModelAdmin[Comment]):
    list_display = ("task", "author", "line", "text", "sent_at")


@admin.register(Radar)
class RadarAdmin(admin.ModelAdmin[Radar]):
    list_display = ("workspace", "looked_at", "seconds", "reason")
