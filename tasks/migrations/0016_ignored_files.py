from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks", "0015_tmux_of_our_own"),
    ]

    operations = [
        migrations.AddField(
            model_name="verdict",
            name="ignored_path",
            field=models.CharField(
                blank=True, help_text="The archive of the files that git ignores", max_length=1500
            ),
        ),
        migrations.AddField(
            model_name="verdict",
            name="not_kept",
            field=models.JSONField(
                blank=True, default=list, help_text="Ignored files that were too large for the archive"
            ),
        ),
    ]
