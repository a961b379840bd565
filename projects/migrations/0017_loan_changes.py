"""An owner may ask for a loan to last longer, or for good: which loan, and one wish of each."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0016_project_suspended_at"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="projectchange", name="projectchange_says_what"),
        migrations.RemoveConstraint(model_name="projectchange", name="projectchange_one_open"),
        migrations.AddField(
            model_name="projectchange",
            name="loan",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="projectchange",
            name="kind",
            field=models.CharField(
                choices=[
                    ("extend", "until another day"),
                    ("move", "into another unit"),
                    ("hand over", "to another owner"),
                    ("loan", "a loan for longer, or for good"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="projectchange",
            constraint=models.CheckConstraint(
                condition=Q(kind="extend", until_on__isnull=False)
                | Q(kind="move", to_unit__isnull=False)
                | Q(kind="hand over", to_user__isnull=False)
                | Q(kind="loan", loan__isnull=False),
                name="projectchange_says_what",
            ),
        ),
        migrations.AddConstraint(
            model_name="projectchange",
            constraint=models.UniqueConstraint(
                fields=["project", "kind"],
                condition=Q(state="open", loan__isnull=True),
                name="projectchange_one_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="projectchange",
            constraint=models.UniqueConstraint(
                fields=["loan"],
                condition=Q(state="open"),
                name="projectchange_one_open_of_loan",
            ),
        ),
    ]
