"""Who closed an endpoint, when and why, is kept after it opens."""

from django.conf import settings
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Coalesce, Now

from portal.lib.append_only import append_only

STATES = [
    ("open", "open"),
    ("paused", "paused"),
    ("read-only", "read-only"),
    ("unreachable", "unreachable"),
]


def keep_those_in_force(apps, schema_editor):
    """What is closed now has its word too, so that it can be changed."""
    closed = apps.get_model("quotas", "Endpoint").objects.filter(state__in=["paused", "read-only"])
    word = apps.get_model("quotas", "EndpointWord")
    for endpoint in closed.annotate(since=Coalesce("state_since", Now())):
        word.objects.create(
            endpoint=endpoint,
            state=endpoint.state,
            reason=endpoint.state_reason,
            until=endpoint.state_until,
            actor=endpoint.state_by,
            at=endpoint.since,
        )


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("quotas", "0007_projects_adopted_and_made_again"),
    ]

    operations = [
        migrations.CreateModel(
            name="EndpointWord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("state", models.CharField(choices=STATES, max_length=12)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("until", models.DateTimeField(blank=True, null=True)),
                ("at", models.DateTimeField()),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "endpoint",
                    models.ForeignKey(
                        on_delete=models.deletion.PROTECT,
                        related_name="words",
                        to="quotas.endpoint",
                    ),
                ),
            ],
            options={"ordering": ["-id"]},
        ),
        migrations.AddConstraint(
            model_name="endpointword",
            constraint=models.CheckConstraint(
                condition=Q(state__in=["open", "paused", "read-only", "unreachable"]),
                name="endpointword_state_known",
            ),
        ),
        migrations.RunPython(keep_those_in_force, migrations.RunPython.noop),
        append_only("quotas_endpointword"),
    ]
