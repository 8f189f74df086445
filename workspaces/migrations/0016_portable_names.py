from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('workspaces', '0015_api_token_words'),
    ]

    operations = [
        migrations.AddField(
            model_name='workspace',
            name='require_portable_names',
            field=models.BooleanField(default=False, help_text='Merge trains leave out a task that adds names such as aux or a:b, links, or names that differ only by case', verbose_name='merge only names that Windows can check out'),
        ),
    ]
