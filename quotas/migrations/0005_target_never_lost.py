"""A target that work can be done on has a time; one that is held has an end."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0002_append_only"),
        ("quotas", "0004_target_looked_at"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="target",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("state__in", ("waiting", "due", "retrying", "refused", "dirty")),
                        _negated=True,
                    ),
                    ("next_try_at__isnull", False),
                    _connector="OR",
                ),
                name="target_takeable_has_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="target",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "leased"), _negated=True),
                    ("lease_until__isnull", False),
                    _connector="OR",
                ),
                name="target_leased_has_end",
            ),
        ),
    ]
