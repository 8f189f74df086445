"""The terminal log in the admin, read-only."""

from __future__ import annotations

from django.contrib import admin

from terminal.models import Visit
from workspaces.admin import RecordAdmin


@admin.register(Visit)
class VisitAdmin(RecordAdmin, admin.ModelAdmin[Visit]):
    list_display = ("opened_at", "closed_at", "username", "kind", "session", "host", "task_number", "client")
    list_filter = ("kind", "host", "username")
    search_fields = ("username", "session")
    date_hierarchy = "opened_at"
