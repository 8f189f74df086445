"""The admin as an app, with our own index."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class OwnAdminConfig(AdminConfig):
    default_site = "aitask.admin_site.OwnAdminSite"
