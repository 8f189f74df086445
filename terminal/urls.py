"""URLs of the terminal pages."""

from __future__ import annotations

from django.urls import path

from terminal import views

urlpatterns = [
    path("terminals", views.terminals, name="terminals"),
    path("terminals/close-finished", views.close_finished, name="terminals_close_finished"),
    path("tasks/<int:pk>/terminal", views.terminal, {"kind": "task"}, name="task_terminal"),
    path("tasks/<int:pk>/terminal/pane", views.pane, name="task_terminal_pane"),
    path("tasks/<int:pk>/terminal/history", views.history, {"kind": "task"}, name="task_terminal_history"),
    path("tasks/<int:pk>/terminal/close", views.close, {"kind": "task"}, name="task_terminal_close"),
    path("workspaces/<int:pk>/terminal", views.terminal, {"kind": "workspace"}, name="workspace_terminal"),
    path(
        "workspaces/<int:pk>/terminal/history",
        views.history,
        {"kind": "workspace"},
        name="workspace_terminal_history",
    ),
    path(
        "workspaces/<int:pk>/terminal/close",
        views.close,
        {"kind": "workspace"},
        name="workspace_terminal_close",
    ),
    path("hosts/<int:pk>/terminal", views.terminal, {"kind": "host"}, name="host_terminal"),
    path("hosts/<int:pk>/terminal/history", views.history, {"kind": "host"}, name="host_terminal_history"),
    path("hosts/<int:pk>/terminal/close", views.close, {"kind": "host"}, name="host_terminal_close"),
]
