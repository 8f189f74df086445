"""Forms for tasks and runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.urls import reverse_lazy

from tasks import editing
from tasks.models import Run, Task
from tasks.order import named
from workspaces import clis, permission_modes
from workspaces.access import Visitor, visible_workspaces
from workspaces.catalog import form_choices
from workspaces.catalog import queries as catalog_queries
from workspaces.models import PermissionMode, Workspace

MOST_ATTEMPTS = 5
"Maximum number of attempts per CLI."
CHOICES = ("backend", "model", "reasoning_effort", "permission_mode")
SORTING = ("labels", "priority")
ORDER = ("after", "after_until", "base_branch")


class ChoiceFields(forms.Form):
    """CLI, model and effort, rendered by workspaces/_choices.html. Empty means the CLI's default."""

    backend = forms.ChoiceField(label="CLI", choices=clis.choices)
    model = forms.CharField(required=False, max_length=100)
    reasoning_effort = forms.CharField(label="Effort", required=False, max_length=20)
    permission_mode = forms.ChoiceField(
        label="Permissions", required=False, choices=[("", ""), *PermissionMode.choices]
    )

    def clean(self) -> dict[str, Any]:
        """Use the text field of the model if the model is “other”."""
        cleaned = super().clean() or {}
        if cleaned.get("model") == form_choices.OTHER:
            _, cleaned["model"], _ = form_choices.chosen(self.data)
            if not cleaned["model"]:
                self.add_error("model", "Enter the model's name, or choose one from the list.")
        return cleaned

    def choices_of(self) -> dict[str, Any]:
        """Return the fields as keyword arguments of the services."""
        return {name: self.cleaned_data[name] for name in CHOICES}


RELOAD_CHOICES = {
    "hx-get": reverse_lazy("task_new_fields"),
    "hx-vals": '{"changed": "workspace"}',
    "hx-include": "closest [data-choices]",
    "hx-target": "next .choices",
    "hx-swap": "outerHTML",
    "hx-indicator": "next .choices",
    "hx-sync": "closest [data-choices]:replace",
}
"""Attributes that reload the other fields: each workspace has its own CLIs and presets."""


class SortingFields(forms.Form):
    """Labels and priority, rendered by tasks/_sorting.html."""

    labels = forms.CharField(
        required=False,
        max_length=400,
        widget=forms.TextInput(attrs={"placeholder": "words, separated by spaces", "autocomplete": "off"}),
    )
    priority = forms.TypedChoiceField(
        required=False, coerce=int, empty_value="0", initial=0, choices=Task.Priority.choices
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(words := self.initial.get("labels"), list):
            self.initial["labels"] = " ".join(words)
        current = self.initial.get("priority", 0)
        if current not in Task.Priority.values:
            field = self.fields["priority"]
            field.choices = [(current, str(current)), *Task.Priority.choices]  # type: ignore[attr-defined]

    def clean_labels(self) -> list[str]:
        """Raise ValidationError, for this field, for what is no label."""
        try:
            return editing.clean_labels(self.cleaned_data["labels"].replace(",", " ").split())
        except forms.ValidationError as error:
            raise forms.ValidationError(error.messages) from None

    def sorting_of(self) -> dict[str, Any]:
        """Return the fields as keyword arguments of the services."""
        return {name: self.cleaned_data[name] for name in SORTING}

    def clean_priority(self) -> int:
        return int(self.cleaned_data["priority"])


class OrderFields(forms.Form):
    """Which tasks it comes after, and where it starts, rendered by tasks/order/_fields.html."""

    after = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.TextInput(
            attrs={"placeholder": "#12, #14 or a title", "autocomplete": "off", "data-after": ""}
        ),
    )
    after_until = forms.ChoiceField(label="Until they are", required=False, choices=Task.Until.choices)
    base_branch = forms.CharField(
        label="Start from branch",
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "class": "code", "data-branches": ""}
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(numbers := self.initial.get("after"), list):
            self.initial["after"] = ", ".join(f"#{number}" for number in numbers)

    def read_after(self, workspace: Workspace | None) -> None:
        """Replace the text by the numbers of the tasks that it names."""
        if workspace is None or "after" not in self.cleaned_data:
            return
        try:
            self.cleaned_data["after"] = named.numbers_in(self.cleaned_data["after"], workspace)
        except forms.ValidationError as error:
            self.add_error("after", error)

    @property
    def shows_order(self) -> bool:
        """Whether there is something to see in these fields."""
        return any(self[name].errors for name in ORDER) or bool(
            self["after"].value() or self["base_branch"].value()
        )

    def clean_after_until(self) -> str:
        return self.cleaned_data["after_until"] or Task.Until.MERGED

    def order_of(self) -> dict[str, Any]:
        """Return the fields as keyword arguments of the services."""
        return {name: self.cleaned_data[name] for name in ORDER}


class NewTaskForm(ChoiceFields, SortingFields, OrderFields):
    """One text box: the first line is the title; a line of --- starts another task."""

    text = forms.CharField(
        label="What should be done?",
        widget=forms.Textarea(
            attrs={
                "rows": 7,
                "autofocus": True,
                "data-complete": "/workspaces/{workspace}/completions",
                "placeholder": "Title on the first line\n\nThen everything that the agent should know.",
            }
        ),
    )
    workspace = forms.ModelChoiceField(queryset=Workspace.objects.none(), empty_label=None)
    attempts = forms.IntegerField(
        min_value=1,
        max_value=MOST_ATTEMPTS,
        required=False,
        initial=1,
        help_text="Agents that do the same task",
    )
    also_with = forms.ChoiceField(
        label="As many with",
        required=False,
        choices=lambda: [("", "No other CLI"), *clis.choices()],
        help_text="A second CLI, with its default model",
    )

    field_order = ["text", "workspace", *CHOICES, "attempts", "also_with"]

    def attempts_of(self) -> dict[str, Any]:
        """Return the fields about attempts as keyword arguments of the services."""
        return {"attempts": self.cleaned_data["attempts"] or 1, "also_with": self.cleaned_data["also_with"]}

    def __init__(self, *args: Any, user: Visitor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["workspace"].queryset = visible_workspaces(user)  # type: ignore[attr-defined]
        self.fields["workspace"].widget.attrs |= RELOAD_CHOICES

    def clean(self) -> dict[str, Any]:
        """Find the tasks that it comes after."""
        cleaned = super().clean()
        self.read_after(cleaned.get("workspace"))
        return cleaned


class TaskForm(ChoiceFields, SortingFields, OrderFields):
    """The fields of an existing task that can be changed."""

    def __init__(self, *args: Any, task: Task, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.task = task

    def clean(self) -> dict[str, Any]:
        """Find the tasks that it comes after."""
        cleaned = super().clean()
        self.read_after(self.task.workspace)
        return cleaned

    title = forms.CharField(max_length=200)
    prompt = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 10}))

    field_order = ["title", "prompt", *CHOICES, *SORTING, *ORDER]


class RunForm(ChoiceFields):
    """Run a task again, with another prompt or model, or by continuing the last session."""

    backend = None  # type: ignore[assignment]  # set by the task
    prompt = forms.CharField(widget=forms.Textarea(attrs={"rows": 6, "autofocus": True}))
    resume = forms.BooleanField(required=False, label="Continue this conversation")

    def values(self) -> dict[str, Any]:
        """Return the arguments for the run. Permissions that were not changed are not chosen for it."""
        unchanged = {} if "permission_mode" in self.changed_data else {"permission_mode": None}
        return {**self.cleaned_data, **unchanged}


class PromptForm(forms.Form):
    """What an agent is told first."""

    prompt = forms.CharField(widget=forms.Textarea(attrs={"rows": 12, "autofocus": True}))


class MoveForm(forms.Form):
    """The target column, the card to insert before (empty: last), and for Done whether to merge."""

    status = forms.ChoiceField(choices=Task.Status.choices)
    before = forms.IntegerField(required=False)
    merge = forms.ChoiceField(choices=[("yes", "Merge"), ("no", "Close without merging")], required=False)


def choices_for(
    form: forms.Form, workspace: Workspace, backend: str = "", **more: Any
) -> form_choices.Choices:
    """Return the choices for a form about this workspace, with its current values; `backend` if fixed."""
    values = form.data if form.is_bound else form.initial
    chosen, model, effort = form_choices.chosen(values)
    return form_choices.Choices(
        catalog_queries.lists_of(workspace),
        backend or chosen,
        model,
        effort,
        suggestions=models_used(workspace, backend or chosen),
        **modes_for(workspace, values),
        **more,
    )


def modes_for(workspace: Workspace, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the permissions that a task of this workspace can have, and the chosen ones."""
    mode = str(values.get("permission_mode") or "")
    mode = mode if mode in PermissionMode.values else ""
    current = mode if values.get("workspace") in (None, workspace) else ""
    offered = permission_modes.options_of_task(workspace, current)
    return {"modes": offered, "mode": mode if mode in [option.value for option in offered] else ""}


def models_used(workspace: Workspace | None, backend: str) -> tuple[str, ...]:
    """Return the models that ran or were requested in this workspace, newest first, as suggestions."""
    if workspace is None:
        return ()
    runs = Run.objects.filter(task__workspace=workspace, backend=backend).exclude(model="")
    own = [workspace.default_model] if backend == workspace.default_backend else []
    names = [*own, *runs.order_by("-pk").values_list("model", flat=True)[:200]]
    return tuple(dict.fromkeys(filter(None, names)))[:12]
