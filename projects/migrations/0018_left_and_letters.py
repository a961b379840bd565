# Whoever left signs in no more; of letters and what is wanted by mail only words that are known.

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0017_loan_changes"),
    ]

    operations = [
        migrations.AlterField(
            model_name="endnotice",
            name="subject_kind",
            field=models.CharField(
                choices=[("project", "project"), ("loan", "loan")], max_length=10
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("left_at__isnull", True), ("is_active", False), _connector="OR"
                ),
                name="user_left_is_closed",
            ),
        ),
        migrations.AddConstraint(
            model_name="letter",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "due",
                            "sending",
                            "sent",
                            "refused",
                            "given up",
                            "unknown",
                            "withheld",
                        ],
                    )
                ),
                name="letter_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="mailchoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("way__in", ["at once", "digest", "off"])),
                name="mailchoice_way_known",
            ),
        ),
    ]
