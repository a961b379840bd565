"""Targets remember when they were last looked at, so that the oldest come first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0002_append_only"),
        ("quotas", "0003_one_offering"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="target",
            name="target_observed",
        ),
        migrations.AddField(
            model_name="target",
            name="looked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="target",
            index=models.Index(fields=["looked_at"], name="target_looked_at"),
        ),
    ]
