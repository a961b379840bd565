"""What a delegation replaces in turn, so that windows of bounds go on across a reissue."""

import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def follow_what_was_replaced(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """In the order of ids: what is replaced was made before what replaces it."""
    delegations = apps.get_model("projects", "Delegation").objects
    line: dict[int, list[int]] = {}
    replacing = delegations.filter(replaces__isnull=False).order_by("pk")
    for pk, old in list(replacing.values_list("pk", "replaces")):
        line[pk] = [*line.get(old, []), old]
        delegations.filter(pk=pk).update(predecessors=line[pk])


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0004_revoked_why"),
    ]

    operations = [
        migrations.AddField(
            model_name="delegation",
            name="predecessors",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), blank=True, default=list, size=None
            ),
        ),
        migrations.RunPython(follow_what_was_replaced, migrations.RunPython.noop),
    ]
