"""Files for agents: upload, download, remove."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponseBase
from ninja import File, Form, Router, Status, UploadedFile
from pydantic import Field

from tasks.access import task_for
from tasks.api.schemas import Answer, Id
from tasks.attachments import services
from tasks.attachments.access import attachment_for
from tasks.attachments.kinds import note_about
from tasks.attachments.views import download
from workspaces.access import current_user

router = Router(tags=["Attachments"])
OfTask = Annotated[int | None, Form(None, description="The task that gets it; else no task uses it yet")]


class AttachmentOut(Answer):
    id: int
    name: str
    size: int = Field(description="Bytes")
    content_type: str = Field(description="As its content says")
    sha256: str
    kind: str = Field(description="picture, pdf, text or file")
    width: int | None
    height: int | None
    note: str = Field(
        default="", description="What to know before it is sent, such as that models can't see it"
    )


@router.post("/attachments", response={201: AttachmentOut}, summary="Upload a file for an agent")
def upload(request: HttpRequest, file: UploadedFile = File(...), task: OfTask = None) -> AttachmentOut:  # type: ignore[type-arg]  # noqa: B008
    """Name its id in `attachments` of a task, a run or a message. An unused one is removed after a week."""
    user = current_user(request)
    of = task_for(user, task) if task is not None else None
    row = services.receive(file, user)
    if of is not None:
        services.attach(of, [row.pk], user)
    return AttachmentOut.model_validate(row).model_copy(update={"note": note_about(row)})


@router.get("/attachments/{attachment_id}", summary="The bytes of a file, as a download")
def get_attachment(request: HttpRequest, attachment_id: Id) -> HttpResponseBase:
    return download(request, attachment_for(request.user, attachment_id))


@router.delete("/attachments/{attachment_id}", response={204: None}, summary="Remove an unused upload")
def delete_attachment(request: HttpRequest, attachment_id: Id) -> Status[None]:
    services.remove(attachment_for(request.user, attachment_id))
    return Status(204, None)
