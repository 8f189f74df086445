"""Ports on which programs of tasks and in checkouts listen, and previews of them."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Path, Router, Schema

from tasks.access import task_for
from tasks.api.schemas import Id
from tasks.previews import grants
from tasks.previews.openers import opener_of, port_of_app
from tasks.previews.places import Shown, ports_of
from workspaces.access import current_user, workspace_for

router = Router(tags=["Ports"])
PortNumber = Annotated[int, Path(ge=1, le=65535)]


class PortOut(Schema):
    """A TCP port on which a program of a task listens."""

    port: int
    program: str
    url: str
    "Where the preview is once it has been opened; empty if this site has no previews."


class PreviewOut(Schema):
    """The address that opens a preview in the first browser that visits it, within two minutes."""

    url: str


@router.get(
    "/tasks/{task_id}/ports",
    response=list[PortOut],
    summary="The TCP ports on which programs of the task listen",
)
def list_ports(request: HttpRequest, task_id: Id) -> list[PortOut]:
    return _ports(request, task_for(request.user, task_id))


@router.get(
    "/workspaces/{workspace_id}/ports",
    response=list[PortOut],
    summary="The TCP ports on which programs in the workspace's own checkout listen",
)
def list_ports_of_checkout(request: HttpRequest, workspace_id: Id) -> list[PortOut]:
    """For the owner of the workspace, and members who may use terminals."""
    workspace = workspace_for(request.user, workspace_id)
    grants.check_may_see(current_user(request), workspace)
    return _ports(request, workspace)


def _ports(request: HttpRequest, shown: Shown) -> list[PortOut]:
    site = request.get_host()
    return [
        PortOut(port=each["port"], program=each["program"], url=grants.url_of(site, shown, each["port"]))
        for each in ports_of(shown)
    ]


@router.post("/tasks/{task_id}/ports/{port}/open", response=PreviewOut, summary="Open a preview of a port")
def open_preview(request: HttpRequest, task_id: Id, port: PortNumber) -> PreviewOut:
    """The address works once. The preview closes with your session or token, and when the task is done.

    A port that is none of the task's can be opened by the owner of the workspace and by members who may use
    terminals.
    """
    return _opened(request, task_for(request.user, task_id), port)


@router.post(
    "/workspaces/{workspace_id}/ports/{port}/open",
    response=PreviewOut,
    summary="Open a preview of a port of the workspace's own checkout",
)
def open_preview_of_checkout(request: HttpRequest, workspace_id: Id, port: PortNumber) -> PreviewOut:
    """Its address stays the same while Spotlight shows one task after the other."""
    return _opened(request, workspace_for(request.user, workspace_id), port)


def _opened(request: HttpRequest, shown: Shown, port: int) -> PreviewOut:
    site, app_port = request.get_host(), port_of_app(request)
    return PreviewOut(url=grants.open_port(shown, port, opener_of(request), site=site, app_port=app_port))
