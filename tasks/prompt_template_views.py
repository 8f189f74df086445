"""The page of prompt templates, and their use in the form for new tasks."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib.answers import answer
from aitask.lib.text import whole_number
from tasks import prompt_templates
from workspaces.access import current_user, workspace_for


@require_GET
def template_list(request: HttpRequest) -> HttpResponse:
    context = {"nav": "board", "templates": prompt_templates.visible_templates(request.user)}
    return render(request, "tasks/prompt_templates.html", context)


@require_GET
def template_text(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the text of a template, for the form."""
    template = prompt_templates.template_for(request.user, pk)
    return HttpResponse(template.text, content_type="text/plain; charset=utf-8")


@require_POST
def template_save(request: HttpRequest) -> HttpResponse:
    workspace = workspace_for(request.user, whole_number(request.POST.get("workspace")) or 0)
    name, text = request.POST.get("name", ""), request.POST.get("text", "")
    user = current_user(request)

    def save() -> str:
        template = prompt_templates.save(workspace, name, text, user=user)
        return f"Saved as template “{template.name}” of {workspace.name}."

    return answer(request, save, to=reverse("prompt_templates"))


@require_POST
def template_delete(request: HttpRequest, pk: int) -> HttpResponse:
    template, here = prompt_templates.template_for(request.user, pk), reverse("prompt_templates")
    return answer(request, template.delete, f"Deleted “{template.name}”.", to=here, go=here)
