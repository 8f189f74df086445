"""The form for a workspace's budget."""

from __future__ import annotations

from typing import Any

from django import forms

from usage.models import Budget


class BudgetForm(forms.ModelForm[Budget]):
    """Empty fields mean no limit."""

    class Meta:
        model = Budget
        fields = ("hold_above_percent", "day_tokens", "month_tokens", "day_usd", "month_usd")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.update({"inputmode": "decimal", "placeholder": "no limit", "min": "0"})
        self.fields["hold_above_percent"].widget.attrs.update({"max": "100", "placeholder": "never"})

    def clean_hold_above_percent(self) -> int | None:
        percent: int | None = self.cleaned_data["hold_above_percent"]
        if percent is not None and percent > 100:
            raise forms.ValidationError("The maximum is 100 %.")
        return percent
