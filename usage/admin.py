"""Usage in the admin: budgets can be edited, everything else is read-only."""

from __future__ import annotations

from zoneinfo import available_timezones

from django import forms
from django.contrib import admin

from usage.models import Audit, Budget, LimitReading, PlanSource, Postponed, Series, UsageByModel
from workspaces.admin import RecordAdmin


class BudgetAdminForm(forms.ModelForm[Budget]):
    zone = forms.ChoiceField(
        label="Time zone",
        choices=lambda: [(name, name) for name in sorted(available_timezones())],
        help_text="In which days and months end",
    )

    class Meta:
        model = Budget
        fields = "__all__"  # noqa: DJ007  (staff can edit every field)


@admin.register(Budget)
class BudgetAdmin(admin.ModelAdmin[Budget]):
    form = BudgetAdminForm
    fieldsets = (
        (None, {"fields": ("workspace", "hold_above_percent", "zone", "lifted_until")}),
        ("Tokens", {"fields": ("day_tokens", "month_tokens")}),
        ("Dollars", {"fields": ("day_usd", "month_usd")}),
    )
    list_display = (
        *("workspace", "hold_above_percent", "day_tokens", "month_tokens"),
        *("day_usd", "month_usd", "lifted_until"),
    )
    list_select_related = ("workspace",)
    search_fields = ("workspace__name",)


@admin.register(Series)
class SeriesAdmin(RecordAdmin, admin.ModelAdmin[Series]):
    list_display = ("workspace", "backend", "model", "costing")
    list_filter = ("backend", "costing", "workspace")
    list_select_related = ("workspace",)
    search_fields = ("model", "workspace__name")


@admin.register(UsageByModel)
class UsageByModelAdmin(RecordAdmin, admin.ModelAdmin[UsageByModel]):
    list_display = (
        *("run", "task", "series", "input_tokens", "output_tokens"),
        *("cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_micro"),
    )
    list_filter = ("series__backend", "series__workspace")
    list_select_related = ("run", "task", "series")
    search_fields = ("task__title", "series__model")
    show_full_result_count = False


@admin.register(PlanSource)
class PlanSourceAdmin(RecordAdmin, admin.ModelAdmin[PlanSource]):
    list_display = ("host", "backend", "account", "present", "asked_at", "answered_at", "error")
    list_filter = ("backend", "present")
    list_select_related = ("host",)
    search_fields = ("host__key", "error")


@admin.register(LimitReading)
class LimitReadingAdmin(RecordAdmin, admin.ModelAdmin[LimitReading]):
    list_display = ("source", "window", "used_percent", "resets_at", "at", "origin")
    list_filter = ("origin", "window")
    list_select_related = ("source",)
    search_fields = ("source__host__key", "window")


@admin.register(Postponed)
class PostponedAdmin(RecordAdmin, admin.ModelAdmin[Postponed]):
    list_display = ("run", "not_before")
    list_select_related = ("run",)
    search_fields = ("run__task__title",)


@admin.register(Audit)
class AuditAdmin(RecordAdmin, admin.ModelAdmin[Audit]):
    list_display = ("workspace", "at", "sessions", "outside_sessions", "outside_tokens", "error")
    list_select_related = ("workspace",)
    search_fields = ("workspace__name", "error")
