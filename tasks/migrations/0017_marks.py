"""Random marks by which hosts know tasks, runs and merge trains. Rows of before have none."""

from django.db import migrations, models

import tasks.models.marks

HELP = "Its name on hosts"
NAMES = ("mergetrain", "run", "task")


def column(default):
    return models.CharField(blank=True, default=default, editable=False, help_text=HELP, max_length=10)


def once(name):
    return models.UniqueConstraint(condition=~models.Q(mark=""), fields=("mark",), name=name)


class Migration(migrations.Migration):
    dependencies = [("tasks", "0016_ignored_files")]
    operations = [
        migrations.CreateModel(
            name="RemovedRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("mark", models.CharField(max_length=10, unique=True)),
            ],
        ),
        *(migrations.AddField(name, "mark", column("")) for name in NAMES),
        *(migrations.AlterField(name, "mark", column(tasks.models.marks.new_mark)) for name in NAMES),
        migrations.AddConstraint("mergetrain", once("train_mark_once")),
        migrations.AddConstraint("run", once("run_mark_once")),
        migrations.AddConstraint("task", once("task_mark_once")),
    ]
