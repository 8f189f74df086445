"""URLs of the WebSockets."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from terminal.consumers import terminal_socket
from terminal.overview import SessionsConsumer

socket: Any = terminal_socket
websocket_urlpatterns: list[URLPattern] = [
    path("api/tasks/<int:pk>/terminal", socket, {"kind": "task"}),
    path("api/workspaces/<int:pk>/terminal", socket, {"kind": "workspace"}),
    path("api/hosts/<int:pk>/terminal", socket, {"kind": "host"}),
    path("ws/terminals", SessionsConsumer.as_asgi()),  # type: ignore[arg-type]
]
