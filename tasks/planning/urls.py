"""URLs of plans."""

from __future__ import annotations

from django.urls import path

from tasks.planning import views

urlpatterns = [
    path("plan", views.plan_page, name="plan"),
    path("plan/split", views.plan_split, name="plan_split"),
    path("plan/start", views.plan_start, name="plan_start"),
    path("plan/create", views.plan_create, name="plan_create"),
]
