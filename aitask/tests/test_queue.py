"""Jobs reach the queue after the commit, and a broker that is away costs no work."""

from __future__ import annotations

import os
from unittest import mock

import pytest
from django.db import transaction
from django.db.models import F
from django.test import TransactionTestCase
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.signals import pre_execute

from aitask.lib import queue
from tasks.runs import jobs


@pytest.mark.skipif("REDIS_URL" in os.environ, reason="counts rows of the database's own queue")
class EnqueueTest(TransactionTestCase):
    def test_a_job_is_queued_after_the_commit(self) -> None:
        with transaction.atomic():
            queue.enqueue(jobs.start_run, 7)
            assert not OrmQ.objects.exists()
        job = OrmQ.objects.get()
        assert (job.func(), job.task["args"]) == ("tasks.runs.jobs.start_run", (7,))

    def test_a_rolled_back_job_is_never_queued(self) -> None:
        with transaction.atomic():
            queue.enqueue(jobs.start_run, 7)
            transaction.set_rollback(True)
        assert not OrmQ.objects.exists()

    def test_a_call_waits_until_a_worker_has_begun_it(self) -> None:
        assert not queue.is_waiting(jobs.start_run, 7, fresh=True)
        queue.enqueue(jobs.start_run, 7)
        assert queue.is_waiting(jobs.start_run, 7, fresh=True)
        assert not queue.is_waiting(jobs.start_run, 8, fresh=True)
        assert not queue.is_waiting(jobs.cancel_run, 7, fresh=True)
        job = OrmQ.objects.get()
        pre_execute.send(sender="django_q", func=job.func(), task={"ack_id": job.pk})
        self.addCleanup(lambda: setattr(queue, "_runs_now", None))
        assert not queue.is_waiting(jobs.start_run, 7, fresh=True)

    def test_a_taken_call_waits_for_a_busy_worker_but_not_for_ever(self) -> None:
        queue.enqueue(jobs.start_run, 7)
        broker = get_broker()
        assert broker.dequeue()
        assert queue.is_waiting(jobs.start_run, 7, fresh=True)
        OrmQ.objects.update(lock=F("lock") - queue.TAKEN_FOR)
        assert not queue.is_waiting(jobs.start_run, 7, fresh=True)

    def test_a_job_that_nobody_can_read_hides_no_other(self) -> None:
        queue.enqueue(jobs.start_run, 7)
        broker = get_broker()
        OrmQ.objects.create(key=broker.list_key, payload="torn", lock=timezone.now())
        assert queue.is_waiting(jobs.start_run, 7, fresh=True)

    def test_a_queue_that_is_away_has_nothing_waiting(self) -> None:
        with (
            mock.patch.object(queue, "get_broker", side_effect=ConnectionError("away")),
            self.assertLogs("aitask.lib.queue", "ERROR"),
        ):
            assert not queue.is_waiting(jobs.start_run, 7, fresh=True)

    def test_a_broker_that_is_away_is_told_in_the_log_only(self) -> None:
        with (
            mock.patch.object(queue, "async_task", side_effect=ConnectionError("away")),
            self.assertLogs("aitask.lib.queue", "ERROR") as log,
        ):
            queue.enqueue(jobs.start_run, 7)
        assert "start_run(7,)" in log.output[0]
