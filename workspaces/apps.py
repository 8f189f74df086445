"""Connects model lists to hosts that return, and API tokens to passwords."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import pre_save


class WorkspacesConfig(AppConfig):
    name = "workspaces"

    def ready(self) -> None:
        from workspaces import links
        from workspaces.catalog import services
        from workspaces.models.api_token import follow_upgrade

        pre_save.connect(follow_upgrade, sender="auth.User")
        links.host_returned.join(services.request_when_back)
