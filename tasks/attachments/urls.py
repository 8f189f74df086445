"""URLs of attached files."""

from __future__ import annotations

from django.urls import path

from tasks.attachments import views

urlpatterns = [
    path("attachments/<int:pk>", views.attachment_file, name="attachment"),
    path("attachments/<int:pk>/view", views.attachment_view, name="attachment_view"),
    path("attachments/<int:pk>/thumbnail", views.attachment_thumbnail, name="attachment_thumbnail"),
]
