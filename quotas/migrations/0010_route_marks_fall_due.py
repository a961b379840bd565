"""A mark says from when on it is to be worked off: authority begins and ends by dates too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("quotas", "0009_authority_bounded")]

    operations = [
        migrations.RenameField("routemark", "created_at", "due_at"),
        migrations.AlterField("routemark", "due_at", models.DateTimeField(db_index=True)),
    ]
