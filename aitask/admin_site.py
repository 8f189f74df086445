"""The admin's index: what people edit is on top, and tables that only the app needs are not listed."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse

SECTIONS = (
    (
        "Configuration",
        "workspaces",
        (
            *("workspaces.Workspace", "workspaces.Host", "auth.User", "auth.Group"),
            *("workspaces.ApiToken", "usage.Budget"),
        ),
    ),
    (
        "Work",
        "tasks",
        (
            *("tasks.Task", "tasks.Run", "tasks.Outgoing", "tasks.Attention"),
            *("tasks.MergeTrain", "tasks.Verdict"),
        ),
    ),
    (
        "Figures and logs",
        "usage",
        (
            *("usage.UsageByModel", "usage.LimitReading", "workspaces.ModelList"),
            *("workspaces.InstalledCli", "terminal.Visit", "axes.AccessAttempt"),
        ),
    ),
)
"Title, app whose page lists all its tables, and models. Tables that are not listed can still be opened."


class OwnAdminSite(AdminSite):
    """An admin whose index and sidebar list few tables. The page of an app lists all of it."""

    site_header = site_title = "AI Task Manager"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        if app_label:
            return super().get_app_list(request, app_label)
        built = self._build_app_dict(request).values()
        tables = {
            f"{app['app_label']}.{table['object_name']}": table for app in built for table in app["models"]
        }
        sections = [
            {
                "name": name,
                "app_label": label,
                "app_url": reverse("admin:app_list", args=[label]),
                "has_module_perms": True,
                "models": [tables[model] for model in models if model in tables],
            }
            for name, label, models in SECTIONS
        ]
        return [section for section in sections if section["models"]]
