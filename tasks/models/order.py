"""The order of tasks: which ones wait for others."""

from __future__ import annotations

from django.db import models
from django.utils.text import Truncator

from tasks.models.task import Task


class Dependency(models.Model):
    """A task that comes after another one of its workspace, its predecessor."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="dependencies")
    predecessor = models.ForeignKey(
        Task, on_delete=models.SET_NULL, null=True, blank=True, related_name="dependents"
    )
    number = models.PositiveBigIntegerField(help_text="Id of the predecessor, also after it was deleted")
    title = models.CharField(max_length=200, help_text="Title of the predecessor, also after it was deleted")

    class Meta:
        verbose_name_plural = "dependencies"
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="dependency_once"),
            models.CheckConstraint(condition=~models.Q(task=models.F("number")), name="not_after_itself"),
        ]

    def __str__(self) -> str:
        return f"task {self.task_id} after #{self.number} {Truncator(self.title).chars(60)}"
