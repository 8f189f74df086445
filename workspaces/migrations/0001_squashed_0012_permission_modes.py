"""The tables of a new database. A database of an earlier version uses the migrations that this one replaces."""

import django.db.models.deletion
import django.utils.timezone
import workspaces.clis
import workspaces.models.api_token
import workspaces.validators
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('workspaces', '0001_initial'),
        ('workspaces', '0002_model_lists'),
        ('workspaces', '0003_leases'),
        ('workspaces', '0004_choices_of_clis'),
        ('workspaces', '0005_words_1'),
        ('workspaces', '0006_rights_and_tokens'),
        ('workspaces', '0007_keep_rights_and_tokens'),
        ('workspaces', '0008_tmux_socket'),
        ('workspaces', '0009_asked_for_runs'),
        ('workspaces', '0010_allowed_agent_settings'),
        ('workspaces', '0011_installed_clis'),
        ('workspaces', '0012_permission_modes'),
    ]

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Host',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lease_owner', models.CharField(blank=True, help_text='The process that works on it; empty while a job is queued', max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('key', models.CharField(help_text='local, ssh:alias or ssh:user@alias', max_length=300, unique=True)),
                ('kind', models.CharField(choices=[('local', 'This machine'), ('ssh', 'SSH')], max_length=5)),
                ('alias', models.CharField(blank=True, max_length=200)),
                ('user', models.CharField(blank=True, max_length=100)),
                ('accepted_keys', models.JSONField(blank=True, default=list, help_text='Host keys that a user accepted, as known_hosts lines')),
                ('link', models.CharField(choices=[('unknown', 'Not tried yet'), ('up', 'Connected'), ('down', 'Link lost')], default='unknown', max_length=7)),
                ('link_reason', models.CharField(blank=True, max_length=500)),
                ('link_hint', models.CharField(blank=True, max_length=500)),
                ('last_heard_at', models.DateTimeField(blank=True, null=True)),
                ('tmux_socket', models.CharField(blank=True, editable=False, help_text='Of our tmux server there, as last reported', max_length=300)),
                ('asked_for_runs_at', models.DateTimeField(blank=True, help_text='When it was last asked for runs that the database does not know', null=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Installation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(editable=False, max_length=32, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('password_digest', models.CharField(default='', editable=False, help_text="Of the password's hash when it was created", max_length=64)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('expires_at', models.DateTimeField(default=workspaces.models.api_token.default_end, verbose_name='valid until')),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_tokens', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='BackendHold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('backend', models.CharField(choices=workspaces.clis.choices, max_length=20)),
                ('refusals', models.PositiveIntegerField(default=0, help_text='Consecutive runs whose login was refused')),
                ('held_since', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('probe_run', models.BigIntegerField(blank=True, help_text='The run that may start to try the login again', null=True)),
                ('next_probe_at', models.DateTimeField(blank=True, null=True)),
                ('host', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='holds', to='workspaces.host')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('host', 'backend'), name='one_hold_per_host_and_backend')],
            },
        ),
        migrations.CreateModel(
            name='InstalledCli',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lease_owner', models.CharField(blank=True, help_text='The process that works on it; empty while a job is queued', max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('backend', models.CharField(choices=workspaces.clis.choices, max_length=20)),
                ('environment', models.CharField(blank=True, help_text="Digest of the workspace's variables; empty if it has none", max_length=32)),
                ('state', models.CharField(choices=[('unproven', 'Not tried'), ('trying', 'Changed, to be tried'), ('good', 'Works'), ('held', 'On hold')], default='unproven', max_length=8)),
                ('path', models.CharField(blank=True, max_length=1000)),
                ('program', models.CharField(blank=True, help_text='Its file, behind symbolic links', max_length=1000)),
                ('version', models.CharField(blank=True, help_text='Empty if it is not known', max_length=50)),
                ('fingerprint', models.CharField(blank=True, help_text='Of the program; empty if it is missing', max_length=64)),
                ('changed_at', models.DateTimeField(blank=True, help_text='When this program was first seen', null=True)),
                ('looked_at', models.DateTimeField(blank=True, help_text='When the program was last looked at', null=True)),
                ('code', models.CharField(blank=True, help_text='What the last trial turn showed, as a code', max_length=20)),
                ('reason', models.CharField(blank=True, help_text='Why starts are held, or why a trial turn did not show anything', max_length=500)),
                ('tried_at', models.DateTimeField(blank=True, help_text='When the last trial turn ended', null=True)),
                ('tries', models.PositiveSmallIntegerField(default=0, help_text='Failed trial turns of this program')),
                ('try_at', models.DateTimeField(blank=True, help_text='When to try a turn again; empty for not', null=True)),
                ('wanted', models.BooleanField(default=False, help_text='A user wants a trial turn now')),
                ('allowed_fingerprint', models.CharField(blank=True, help_text='Program that a user has allowed to start anyway', max_length=64)),
                ('good_version', models.CharField(blank=True, help_text='The last version that has finished a turn', max_length=50)),
                ('good_fingerprint', models.CharField(blank=True, max_length=64)),
                ('good_program', models.CharField(blank=True, max_length=1000)),
                ('good_at', models.DateTimeField(blank=True, help_text='When it last finished a turn', null=True)),
                ('host', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='installed_clis', to='workspaces.host')),
            ],
            options={
                'verbose_name': 'installed CLI',
                'verbose_name_plural': 'installed CLIs',
                'constraints': [models.UniqueConstraint(fields=('host', 'backend', 'environment'), name='one_installed_cli_per_environment')],
            },
        ),
        migrations.CreateModel(
            name='ModelList',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lease_owner', models.CharField(blank=True, help_text='The process that works on it; empty while a job is queued', max_length=64)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('backend', models.CharField(max_length=20)),
                ('environment', models.CharField(blank=True, help_text="Digest of the workspace's variables; empty if it has none", max_length=32)),
                ('models', models.JSONField(blank=True, default=list)),
                ('fetched_at', models.DateTimeField(blank=True, help_text='When the CLI last returned its list', null=True)),
                ('stale', models.BooleanField(default=True)),
                ('error', models.CharField(blank=True, help_text='Why the list is stale or missing', max_length=1000)),
                ('present', models.BooleanField(help_text='Whether the host has this CLI', null=True)),
                ('path', models.CharField(blank=True, max_length=1000)),
                ('cli_version', models.CharField(blank=True, max_length=100)),
                ('account', models.CharField(blank=True, help_text='Kind of account that the list applies to', max_length=100)),
                ('logged_in', models.BooleanField(null=True)),
                ('fingerprint', models.CharField(blank=True, help_text='Fingerprint of the program and its login', max_length=64)),
                ('asked_at', models.DateTimeField(blank=True, help_text='When the CLI was last asked', null=True)),
                ('due_at', models.DateTimeField(blank=True, help_text='When to ask the CLI next', null=True)),
                ('failures', models.PositiveSmallIntegerField(default=0, help_text='Consecutive times that the host could not be reached')),
                ('host', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='model_lists', to='workspaces.host')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('host', 'backend', 'environment'), name='one_model_list_per_cli_and_environment')],
            },
        ),
        migrations.CreateModel(
            name='Workspace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('kind', models.CharField(choices=[('local', 'This machine'), ('ssh', 'A server reached by SSH')], default='local', max_length=5)),
                ('ssh_host', models.CharField(blank=True, help_text='The alias you type after `ssh`, for example cloud', max_length=200, validators=[workspaces.validators.validate_host_alias], verbose_name='SSH host')),
                ('ssh_user', models.CharField(blank=True, help_text='Only if it differs from your ssh configuration', max_length=100, validators=[workspaces.validators.validate_host_alias], verbose_name='SSH user')),
                ('repo_path', models.CharField(help_text='Path of the git repository on the host; ~ is your home folder there', max_length=1000, verbose_name='repository')),
                ('base_branch', models.CharField(default='main', max_length=200)),
                ('worktree_root', models.CharField(blank=True, help_text='Default: <repository>.worktrees, next to the repository', max_length=1000, verbose_name='worktree folder')),
                ('copy_files', models.TextField(blank=True, help_text='One pattern per line, for example .env. Copied into each new worktree, never committed', validators=[workspaces.validators.validate_globs], verbose_name='files to copy')),
                ('setup_command', models.TextField(blank=True, help_text='Runs once in each new worktree, for example npm ci')),
                ('check_command', models.TextField(blank=True, help_text='Must succeed before a merge, for example make test')),
                ('default_backend', models.CharField(choices=workspaces.clis.choices, default='claude_code', max_length=20)),
                ('default_model', models.CharField(blank=True, help_text='Empty: CLI default', max_length=100)),
                ('default_reasoning_effort', models.CharField(blank=True, max_length=20)),
                ('permission_mode', models.CharField(choices=[('plan', 'Plan first'), ('ask', 'Ask before changes'), ('edits', 'Edit files, ask for commands'), ('full', 'Everything without asking')], default='edits', max_length=5)),
                ('max_permission_mode', models.CharField(blank=True, choices=[('', 'No more than these permissions'), ('ask', 'Ask before changes'), ('edits', 'Edit files, ask for commands'), ('full', 'Everything without asking')], help_text="Of the workspace's tasks, only some may need more", max_length=5, verbose_name='most that a task may have')),
                ('environment', models.JSONField(blank=True, default=dict, help_text='Environment variables for the agents: {"NAME": "value"}', validators=[workspaces.validators.validate_environment])),
                ('max_parallel_runs', models.PositiveSmallIntegerField(default=4, verbose_name='parallel runs (max.)')),
                ('commit_leftovers', models.BooleanField(default=True, help_text="On the task's branch, when a run ends", verbose_name='commit what an agent leaves uncommitted')),
                ('ssh_agent', models.BooleanField(default=False, help_text="They can then log in wherever the host's login can, as for git push or private packages", verbose_name='lend agents the ssh agent')),
                ('allowed_agent_settings', models.JSONField(default=list, editable=False, help_text='Digests of what branches bring for agents and a user allowed')),
                ('try_changed_clis', models.BooleanField(default=True, help_text="After an update on the host, one tiny request on the login's account shows whether the new version works. If not, runs wait for a better one", verbose_name='try a changed CLI before runs start')),
                ('git_name', models.CharField(blank=True, help_text='Empty: the git identity configured on the host', max_length=200)),
                ('git_email', models.EmailField(blank=True, max_length=254)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('members', models.ManyToManyField(blank=True, related_name='shared_workspaces', to=settings.AUTH_USER_MODEL)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='own_workspaces', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('owner', 'name'), name='one_workspace_per_owner_and_name')],
            },
        ),
    ]
