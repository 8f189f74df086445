"""URLs of the usage pages."""

from __future__ import annotations

from django.urls import path

from usage import views

urlpatterns = [
    path("usage", views.usage_page, name="usage"),
    path("usage.csv", views.usage_csv, name="usage_csv"),
    path("usage/card", views.usage_card, name="usage_card"),
    path("usage/limits", views.limits_ask, name="limits_ask"),
    path("usage/audit", views.audit_start, name="audit_start"),
    path("workspaces/<int:pk>/budget", views.budget_save, name="budget_save"),
    path("workspaces/<int:pk>/budget/lift", views.budget_lift, name="budget_lift"),
    path("tasks/<int:pk>/resume-at-reset", views.task_resume, name="task_resume"),
]
