"""URLs of Spotlight."""

from __future__ import annotations

from django.urls import path

from tasks.spotlight import views

urlpatterns = [
    path("tasks/<int:pk>/spotlight", views.spotlight_show, name="spotlight_show"),
    path("workspaces/<int:pk>/spotlight", views.spotlight_bar, name="spotlight"),
    path("workspaces/<int:pk>/spotlight/next", views.spotlight_next, name="spotlight_next"),
    path("workspaces/<int:pk>/spotlight/refresh", views.spotlight_refresh, name="spotlight_refresh"),
    path("workspaces/<int:pk>/spotlight/back", views.spotlight_back, name="spotlight_back"),
]
