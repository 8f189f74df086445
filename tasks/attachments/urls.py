"""URLs of attached files."""

from __future__ import annotations

from django.urls import path, re_path

from tasks.attachments import views

urlpatterns = [
    path("attachments/<int:pk>", views.attachment_file, name="attachment"),
    path("attachments/<int:pk>/view", views.attachment_view, name="attachment_view"),
    path("attachments/<int:pk>/thumbnail", views.attachment_thumbnail, name="attachment_thumbnail"),
    re_path(
        r"^runs/(?P<pk>[0-9]{1,18})/pictures/(?P<sha256>[0-9a-f]{64})$", views.run_picture, name="run_picture"
    ),
    re_path(
        r"^runs/(?P<pk>[0-9]{1,18})/pictures/(?P<sha256>[0-9a-f]{64})/thumbnail$",
        views.run_thumbnail,
        name="run_thumbnail",
    ),
]
