"""Lists of models and levels of effort for forms of the admin, as the CLIs of the host have reported them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from workspaces import clis
from workspaces.catalog import queries
from workspaces.models import Workspace
from workspaces.models.model_list import ModelList

DEFAULT = ("", "CLI default")


def offer_choices(form: forms.ModelForm[Any], workspace: Workspace, *, prefix: str = "") -> None:
    """Replace the text fields of a form by lists, if there are any. The current value is always offered."""
    lists = queries.lists_of(workspace)
    for name, choices in (("model", _models(lists)), ("reasoning_effort", _efforts(lists))):
        field = form.fields.get(prefix + name)
        if field is None or not choices:
            continue
        current = str(getattr(form.instance, prefix + name))
        known = {value for _, group in choices for value, _ in group}
        own = [] if not current or current in known else [(current, f"{current} (not in the lists)")]
        form.fields[prefix + name] = forms.ChoiceField(
            label=field.label, required=False, choices=[DEFAULT, *own, *choices]
        )


def check_choice(form: forms.ModelForm[Any], workspace: Workspace, backend: str, *, prefix: str = "") -> None:
    """Add an error to the form if the CLI does not have the chosen model or effort."""
    values = [str(form.cleaned_data.get(prefix + name) or "") for name in ("model", "reasoning_effort")]
    changed = {prefix + name for name in ("backend", "model", "reasoning_effort")} & set(form.changed_data)
    for name, error in queries.problem(workspace, backend, *values).items() if changed else ():
        if prefix + name in form.fields:
            form.add_error(prefix + name, error)


Groups = list[tuple[str, list[tuple[str, str]]]]


def _models(lists: Mapping[str, ModelList]) -> Groups:
    return [
        (clis.label_of(offer.backend), [(model["id"], model["id"]) for model in offer.models])
        for offer in lists.values()
        if offer.models
    ]


def _efforts(lists: Mapping[str, ModelList]) -> Groups:
    return [
        (clis.label_of(offer.backend), [(level, level) for level in offer.levels])
        for offer in lists.values()
        if offer.levels
    ]
