"""Jobs reach the queue after the commit, and a broker that is away costs no work."""

from __future__ import annotations

import os
from unittest import mock

import pytest
from django.db import transaction
from django.test import TransactionTestCase
from django_q.models import OrmQ

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

    def test_a_broker_that_is_away_is_told_in_the_log_only(self) -> None:
        with (
            mock.patch.object(queue, "async_task", side_effect=ConnectionError("away")),
            self.assertLogs("aitask.lib.queue", "ERROR") as log,
        ):
            queue.enqueue(jobs.start_run, 7)
        assert "start_run(7,)" in log.output[0]
