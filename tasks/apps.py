"""Connects conversations, merge trains and worktrees to the hooks of runs."""

from __future__ import annotations

from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "tasks"

    def ready(self) -> None:
        from tasks.conversation import delivery, interactive, notifications
        from tasks.runs import cli_holds, dispatch, hooks, jobs, removal
        from tasks.trains import after_run, outside, overlap, repairs
        from workspaces.services import workspace_saved

        removal.connect()
        workspace_saved.join(dispatch.after_save)
        hooks.before_queue.join(interactive.refuse_if_open)
        hooks.before_start.join(interactive.refuse_if_session_in_use)
        hooks.events_saved.join(delivery.note_events)
        hooks.events_saved.join(notifications.note_events)
        hooks.events_saved.join(outside.note_events)
        hooks.run_ended.join(cli_holds.note_end)
        hooks.run_ended.join(dispatch.after_end)
        hooks.run_ended.join(jobs.after_end)
        hooks.run_ended.join(notifications.note_end)
        hooks.run_ended.join(after_run.enqueue_inspection)
        hooks.branch_changed.join(overlap.enqueue_check)
        hooks.repair.join(cli_holds.repair)
        hooks.repair.join(repairs.repair)
        hooks.repair.join(delivery.repair)
