"""Forms of the plan page."""

from __future__ import annotations

from typing import Any

from django import forms

from tasks.forms import RELOAD_CHOICES, ChoiceFields, SortingFields
from tasks.planning.separators import SplitBy
from tasks.planning.split import Nested
from workspaces.access import Visitor, visible_workspaces
from workspaces.models import Workspace


class SplitForm(forms.Form):
    """How a text is split."""

    text = forms.CharField(required=False, strip=False)
    by = forms.ChoiceField(
        label="Split at",
        required=False,
        choices=[
            (SplitBy.AUTO.value, "What fits the text"),
            (SplitBy.HEADINGS.value, "Headings"),
            (SplitBy.POINTS.value, "Points of lists"),
            (SplitBy.LINES.value, "Lines of ---"),
        ],
    )
    nested = forms.ChoiceField(
        label="Points below a point",
        required=False,
        choices=[
            (Nested.PROMPT.value, "Part of its prompt"),
            (Nested.TASKS.value, "Tasks that come after it"),
        ],
    )
    share_context = forms.BooleanField(
        label="Add the text outside of all points to each prompt", required=False
    )

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of `split`."""
        return {
            "by": SplitBy(self.cleaned_data["by"] or SplitBy.AUTO),
            "nested": Nested(self.cleaned_data["nested"] or Nested.PROMPT),
            "share_context": self.cleaned_data["share_context"],
        }


class PlanForm(ChoiceFields, SortingFields):
    """What all tasks of a plan have in common."""

    workspace = forms.ModelChoiceField(queryset=Workspace.objects.none(), empty_label=None)
    items = forms.CharField(required=False, strip=False)
    plan = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)

    def __init__(self, *args: Any, user: Visitor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["workspace"].queryset = visible_workspaces(user)  # type: ignore[attr-defined]
        self.fields["workspace"].widget.attrs |= RELOAD_CHOICES

    def defaults(self) -> dict[str, Any]:
        """Return the fields of every task as keyword arguments of the services."""
        return {**self.choices_of(), **self.sorting_of()}


class StartPlanForm(ChoiceFields):
    """What an agent is to plan, and which agent."""

    permission_mode = None  # type: ignore[assignment]  # it only reads

    text = forms.CharField(required=False, strip=False)
    workspace = forms.ModelChoiceField(queryset=Workspace.objects.none(), empty_label=None)

    def __init__(self, *args: Any, user: Visitor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["workspace"].queryset = visible_workspaces(user)  # type: ignore[attr-defined]
