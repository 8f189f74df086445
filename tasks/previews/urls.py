"""URLs of the ports of tasks and checkouts."""

from __future__ import annotations

from django.urls import path

from tasks.previews import views

urlpatterns = [
    path("tasks/<int:pk>/ports", views.ports, name="task_ports"),
    path("tasks/<int:pk>/ports/open", views.port_open, name="task_port_open"),
    path("tasks/<int:pk>/ports/code", views.port_code, name="task_port_code"),
    path("workspaces/<int:pk>/ports", views.checkout_ports, name="checkout_ports"),
    path("workspaces/<int:pk>/ports/open", views.checkout_port_open, name="checkout_port_open"),
    path("workspaces/<int:pk>/ports/code", views.checkout_port_code, name="checkout_port_code"),
]
