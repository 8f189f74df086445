"""What a person types about a task."""

from __future__ import annotations

from typing import Any

from django import forms

from tasks.models import Run, Task
from workspaces.access import Visitor, visible_workspaces
from workspaces.models import Backend, Workspace

CLI_PICKS = "CLI's default"
EFFORTS = ("low", "medium", "high")


class ChoiceFields(forms.Form):
    """CLI, model and effort: free text with suggestions, empty for the CLI's own choice."""

    backend = forms.ChoiceField(label="CLI", choices=Backend.choices)
    model = forms.CharField(
        required=False,
        max_length=100,
        widget=forms.TextInput(
            attrs={"list": "models", "placeholder": CLI_PICKS, "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    reasoning_effort = forms.CharField(
        label="Effort",
        required=False,
        max_length=20,
        widget=forms.TextInput(
            attrs={"list": "efforts", "placeholder": CLI_PICKS, "autocomplete": "off", "spellcheck": "false"}
        ),
    )

    def choices_of(self) -> dict[str, str]:
        """The fields as the services take them."""
        return {name: self.cleaned_data[name] for name in ("backend", "model", "reasoning_effort")}


class NewTaskForm(ChoiceFields):
    """One box: the first line is the title; a line of --- begins another task."""

    text = forms.CharField(
        label="What should be done?",
        widget=forms.Textarea(
            attrs={
                "rows": 7,
                "autofocus": True,
                "placeholder": "Title on the first line\n\nThen whatever the agent should know.",
            }
        ),
    )
    workspace = forms.ModelChoiceField(queryset=Workspace.objects.none(), empty_label=None)

    field_order = ["text", "workspace", "backend", "model", "reasoning_effort"]

    def __init__(self, *args: Any, user: Visitor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["workspace"].queryset = visible_workspaces(user)  # type: ignore[attr-defined]


class TaskForm(ChoiceFields):
    """What may be changed of a task that exists."""

    title = forms.CharField(max_length=200)
    prompt = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 10}))

    field_order = ["title", "prompt", "backend", "model", "reasoning_effort"]


class RunForm(forms.Form):
    """Run again: perhaps with other words, another model, or as a continuation of the last session."""

    prompt = forms.CharField(widget=forms.Textarea(attrs={"rows": 6, "autofocus": True}))
    model = ChoiceFields.base_fields["model"]
    reasoning_effort = ChoiceFields.base_fields["reasoning_effort"]
    resume = forms.BooleanField(required=False, label="Go on with the same conversation")


class MoveForm(forms.Form):
    """To which column, and before which card (last when not said)."""

    status = forms.ChoiceField(choices=Task.Status.choices)
    before = forms.IntegerField(required=False)


def preset(workspace: Workspace | None, backend: str = "") -> dict[str, Any]:
    """What a new task starts with in a workspace; model and effort only fit the CLI they were set for."""
    if workspace is None:
        return {}
    chosen = backend or workspace.default_backend
    own = chosen == workspace.default_backend
    return {
        "workspace": workspace,
        "backend": chosen,
        "model": workspace.default_model if own else "",
        "reasoning_effort": workspace.default_reasoning_effort if own else "",
    }


def models_used(workspace: Workspace | None, backend: str) -> list[str]:
    """Suggestions: the models that ran or were asked for in this workspace, newest first."""
    if workspace is None:
        return []
    runs = Run.objects.filter(task__workspace=workspace, backend=backend).exclude(model="")
    own = [workspace.default_model] if backend == workspace.default_backend else []
    names = [*own, *runs.order_by("-pk").values_list("model", flat=True)[:200]]
    return list(dict.fromkeys(filter(None, names)))[:12]
