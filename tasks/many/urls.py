"""URLs of what is done with many tasks at once."""

from __future__ import annotations

from django.urls import path

from tasks.many import views

urlpatterns = [
    path("tasks/many", views.many_do, name="many_do"),
    path("tasks/many/bar", views.many_bar, name="many_bar"),
    path("tasks/many/plan", views.many_plan, name="many_plan"),
]
