"""Ties the model lists to the links to hosts, which know only their hook."""

from __future__ import annotations

from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    name = "workspaces"

    def ready(self) -> None:
        from workspaces import links
        from workspaces.catalog import services

        links.answered_again.join(services.request_when_back)
