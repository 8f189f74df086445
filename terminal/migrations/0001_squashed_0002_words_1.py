"""The tables of a new database. A database of an earlier version uses the migrations that this one replaces."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('terminal', '0001_visits'),
        ('terminal', '0002_words_1'),
    ]

    dependencies = [
        ('tasks', '0001_initial'),
        ('workspaces', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Visit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('open', 'Opened'), ('close_session', 'Session closed'), ('history', 'Saved history read')], default='open', max_length=13)),
                ('username', models.CharField(help_text='Kept when the account is deleted', max_length=150)),
                ('task_number', models.BigIntegerField(help_text='Kept when the task is deleted', null=True)),
                ('host', models.CharField(max_length=300)),
                ('session', models.CharField(max_length=100)),
                ('client', models.CharField(blank=True, help_text='IP address of the browser', max_length=100)),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now, help_text='When the terminal was last known to be open')),
                ('closed_at', models.DateTimeField(blank=True, help_text='Empty while open, or if the server was killed', null=True)),
                ('created_session', models.BooleanField(default=False)),
                ('task', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tasks.task')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='workspaces.workspace')),
            ],
            options={
                'verbose_name': 'terminal log entry',
                'verbose_name_plural': 'terminal log entries',
                'ordering': ['-opened_at'],
                'permissions': [('use_terminal', 'Can use the terminals of the workspaces they see')],
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['opened_at'], name='terminal_vi_opened__e7e75b_idx')],
            },
        ),
    ]
