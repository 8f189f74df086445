"""What a form offers: CLI, model and effort, each narrowing the next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.utils import dateformat

from workspaces import clis
from workspaces.catalog.queries import warning
from workspaces.hostkit.wire import Effort, OfferedModel
from workspaces.models import Workspace
from workspaces.models.model_list import ModelList

OTHER = "*"
"Stands in the list of models for one that is typed."


@dataclass(frozen=True)
class CliOption:
    """One CLI as the form shows it; `why_not` tells why it can't be chosen."""

    value: str
    label: str
    why_not: str


@dataclass(frozen=True)
class Choices:
    """The three fields in one state."""

    lists: Mapping[str, ModelList]
    backend: str
    model: str
    effort: str
    typing: bool = False
    "The person is about to type a model."
    suggestions: tuple[str, ...] = ()
    "For who types a model."
    prefix: str = ""
    "In front of the fields' names."
    ids: str = "id_"
    "In front of their ids: two forms may be on one page."
    fixed: bool = False
    "The CLI is not to be chosen here."

    @property
    def state(self) -> str:
        """What a request for another part must bring along, as JSON that is still open at its end."""
        known: dict[str, str] = {"ids": self.ids, "fixed": "yes" if self.fixed else ""}
        return json.dumps(known)[:-1]

    @property
    def clis(self) -> list[CliOption]:
        return [CliOption(cli.name, cli.label, self._why_not(cli.name)) for cli in clis.every()]

    def _why_not(self, backend: str) -> str:
        offer = self.lists.get(backend)
        return "" if offer is None or offer.is_offered else offer.error or "The host does not have it."

    @property
    def offer(self) -> ModelList | None:
        """The list of the chosen CLI."""
        return self.lists.get(self.backend)

    @property
    def models(self) -> list[OfferedModel]:
        return self.offer.models if self.offer else []

    @property
    def picked(self) -> OfferedModel | None:
        return self.offer.find(self.model) if self.offer and self.model else None

    @property
    def is_typed(self) -> bool:
        return self.typing or bool(self.model and self.picked is None)

    @property
    def levels(self) -> list[Effort]:
        """The levels of the chosen model; where the CLI picks, those of the one that it recommends."""
        if self.is_typed:
            return []
        model = self.picked or (self.offer.recommended if self.offer else None)
        return model["reasoning_efforts"] if model else []

    @property
    def effort_is_free(self) -> bool:
        """Nobody says which levels there are."""
        return self.is_typed or not self.models

    @property
    def has_other_effort(self) -> bool:
        """The effort is none of the levels; it is shown, not replaced."""
        return bool(self.effort) and self.effort not in [level["id"] for level in self.levels]

    @property
    def description(self) -> str:
        return self.picked["description"] if self.picked else ""

    @property
    def warning(self) -> str:
        return "" if self.typing else warning(self.offer, self.model, self.effort)

    @property
    def is_awaited(self) -> bool:
        return any(offer.is_awaited for offer in self.lists.values())

    @property
    def notes(self) -> list[str]:
        """Why there is no list, why it is old, and which CLIs are left out."""
        return [*self._of_list(), *(f"{cli.label}: {cli.why_not}" for cli in self.clis if cli.why_not)]

    def _of_list(self) -> list[str]:
        offer, cli = self.offer, clis.label_of(self.backend)
        if offer is None:
            return [f"{cli} has not been asked for its models on this host yet."]
        if offer.is_awaited:
            return [f"{cli} on {offer.host.label} is being asked for its models…"]
        if self._why_not(self.backend):
            return []
        if offer.stale and offer.fetched_at:
            return [f"The list is of {dateformat.format(offer.fetched_at, 'j F, H:i')} UTC. {offer.error}"]
        if offer.stale:
            return [f"There is no list: {offer.error}"]
        if offer.logged_in is False:
            return [
                f"Nobody is logged in to {cli} on {offer.host.label}; the list may change with the login."
            ]
        return []


def preset(lists: Mapping[str, ModelList], workspace: Workspace | None, backend: str = "") -> Choices:
    """What a form starts with: the workspace's defaults, else what the CLI recommends."""
    wanted = backend or (workspace.default_backend if workspace else clis.default())
    if not backend and (offer := lists.get(wanted)) is not None and not offer.is_offered:
        wanted = next((other for other, row in lists.items() if row.is_offered), wanted)
    own = workspace is not None and wanted == workspace.default_backend
    model = workspace.default_model if workspace and own else ""
    effort = workspace.default_reasoning_effort if workspace and own else ""
    offer = lists.get(wanted)
    if not model and offer and offer.recommended:
        model = offer.recommended["id"]
    return with_effort(Choices(lists, wanted, model, effort))


def with_effort(choices: Choices) -> Choices:
    """With the effort as far as the model has it, else the model's own default."""
    model = choices.picked
    if model is None or (not choices.has_other_effort and choices.effort):
        return choices
    return replace(choices, effort=model["default_reasoning_effort"] or "")


def chosen(data: Mapping[str, str], prefix: str = "") -> tuple[str, str, str]:
    """CLI, model and effort as the fields of a form say them; a typed model counts where it is asked for."""
    model = data.get(f"{prefix}model", "")
    if model == OTHER:
        model = data.get(f"{prefix}model_typed", "").strip()
    return data.get(f"{prefix}backend", ""), model, data.get(f"{prefix}reasoning_effort", "")


def after_change(
    lists: Mapping[str, ModelList], workspace: Workspace | None, data: Mapping[str, str], prefix: str = ""
) -> Choices:
    """The fields after a person `changed` the workspace, the backend or the model, or lists have arrived.

    What was chosen stays as far as it fits.
    """
    backend, model, effort = chosen(data, prefix)
    what = data.get("changed", "")
    if backend not in clis.names() or what == "workspace":
        choices = preset(lists, workspace)
    elif what == "backend" or (what == "lists" and not model):
        choices = preset(lists, workspace, backend)
    else:
        typing = data.get(f"{prefix}model") == OTHER and not model
        choices = with_effort(Choices(lists, backend, model, effort, typing=typing))
    ids = data.get("ids", "id_")
    return replace(choices, prefix=prefix, ids=ids[:20], fixed=bool(data.get("fixed")))


TEMPLATES = {
    "backend": "workspaces/_choice_model.html",
    "model": "workspaces/_choice_effort.html",
}
"""The part of the form that is drawn anew after each change; all of it after any other."""


def template_after(changed: str) -> str:
    return TEMPLATES.get(changed, "workspaces/_choices.html")
