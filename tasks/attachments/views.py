"""Attached files, as downloads, and our own copies of pictures, also of those that agents have read or made.

Nothing of them is shown as a page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET

from aitask.lib.answers import attempt, text_answer
from aitask.lib.errors import Refused
from tasks.access import run_for
from tasks.attachments import shown, store
from tasks.attachments.access import attachment_for
from tasks.models import Attachment

COPY = {"Content-Disposition": "inline", "Cache-Control": "private, max-age=86400, immutable"}
HARMLESS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@require_GET
def attachment_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    return download(request, attachment_for(request.user, pk))


@require_GET
def attachment_view(request: HttpRequest, pk: int) -> HttpResponseBase:
    row = attachment_for(request.user, pk)
    return _copy(request, row.view_sha256, row.view_type)


@require_GET
def attachment_thumbnail(request: HttpRequest, pk: int) -> HttpResponseBase:
    row = attachment_for(request.user, pk)
    return _copy(request, row.thumbnail_sha256, row.thumbnail_type)


@require_GET
def run_picture(request: HttpRequest, pk: str, sha256: str) -> HttpResponseBase:
    return _of_run(request, int(pk), sha256, small=False)


@require_GET
def run_thumbnail(request: HttpRequest, pk: str, sha256: str) -> HttpResponseBase:
    return _of_run(request, int(pk), sha256, small=True)


def _of_run(request: HttpRequest, pk: int, sha256: str, *, small: bool) -> HttpResponseBase:
    """A picture that an agent has read or made, as our own copy: its content decides its address."""
    run = run_for(request.user, pk)
    found = attempt(lambda: shown.of_run(run, sha256, small=small))
    if isinstance(found, Refused):
        return text_answer(found)
    return HttpResponse(found.content, found.content_type, headers={**HARMLESS, **COPY})


def download(request: HttpRequest, row: Attachment) -> HttpResponseBase:
    """Return the file itself, as a download without a type that a browser would show."""
    headers = {
        "Content-Disposition": content_disposition_header(as_attachment=True, filename=row.name)
        or "attachment",
        "Content-Length": str(row.size),
    }
    return _streamed(request, row.sha256, "application/octet-stream", headers)


def _copy(request: HttpRequest, sha256: str, content_type: str) -> HttpResponseBase:
    if not sha256:
        raise Http404
    return _streamed(request, sha256, content_type, COPY)


def _streamed(
    request: HttpRequest, sha256: str, content_type: str, headers: dict[str, str]
) -> HttpResponseBase:
    try:
        chunks = store.read(sha256)
    except Refused as error:
        raise Http404 from error
    content = _in_threads(chunks) if isinstance(request, ASGIRequest) else chunks
    return StreamingHttpResponse(content, content_type=content_type, headers={**HARMLESS, **headers})


async def _in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Read each chunk when it is sent: Django would read all of them first."""
    while (chunk := await sync_to_async(_next)(chunks)) is not None:
        yield chunk


def _next(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)
