"""URLs of the search, and of finding within a conversation."""

from __future__ import annotations

from django.urls import path

from tasks.search import views

urlpatterns = [
    path("search", views.search_page, name="search"),
    path("search/results", views.search_results, name="search_results"),
    path("palette/tasks", views.palette_tasks, name="palette_tasks"),
    path("tasks/<int:pk>/find", views.task_find, name="task_find"),
    path("tasks/<int:pk>/outline", views.task_outline, name="task_outline"),
]
