"""What a project has or has not: an access, as a private flavor."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("quotas", "0014_announcements")]

    operations = [
        migrations.AddField(
            "resource", "is_access", models.BooleanField(default=False, db_default=False)
        ),
        migrations.AddConstraint(
            "resource",
            models.CheckConstraint(
                condition=Q(is_access=False) | Q(unit="", step=1), name="resource_access_is_counted"
            ),
        ),
    ]
