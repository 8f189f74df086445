"""Refreshes the model lists of a host when its link is up again."""

from __future__ import annotations

from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    name = "workspaces"

    def ready(self) -> None:
        from workspaces import links
        from workspaces.catalog import services

        links.host_returned.join(services.request_when_back)
