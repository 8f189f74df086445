"""Schedule the job that removes uploads that no task uses."""

from django.db import migrations

NAME = "tidy attachments"


def add(apps, _editor):
    schedule = apps.get_model("django_q", "Schedule")
    defaults = {"func": "tasks.attachments.jobs.tidy", "schedule_type": "I", "minutes": 60, "repeats": -1}
    schedule.objects.get_or_create(name=NAME, defaults=defaults)


def remove(apps, _editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("django_q", "0018_task_success_index"), ("tasks", "0034_attachments")]
    operations = [migrations.RunPython(add, remove)]
