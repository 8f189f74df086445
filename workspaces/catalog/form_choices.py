"""The choices of a form: CLI, model and effort, each of which limits the next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.utils import dateformat

from workspaces import clis
from workspaces.catalog.queries import takes_pictures_of, warning
from workspaces.hostkit.wire import Effort, OfferedModel
from workspaces.models import Workspace
from workspaces.models.model_list import ModelList
from workspaces.permission_modes import ModeOption

OTHER = "*"
"The choice of a model that the user types."


@dataclass(frozen=True)
class CliOption:
    """One CLI as the form shows it; `why_not` is the reason why it can't be chosen, else empty."""

    value: str
    label: str
    why_not: str


@dataclass(frozen=True)
class Choices:
    """The state of the three fields."""

    lists: Mapping[str, ModelList]
    backend: str
    model: str
    effort: str
    typing: bool = False
    "The user has chosen to type a model."
    suggestions: tuple[str, ...] = ()
    "Suggestions for a typed model."
    prefix: str = ""
    "Prefix of the fields' names."
    ids: str = "id_"
    "Prefix of their ids: two forms may be on one page."
    fixed: bool = False
    "The CLI can't be changed in this form."
    modes: tuple[ModeOption, ...] = ()
    "The permissions that can be chosen; none if the form has no such field."
    mode: str = ""

    @property
    def state(self) -> str:
        """The values that each partial request sends along, as JSON without the closing brace."""
        values: dict[str, str] = {"ids": self.ids, "fixed": "yes" if self.fixed else ""}
        return json.dumps(values)[:-1]

    @property
    def clis(self) -> list[CliOption]:
        return [CliOption(cli.name, cli.label, self._why_not(cli.name)) for cli in clis.every()]

    def _why_not(self, backend: str) -> str:
        offer = self.lists.get(backend)
        return "" if offer is None or offer.is_offered else offer.error or "Not installed on this host."

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
        """The levels of the chosen model; of the CLI's default model if none is chosen."""
        if self.is_typed:
            return []
        model = self.picked or (self.offer.recommended if self.offer else None)
        return model["reasoning_efforts"] if model else []

    @property
    def effort_is_free(self) -> bool:
        """Whether the levels are unknown, so that the effort is a text field."""
        return self.is_typed or not self.models

    @property
    def has_other_effort(self) -> bool:
        """Whether the effort is not among the levels; it is shown, not replaced."""
        return bool(self.effort) and self.effort not in [level["id"] for level in self.levels]

    @property
    def description(self) -> str:
        return self.picked["description"] if self.picked else ""

    @property
    def warning(self) -> str:
        return "" if self.typing else warning(self.offer, self.model, self.effort)

    @property
    def takes_no_pictures(self) -> bool:
        """Whether the CLI says so: its agent gets the paths of attached pictures."""
        return not self.typing and takes_pictures_of(self.offer, self.model) is False

    @property
    def is_awaited(self) -> bool:
        return any(offer.is_awaited for offer in self.lists.values())

    @property
    def notes(self) -> list[str]:
        """Why the list is missing or stale, and why CLIs can't be chosen."""
        return [*self._list_notes(), *(f"{cli.label}: {cli.why_not}" for cli in self.clis if cli.why_not)]

    def _list_notes(self) -> list[str]:
        offer, cli = self.offer, clis.label_of(self.backend)
        if offer is None:
            return [f"The models of {cli} on this host are not loaded yet."]
        if offer.is_awaited:
            return [f"Loading the models of {cli} on {offer.host.label}…"]
        if self._why_not(self.backend):
            return []
        if offer.stale and offer.fetched_at:
            return [f"This list is from {dateformat.format(offer.fetched_at, 'j F, H:i')} UTC. {offer.error}"]
        if offer.stale:
            return [f"No model list: {offer.error}"]
        if offer.logged_in is False:
            return [f"{cli} is not logged in on {offer.host.label}. The list may change after a login."]
        return []


def preset(lists: Mapping[str, ModelList], workspace: Workspace | None, backend: str = "") -> Choices:
    """Return the initial choices of a form: the workspace's defaults, else those of the CLI."""
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
    """Return the choices with an effort that the model has, else with the model's default."""
    model = choices.picked
    if model is None or (not choices.has_other_effort and choices.effort):
        return choices
    return replace(choices, effort=model["default_reasoning_effort"] or "")


def chosen(data: Mapping[str, str], prefix: str = "") -> tuple[str, str, str]:
    """Return CLI, model and effort from a form's data; a typed model if that is chosen."""
    model = data.get(f"{prefix}model", "")
    if model == OTHER:
        model = data.get(f"{prefix}model_typed", "").strip()
    return data.get(f"{prefix}backend", ""), model, data.get(f"{prefix}reasoning_effort", "")


def after_change(
    lists: Mapping[str, ModelList], workspace: Workspace | None, data: Mapping[str, str], prefix: str = ""
) -> Choices:
    """Return the choices after a change; `data["changed"]` says what: workspace, backend, model or lists.

    What was chosen is kept where it is still valid.
    """
    backend, model, effort = chosen(data, prefix)
    changed = data.get("changed", "")
    if backend not in clis.names() or changed == "workspace":
        choices = preset(lists, workspace)
    elif changed == "backend" or (changed == "lists" and not model):
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
"""The template to render again after a change; after any other, all choices are rendered."""


def template_after(changed: str) -> str:
    return TEMPLATES.get(changed, "workspaces/_choices.html")
