"""Fill `seconds` of existing rows."""

from itertools import islice

from django.db import migrations

BATCH = 2000


def fill(apps, _editor):
    rows = apps.get_model("usage", "UsageByModel").objects
    known = rows.filter(runs=1, run__started_at__isnull=False, run__finished_at__isnull=False)
    found = known.select_related("run").only("seconds", "run__started_at", "run__finished_at").iterator(BATCH)
    while batch := list(islice(found, BATCH)):
        for row in batch:
            row.seconds = max(0, int((row.run.finished_at - row.run.started_at).total_seconds()))
        rows.bulk_update(batch, ["seconds"], batch_size=500)


class Migration(migrations.Migration):
    dependencies = [("usage", "0005_time_and_told_apart")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
