"""Events of runs."""

from __future__ import annotations

from django.db import models

from tasks.models.run import Run


class Event(models.Model):
    """One numbered entry of what a run did, as its host wrote it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    kind = models.CharField(max_length=20)
    data = models.JSONField()

    class Meta:
        ordering = ["run", "seq"]
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="event_once")]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.seq} {self.kind}"
