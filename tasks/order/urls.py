"""URLs of the order of tasks."""

from __future__ import annotations

from django.urls import path

from tasks.order import views

urlpatterns = [
    path("tasks/<int:pk>/after", views.after_add, name="after_add"),
    path("tasks/<int:pk>/after/<int:number>/remove", views.after_remove, name="after_remove"),
    path("workspaces/<int:pk>/graph", views.graph_page, name="graph"),
    path("workspaces/<int:pk>/graph/tasks", views.after_offered, name="after_offered"),
    path("workspaces/<int:pk>/graph/branches", views.starts_offered, name="starts_offered"),
]
