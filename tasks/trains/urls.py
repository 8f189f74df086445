"""URLs of merging."""

from __future__ import annotations

from django.urls import path

from tasks.trains import views

urlpatterns = [
    path("workspaces/<int:pk>/merge", views.merge_page, name="merge"),
    path("workspaces/<int:pk>/merge/start", views.merge_start, name="merge_start"),
    path("merge-trains/<int:pk>", views.train_page, name="train"),
    path("merge-trains/<int:pk>/stop", views.train_stop, name="train_stop"),
    path("merge-trains/<int:pk>/continue", views.train_continue, name="train_continue"),
    path("merge-trains/<int:pk>/undo", views.train_undo, name="train_undo"),
    path("outside-changes/<int:pk>/put-back", views.outside_put_back, name="outside_put_back"),
    path("outside-changes/<int:pk>/keep", views.outside_keep, name="outside_keep"),
    path("tasks/<int:pk>/bring-back", views.task_bring_back, name="task_bring_back"),
    path("tasks/<int:pk>/resolve", views.task_resolve, name="task_resolve"),
    path("tasks/<int:pk>/resolved", views.task_resolved, name="task_resolved"),
]
