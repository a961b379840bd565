"""What identity services were told of projects, who waits to be found there, which names they have.

What stands until now was told as it is now; a role was granted to whom the holder is known as.
"""

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Q, Subquery


def fill(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    project = apps.get_model("projects", "Project").objects.filter(pk=OuterRef("project"))
    apps.get_model("quotas", "ProjectHandle").objects.update(
        told_name=Subquery(project.values("name")),
        told_description=Subquery(project.values("description")),
    )
    holder = apps.get_model("quotas", "HolderHandle").objects.filter(pk=OuterRef("holder"))
    apps.get_model("quotas", "RoleGrant").objects.update(
        external_id=Subquery(holder.values("external_id"))
    )


MISSING = [
    ("absent", "not there yet"),
    ("twice", "two match"),
    ("shared", "the same as another's"),
    ("nameless", "nothing to look for"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0013_change_then_role"),
        ("quotas", "0012_people_and_projects"),
    ]

    operations = [
        migrations.AddField(
            "projecthandle", "told_name", models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            "projecthandle", "told_description",
            models.CharField(blank=True, default="", max_length=500), preserve_default=False,
        ),
        migrations.AddField(
            "projecthandle", "disabled_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            "rolegrant", "external_id", models.CharField(default="", max_length=255),
            preserve_default=False,
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RemoveConstraint("rolegrant", "rolegrant_once"),
        migrations.AddConstraint(
            "rolegrant",
            models.UniqueConstraint(
                fields=("handle", "holder", "external_id", "role"), name="rolegrant_once"
            ),
        ),
        migrations.AlterField(
            "holderhandle", "external_id", models.CharField(blank=True, max_length=255)
        ),
        migrations.AddField(
            "holderhandle", "looked_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            "holderhandle", "missing",
            models.CharField(blank=True, choices=MISSING, default="", max_length=10),
            preserve_default=False,
        ),
        migrations.AddField(
            "holderhandle", "words", models.CharField(blank=True, default="", max_length=500),
            preserve_default=False,
        ),
        migrations.AddField(
            "holderhandle", "miss_count", models.PositiveSmallIntegerField(default=0)
        ),
        migrations.AddField("holderhandle", "next_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddIndex(
            "holderhandle",
            models.Index(
                condition=Q(("next_at__isnull", False)), fields=["next_at"],
                name="holderhandle_missing",
            ),
        ),
        migrations.AddIndex(
            "holderhandle",
            models.Index(fields=["identity", "external_id"], name="holderhandle_by_id"),
        ),
        migrations.AddConstraint(
            "holderhandle",
            models.CheckConstraint(
                condition=Q(
                    Q(
                        ("external_id", ""),
                        ("missing__in", ["absent", "twice", "shared", "nameless"]),
                        ("next_at__isnull", False),
                    ),
                    Q(
                        Q(("external_id", ""), _negated=True), ("missing", ""),
                        ("next_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="holderhandle_known_or_missing",
            ),
        ),
        migrations.CreateModel(
            name="KnownName",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("external_id", models.CharField(max_length=255)),
                ("name", models.CharField(max_length=255)),
                ("is_ours", models.BooleanField()),
                ("seen_at", models.DateTimeField()),
                (
                    "identity",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="known_names",
                        to="quotas.endpoint",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["name"], name="knownname_name")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("identity", "external_id"), name="knownname_once"
                    )
                ],
            },
        ),
    ]  # fmt: skip
