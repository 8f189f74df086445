"""Adding and removing predecessors, and the graph of a workspace's open tasks."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from aitask.lib.errors import Refused
from tasks import editing
from tasks.access import task_for
from tasks.answers import answer_on_task
from tasks.models import Task
from tasks.order import queries
from tasks.order.graph import HEIGHT, WIDTH, graph_of
from tasks.order.named import numbers_in
from tasks.order.starts import offered_starts
from workspaces.access import current_user, workspace_for


@require_POST
def after_add(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the task come after others, which the form names by number or title."""
    task, user = task_for(request.user, pk), current_user(request)

    def add() -> str:
        try:
            numbers = numbers_in(request.POST.get("after", "")[:2000], task.workspace)
            if not numbers:
                raise Refused("Enter the number or the title of a task.")
            until = request.POST.get("after_until") or task.after_until
            editing.update_task(task, user=user, after=[*task.after, *numbers], after_until=until)
        except ValidationError as error:
            raise Refused(" ".join(error.messages)) from error
        return f"Comes after {', '.join(f'#{number}' for number in numbers)}."

    return answer_on_task(request, pk, add)


@require_POST
def after_remove(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Remove one of the task's predecessors."""
    task, user = task_for(request.user, pk), current_user(request)

    def remove() -> Task:
        kept = [each for each in task.after if each != number]
        return editing.update_task(task, user=user, after=kept)

    return answer_on_task(request, pk, remove, f"Does not come after #{number} any more.")


@require_GET
def after_offered(request: HttpRequest, pk: int) -> JsonResponse:
    """The open tasks of a workspace, as suggestions for a form."""
    found = queries.offered(workspace_for(request.user, pk))
    return JsonResponse({"tasks": [{"number": number, "title": title} for number, title in found]})


@require_GET
def starts_offered(request: HttpRequest, pk: int) -> JsonResponse:
    """The branches of a workspace's repository, as suggestions for a form."""
    return JsonResponse({"branches": offered_starts(workspace_for(request.user, pk))})


@require_GET
def graph_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The order of the workspace's open tasks, as a graph, and as a list on narrow screens."""
    workspace = workspace_for(request.user, pk)
    found = queries.open_tasks(workspace)
    graph = graph_of(found)
    shown = {node.number for node in graph.nodes}
    context = {
        "nav": "workspaces",
        "workspace": workspace,
        "graph": graph,
        "node_width": WIDTH,
        "node_height": HEIGHT,
        "free": [task for pk, task in found.tasks.items() if pk not in shown],
    }
    return render(request, "tasks/order/graph.html", context)
