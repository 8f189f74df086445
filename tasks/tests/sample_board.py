"""A board as people have it: three workspaces, tasks in every column, runs that work, wait, fail and end.

Browser tests and screenshots look at it; `build()` fills an empty database.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from tasks.models import Dependency, Event, Run, Task
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from workspaces.models import Host, Workspace

TITLES = {
    "backlog": (
        "Explain the retry policy in the README",
        "Replace the hand-written argument parser",
        "Add a dark theme to the status page",
    ),
    "done": (
        "Pin the base image by digest",
        "Cache the compiled templates",
        "Fix the off-by-one in pagination",
    ),
}


PROMPT = "Look at how it is done now, keep the tests green, and say in a few words what you changed and why."

SUMMARY = "Done. The log has a line for each query over **200 ms**, with its plan; `make test` is green."


def build() -> User:
    """The person who sees all of it; log in as ada / correct horse."""
    ada = make_user("ada", is_staff=True, is_superuser=True)
    web = make_workspace(
        name="storefront",
        owner=ada,
        kind="ssh",
        ssh_host="cloud",
        repo_path="/srv/storefront",
        default_model="claude-opus-4-5",
        default_reasoning_effort="high",
        environment={"DATABASE_URL": "x", "STRIPE_KEY": "y"},
        copy_files=".env\nconfig/local.yml",
        setup_command="npm ci",
        check_command="make test",
    )
    billing = make_workspace(
        name="billing-api",
        owner=ada,
        kind="ssh",
        ssh_host="cloud",
        repo_path="/srv/billing",
        default_backend="codex",
    )
    tools = make_workspace(name="dotfiles", owner=ada, repo_path="~/dotfiles", max_parallel_runs=1)
    Host.objects.filter(pk=web.host.pk).update(link="up", last_heard_at=timezone.now())
    backlog(web, billing, tools)
    queued(web, tools)
    running(web, billing)
    review(web, billing)
    done(web, billing)
    order(web)
    return ada


def order(web: Workspace) -> None:
    """One task waits for two others, and one stands on the branch of a third."""
    after(
        web,
        "Explain the retry policy in the README",
        "Upgrade to React 20",
        "Log slow queries with their plan",
    )
    after(web, "Translate the checkout into German and French", "Upgrade to React 20")
    after(web, "Make the search tolerate typing errors", "Log slow queries with their plan", until="finished")


def after(web: Workspace, title: str, *predecessors: str, until: str = "merged") -> None:
    """Let a task come after others, by their titles."""
    task = Task.objects.get(workspace=web, title=title)
    Task.objects.filter(pk=task.pk).update(after_until=until)
    found = Task.objects.filter(workspace=web, title__in=predecessors)
    for each in found:
        Dependency.objects.create(task=task, predecessor=each, number=each.pk, title=each.title)
    names = " and ".join(f"#{each.pk} “{each.title}”" for each in found)
    task.runs.filter(state=Run.State.QUEUED).update(reason=f"Waits for {names} to be merged.")


def backlog(web: Workspace, billing: Workspace, tools: Workspace) -> None:
    models = ("claude-opus-4-5", "gpt-5.5-codex", "")
    for workspace, title, model in zip((web, billing, tools), TITLES["backlog"], models, strict=True):
        make_task(
            workspace=workspace,
            title=title,
            prompt=f"{title}.\n\n{PROMPT}",
            backend=workspace.default_backend,
            model=model,
        )


def queued(web: Workspace, tools: Workspace) -> None:
    task = make_task(workspace=web, title="Translate the checkout into German and French", status="queued")
    make_run(task=task, reason="Waiting for a free slot (4 of 4 running).")
    task = make_task(
        workspace=tools, title="Sort the shell aliases by topic", status="queued", model="claude-haiku-4-5"
    )
    make_run(task=task)


def running(web: Workspace, billing: Workspace) -> None:
    busy(web, "Make the search tolerate typing errors", "Edit src/search/fuzzy.ts", minutes=12)
    busy(
        billing,
        "Move invoices to the new tax table",
        "cargo test -p invoices",
        minutes=3,
        model="gpt-5.5-codex",
    )
    task = busy(web, "Upgrade to React 20", "npm install react@20 react-dom@20", minutes=7)
    run = task.runs.get()
    request = {
        "id": "req-1",
        "kind": "approval",
        "tool": "Bash",
        "title": "npm install react@20 react-dom@20",
        "input": {"command": "npm install react@20 react-dom@20"},
        "cwd": "/srv/storefront.worktrees/9-upgrade-to-react-20",
        "reason": "It needs the network.",
    }
    Run.objects.filter(pk=run.pk).update(state="waiting", open_requests=[request])
    conversation(run, request)


def busy(
    workspace: Workspace, title: str, activity: str, *, minutes: int, model: str = "claude-opus-4-5"
) -> Task:
    task = make_task(
        workspace=workspace,
        title=title,
        status="running",
        backend=workspace.default_backend,
        model=model,
        reasoning_effort="high",
        branch=f"aitask/7-{title.lower().replace(' ', '-')}",
        worktree_path=f"{workspace.repo_path}.worktrees/7-{title.lower().replace(' ', '-')}",
        base_commit="4f1c2d9e8b7a65544332211000ffeeddccbbaa99",
        files_changed=6,
        lines_added=214,
        lines_deleted=37,
    )
    start = timezone.now() - timedelta(minutes=minutes, seconds=24)
    run = make_run(
        task=task,
        state="running",
        queued_at=start,
        started_at=start,
        last_heard_at=timezone.now(),
        model=model,
        reasoning_effort="high",
        activity=activity,
        tmux_session=f"aitask-{task.pk}",
        cli_session="33b85587",
        cli_version="2.1.197",
        context_used=84_200,
        context_window=200_000,
        **figures(),
    )
    assert run.is_active
    return task


def figures(scale: int = 1) -> dict[str, Any]:
    return {
        "input_tokens": 4_812 * scale,
        "output_tokens": 9_377 * scale,
        "cache_read_tokens": 402_118 * scale,
        "cache_write_tokens": 31_220 * scale,
        "cost_usd": Decimal("0.417300") * scale,
        "cost_source": "reported",
    }


def review(web: Workspace, billing: Workspace) -> None:
    ended(
        web,
        "Log slow queries with their plan",
        "succeeded",
        files_changed=4,
        lines_added=131,
        lines_deleted=12,
    )
    ended(
        billing,
        "Round amounts half to even everywhere",
        "failed",
        reason_code="limit",
        reason="You've hit your usage limit. It resets at 14:00.",
        limit_resets_at=timezone.now() + timedelta(hours=2),
    )
    ended(
        web,
        "Delete the unused feature flags",
        "cancelled",
        reason="Cancelled by ada.",
        files_changed=2,
        lines_deleted=88,
    )


def ended(workspace: Workspace, title: str, state: str, **fields: Any) -> Task:
    of_run = {
        name: fields.pop(name) for name in ("reason", "reason_code", "limit_resets_at") if name in fields
    }
    task = make_task(
        workspace=workspace,
        title=title,
        prompt=f"{title}.\n\n{PROMPT}",
        status="review",
        backend=workspace.default_backend,
        **fields,
    )
    start = timezone.now() - timedelta(hours=1)
    run = make_run(
        task=task,
        state=state,
        queued_at=start,
        started_at=start,
        finished_at=start + timedelta(minutes=9),
        model=task.model,
        cli_session="c0ffee",
        commit="9c1d2e3f4a5b6c7d8e9f00112233445566778899" if state == "succeeded" else "",
        **figures(1 + task.pk % 4),
        **of_run,
    )
    events: list[dict[str, Any]] = [{"kind": "message", "text": task.prompt, "by": "prompt"}]
    if state == "succeeded":
        events.append({"kind": "text", "text": SUMMARY})
    size = {"files": task.files_changed, "additions": task.lines_added, "deletions": task.lines_deleted}
    end = {"state": state, "reason": run.reason, "commit": run.commit, "diff": size}
    events.append({"kind": "finished", **end})
    write(run, events)
    return task


def done(web: Workspace, billing: Workspace) -> None:
    for workspace, title in zip((web, billing, web), TITLES["done"], strict=True):
        task = ended(workspace, title, "succeeded", files_changed=1, lines_added=3, lines_deleted=3)
        Task.objects.filter(pk=task.pk).update(status="done")


def conversation(run: Run, request: dict[str, Any]) -> None:
    """Everything that a run can say, once."""
    asked = {**request, "request_kind": request["kind"]}
    write(run, [*TALK, {**asked, "kind": "request"}])


def write(run: Run, events: list[dict[str, Any]]) -> None:
    """Append events to a run, a few seconds apart."""
    start = run.started_at or run.queued_at
    rows = [
        Event(
            run=run,
            seq=run.last_seq + place,
            at=start + timedelta(seconds=4 * place),
            kind=event["kind"],
            data={key: value for key, value in event.items() if key != "kind"},
        )
        for place, event in enumerate(events, 1)
    ]
    Event.objects.bulk_create(rows)
    run.last_seq += len(rows)
    run.save(update_fields=["last_seq"])


PLAN = """I'll upgrade React in three steps:

1. raise **react** and **react-dom** to 20, with their types
2. replace `forwardRef`, which is gone
3. run the tests and look at the bundle's size

```ts
export function Price({ ref, amount }: Props) {
  // ref is a plain prop now
  return <span ref={ref}>{format(amount, 2)}</span>;
}
```

| package | now | then |
|---|---|---|
| react | 19.1.0 | 20.0.1 |
| react-dom | 19.1.0 | 20.0.1 |
"""
DIFF = """@@ -1,6 +1,5 @@
-import { forwardRef } from "react";
 import { format } from "../money";
-export const Price = forwardRef<HTMLSpanElement, Props>(({ amount }, ref) => (
-  <span ref={ref}>{format(amount, 2)}</span>
-));
+export function Price({ ref, amount }: Props) {
+  return <span ref={ref}>{format(amount, 2)}</span>;
+}"""
TALK: list[dict[str, Any]] = [
    {"kind": "started", "backend": "claude_code", "cli_version": "2.1.197", "model": "claude-opus-4-5"},
    {
        "kind": "message",
        "by": "prompt",
        "text": "Upgrade to React 20\n\nAll tests must stay green. No new dependencies.",
    },
    {
        "kind": "thinking",
        "text": "The lock file pins react 19.1. forwardRef is removed in 20, so I have to find its uses.",
    },
    {"kind": "text", "text": PLAN},
    {
        "kind": "tool",
        "id": "t1",
        "name": "Grep",
        "title": "forwardRef in src",
        "input": {"pattern": "forwardRef"},
    },
    {
        "kind": "tool_result",
        "id": "t1",
        "output": "src/ui/Price.tsx:1\nsrc/ui/Button.tsx:3",
        "is_error": False,
    },
    {
        "kind": "tool",
        "id": "t2",
        "name": "Edit",
        "title": "src/ui/Price.tsx",
        "input": {"file_path": "src/ui/Price.tsx"},
    },
    {"kind": "tool_result", "id": "t2", "output": "The file was updated.", "is_error": False},
    {"kind": "file_change", "id": "t2", "path": "src/ui/Price.tsx", "change": "update", "diff": DIFF},
    {
        "kind": "tool",
        "id": "t3",
        "name": "Bash",
        "title": "npm test -- --run",
        "input": {"command": "npm test -- --run"},
    },
    {
        "kind": "tool_result",
        "id": "t3",
        "output": " FAIL Button.test.tsx\n  TypeError: forwardRef is not a function\n\n 1 failed, 211 passed",
        "is_error": True,
        "exit_code": 1,
        "duration_ms": 48_200,
    },
    {
        "kind": "error",
        "text": "529 overloaded_error: Overloaded",
        "code": "server",
        "http_status": 529,
        "retrying": True,
    },
    {"kind": "notice", "text": "The conversation was made shorter to fit the model's context."},
    {"kind": "text", "text": "One test fails because the new version is not installed yet. I'll install it."},
]
