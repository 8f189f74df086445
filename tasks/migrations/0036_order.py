import django.db.models.deletion
from django.db import migrations, models

import workspaces.validators


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0035_tidy_attachments'),
    ]

    operations = [
        migrations.AddField(
            model_name='task',
            name='base_branch',
            field=models.CharField(blank=True, help_text="The branch that it starts from. Empty: the workspace's", max_length=200, validators=[workspaces.validators.validate_word]),
        ),
        migrations.AddField(
            model_name='task',
            name='after_until',
            field=models.CharField(choices=[('merged', 'merged'), ('finished', 'finished')], default='merged', help_text='What it waits for: that its predecessors are merged, or that its predecessor is finished', max_length=8),
        ),
        migrations.AddField(
            model_name='run',
            name='starts_anyway',
            field=models.BooleanField(default=False, help_text="Whether it starts although its task's predecessors are not done"),
        ),
        migrations.CreateModel(
            name='Dependency',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveBigIntegerField(help_text='Id of the predecessor, also after it was deleted')),
                ('title', models.CharField(help_text='Title of the predecessor, also after it was deleted', max_length=200)),
                ('predecessor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='dependents', to='tasks.task')),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='dependencies', to='tasks.task')),
            ],
            options={
                'verbose_name_plural': 'dependencies',
                'ordering': ['number'],
                'constraints': [models.UniqueConstraint(fields=('task', 'number'), name='dependency_once'), models.CheckConstraint(condition=models.Q(('task', models.F('number')), _negated=True), name='not_after_itself')],
            },
        ),
    ]
