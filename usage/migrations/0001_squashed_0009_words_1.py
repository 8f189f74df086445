"""The tables of a new database. A database of an earlier version uses the migrations that this one replaces."""

import django.db.models.deletion
import django.utils.timezone
import workspaces.clis
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('usage', '0001_initial'),
        ('usage', '0002_schedule'),
        ('usage', '0003_one_row'),
        ('usage', '0004_names_for_people'),
        ('usage', '0005_time_and_told_apart'),
        ('usage', '0006_times_of_runs'),
        ('usage', '0007_broken_off_and_deleted'),
        ('usage', '0008_choices_of_clis'),
        ('usage', '0009_words_1'),
    ]

    dependencies = [
        ('tasks', '0001_initial'),
        ('workspaces', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Audit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('sessions', models.PositiveIntegerField(default=0, help_text='Compared sessions')),
                ('differences', models.JSONField(default=list)),
                ('outside_tokens', models.BigIntegerField(default=0, help_text='Tokens of sessions that this app did not start')),
                ('outside_sessions', models.PositiveIntegerField(default=0)),
                ('side_tokens', models.BigIntegerField(default=0, help_text='Tokens of titles, summaries and similar requests')),
                ('untold', models.PositiveIntegerField(default=0, help_text='Interrupted answers. No CLI reports all of their tokens')),
                ('begun_tokens', models.BigIntegerField(default=0, help_text='Tokens that interrupted answers reported at their start, in the transcripts only')),
                ('error', models.CharField(blank=True, max_length=500)),
                ('workspace', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='audit', to='workspaces.workspace')),
            ],
        ),
        migrations.CreateModel(
            name='Budget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hold_above_percent', models.PositiveSmallIntegerField(blank=True, help_text="Percent of any limit of the CLI's plan", null=True, verbose_name='stop starting runs above')),
                ('day_tokens', models.PositiveBigIntegerField(blank=True, null=True, verbose_name='tokens per day')),
                ('month_tokens', models.PositiveBigIntegerField(blank=True, null=True, verbose_name='tokens per month')),
                ('day_usd', models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True, verbose_name='dollars per day')),
                ('month_usd', models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True, verbose_name='dollars per month')),
                ('zone', models.CharField(default='UTC', help_text='Time zone in which days and months end', max_length=64)),
                ('lifted_until', models.DateTimeField(blank=True, help_text="Budgets don't hold runs until this time", null=True)),
                ('workspace', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='budget', to='workspaces.workspace')),
            ],
        ),
        migrations.CreateModel(
            name='PlanSource',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('backend', models.CharField(choices=workspaces.clis.choices, max_length=20)),
                ('environment', models.CharField(blank=True, help_text="Digest of the workspace's variables; empty without any", max_length=32)),
                ('account', models.CharField(blank=True, help_text='Kind of account, as the CLI reports it', max_length=100)),
                ('present', models.BooleanField(default=True, help_text='Whether the CLI is installed on the host')),
                ('asked_at', models.DateTimeField(blank=True, null=True)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('error', models.CharField(blank=True, help_text='Why the last request failed', max_length=500)),
                ('host', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='plans', to='workspaces.host')),
            ],
        ),
        migrations.CreateModel(
            name='LimitReading',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('window', models.CharField(max_length=60)),
                ('used_percent', models.FloatField(null=True)),
                ('resets_at', models.DateTimeField(null=True)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('origin', models.CharField(choices=[('asked', 'requested from the CLI'), ('run', 'reported during a run'), ('screen', "read from the CLI's screen")], max_length=6)),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='readings', to='usage.plansource')),
            ],
            options={
                'ordering': ['source', 'window', 'at'],
            },
        ),
        migrations.CreateModel(
            name='Postponed',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('not_before', models.DateTimeField()),
                ('run', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='postponed', to='tasks.run')),
            ],
            options={
                'verbose_name': 'delayed start',
                'verbose_name_plural': 'delayed starts',
            },
        ),
        migrations.CreateModel(
            name='Series',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('backend', models.CharField(choices=workspaces.clis.choices, max_length=20)),
                ('model', models.CharField(blank=True, help_text='Empty if the CLI did not report it', max_length=150)),
                ('costing', models.CharField(choices=[('reported', 'Reported by the CLI'), ('estimated', 'Estimated from prices'), ('unknown', 'Not known')], max_length=9)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='workspaces.workspace')),
            ],
            options={
                'verbose_name': 'usage dimension',
                'verbose_name_plural': 'usage dimensions',
            },
        ),
        migrations.CreateModel(
            name='UsageByModel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session', models.CharField(blank=True, help_text='The CLI session; kept when the run is deleted', max_length=100)),
                ('minute', models.PositiveIntegerField(help_text='When the run started, in minutes of Unix time')),
                ('runs', models.PositiveSmallIntegerField(default=0, help_text='1 in the first row of a run, 0 in the others')),
                ('seconds', models.PositiveIntegerField(default=0, help_text='Duration of the run, in its first row')),
                ('input_tokens', models.BigIntegerField(default=0)),
                ('output_tokens', models.BigIntegerField(default=0)),
                ('cache_read_tokens', models.BigIntegerField(default=0)),
                ('cache_write_tokens', models.BigIntegerField(default=0)),
                ('reasoning_tokens', models.BigIntegerField(default=0)),
                ('cost_micro', models.BigIntegerField(help_text='Millionths of a dollar; empty if unknown', null=True)),
                ('run', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='usage_rows', to='tasks.run')),
                ('series', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='rows', to='usage.series')),
                ('task', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tasks.task')),
            ],
            options={
                'verbose_name': 'usage by model',
                'verbose_name_plural': 'usage by model',
            },
        ),
        migrations.AddConstraint(
            model_name='plansource',
            constraint=models.UniqueConstraint(fields=('host', 'backend', 'environment'), name='one_source_per_login'),
        ),
        migrations.AddIndex(
            model_name='limitreading',
            index=models.Index(fields=['source', 'window', 'at'], name='readings_in_order'),
        ),
        migrations.AddConstraint(
            model_name='series',
            constraint=models.UniqueConstraint(fields=('workspace', 'backend', 'model', 'costing'), name='one_series'),
        ),
        migrations.AddIndex(
            model_name='usagebymodel',
            index=models.Index(fields=['series', 'minute', 'runs', 'seconds', 'input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens', 'reasoning_tokens', 'cost_micro', 'task'], name='usage_by_series'),
        ),
        migrations.AddIndex(
            model_name='usagebymodel',
            index=models.Index(fields=['task', 'minute', 'runs', 'seconds', 'input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens', 'reasoning_tokens', 'cost_micro', 'series'], name='usage_by_task'),
        ),
        migrations.AddIndex(
            model_name='usagebymodel',
            index=models.Index(condition=models.Q(('runs', 1)), fields=['runs', 'run'], name='usage_first_rows'),
        ),
        migrations.AddConstraint(
            model_name='usagebymodel',
            constraint=models.UniqueConstraint(fields=('run', 'series'), name='one_row_per_run_and_series'),
        ),
    ]
