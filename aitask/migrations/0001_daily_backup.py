"""Schedule the job that makes the daily backup. It runs each hour, and makes one when it is due."""

from django.db import migrations

NAME = "daily backup"


def add(apps, _editor):
    schedule = apps.get_model("django_q", "Schedule")
    defaults = {"func": "aitask.backup.jobs.daily", "schedule_type": "I", "minutes": 60, "repeats": -1}
    schedule.objects.get_or_create(name=NAME, defaults=defaults)


def remove(apps, _editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    initial = True
    dependencies = [("django_q", "0018_task_success_index")]
    operations = [migrations.RunPython(add, remove)]
