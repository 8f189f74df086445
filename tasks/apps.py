"""Connects conversations, merge trains, worktrees and the search to the hooks of runs."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate, post_save


class TasksConfig(AppConfig):
    name = "tasks"

    def ready(self) -> None:
        from tasks import editing
        from tasks.attachments import hosting
        from tasks.attachments import services as attachments
        from tasks.conversation import delivery, interactive, notifications
        from tasks.order import services as order
        from tasks.runs import cli_holds, dispatch, hooks, jobs, removal
        from tasks.search import engine
        from tasks.search import jobs as search_jobs
        from tasks.search import services as search
        from tasks.search import work as search_work
        from tasks.spotlight import jobs as spotlight_jobs
        from tasks.trains import after_run, outside, overlap, repairs
        from workspaces.services import workspace_saved

        removal.connect()
        attachments.connect()
        hosting.connect()
        post_migrate.connect(engine.create, sender=self, dispatch_uid="index of words")
        post_save.connect(search.note_task, sender="tasks.Task", dispatch_uid="search")
        workspace_saved.join(dispatch.after_save)
        order.order_changed.join(dispatch.after_change_of_order)
        hooks.before_queue.join(interactive.refuse_if_open)
        hooks.before_start.join(interactive.refuse_if_session_in_use)
        hooks.events_saved.join(delivery.note_events)
        hooks.events_saved.join(notifications.note_events)
        hooks.events_saved.join(outside.note_events)
        hooks.rows_saved.join(search.note_rows)
        editing.task_edited.join(search.note_task)
        hooks.run_ended.join(cli_holds.note_end)
        hooks.run_ended.join(dispatch.after_end)
        hooks.run_ended.join(jobs.after_end)
        hooks.run_ended.join(notifications.note_end)
        hooks.cli_held.join(notifications.note_held_cli)
        hooks.run_ended.join(after_run.enqueue_inspection)
        hooks.run_ended.join(search_work.note_end)
        hooks.branch_changed.join(overlap.enqueue_check)
        hooks.repair.join(cli_holds.repair)
        hooks.repair.join(repairs.repair)
        hooks.repair.join(delivery.repair)
        hooks.repair.join(hosting.repair)
        hooks.repair.join(search_jobs.repair)
        hooks.repair.join(search_work.repair)
        hooks.repair.join(spotlight_jobs.repair)
