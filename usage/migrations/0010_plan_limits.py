"""Schedule the job that requests plan limits, unless an earlier version has done so."""

from django.db import migrations

NAME = "plan limits"


def add(apps, _editor):
    schedule = apps.get_model("django_q", "Schedule")
    schedule.objects.get_or_create(
        name=NAME, defaults={"func": "usage.jobs.ask_all", "schedule_type": "I", "minutes": 1, "repeats": -1}
    )


def remove(apps, _editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("usage", "0009_words_1"), ("django_q", "0018_task_success_index")]
    operations = [migrations.RunPython(add, remove)]
