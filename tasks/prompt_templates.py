"""Templates for prompts: named texts of a workspace."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from aitask.lib.errors import Refused
from tasks.editing import clean_text, one_line
from tasks.models import PromptTemplate
from workspaces.access import Visitor, visible_workspaces
from workspaces.models import Workspace

MOST = 100
"Maximum number of templates of a workspace."
LONGEST = 100_000
"Maximum length of a template in characters."


def visible_templates(user: Visitor) -> QuerySet[PromptTemplate]:
    """Return the templates of all workspaces that the user may see, by workspace and name."""
    templates = PromptTemplate.objects.filter(workspace__in=visible_workspaces(user))
    return templates.select_related("workspace").order_by("workspace__name", "name")


def template_for(user: Visitor, pk: int) -> PromptTemplate:
    """Return the template; raise Http404 unless the user may see its workspace."""
    return get_object_or_404(visible_templates(user), pk=pk)


def save(workspace: Workspace, name: str, text: str, *, user: AbstractBaseUser) -> PromptTemplate:
    """Save a text under a name; replace the template that has this name. Raises Refused."""
    name, text = one_line(name)[:100], clean_text(text).replace("\r\n", "\n").strip()
    if not name:
        raise Refused("The template has no name.", "Enter a name under which you will find it again.")
    if not text:
        raise Refused("The template is empty.", "Write the text that it should insert.")
    if len(text) > LONGEST:
        raise Refused(f"The text has {len(text):,} characters. A template can have {LONGEST:,}.")
    known = PromptTemplate.objects.filter(workspace=workspace)
    if not known.filter(name=name).exists() and known.count() >= MOST:
        reason = f"{workspace.name} has {MOST} templates, the maximum."
        raise Refused(reason, "Delete one on the page of templates first.")
    values = {"text": text, "created_by_id": user.pk}
    template, _ = PromptTemplate.objects.update_or_create(workspace=workspace, name=name, defaults=values)
    return template
