# What people are told by mail: letters made of notices, how each went, and what is wanted.

import uuid

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0008_people_and_projects"),
    ]

    operations = [
        migrations.CreateModel(
            name="Letter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("thread", models.CharField(blank=True, max_length=60)),
                ("is_digest", models.BooleanField(default=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("due", "due"),
                            ("sending", "being sent"),
                            ("sent", "sent"),
                            ("refused", "refused by the mail server"),
                            ("given up", "given up"),
                            ("unknown", "perhaps sent"),
                            ("withheld", "nothing left to tell"),
                        ],
                        default="due",
                        max_length=12,
                    ),
                ),
                ("due_at", models.DateTimeField()),
                ("next_try_at", models.DateTimeField()),
                ("try_count", models.PositiveIntegerField(default=0)),
                ("lease", models.UUIDField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("words", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letters",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="LetterNotice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "letter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parts",
                        to="projects.letter",
                    ),
                ),
                (
                    "notice",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mailed",
                        to="projects.notice",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="MailChoice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=40)),
                (
                    "way",
                    models.CharField(
                        choices=[
                            ("at once", "at once"),
                            ("digest", "in the day's digest"),
                            ("off", "not by mail"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mail_choices",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Postbox",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("after_xid", models.BigIntegerField(default=0)),
                ("after_id", models.BigIntegerField(default=0)),
                ("failing_since", models.DateTimeField(blank=True, null=True)),
                ("failure_count", models.PositiveIntegerField(default=0)),
                ("held_until", models.DateTimeField(blank=True, null=True)),
                ("words", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("pk", 1)), name="postbox_only_one")
                ],
            },
        ),
        migrations.CreateModel(
            name="DigestHour",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "hour",
                    models.PositiveSmallIntegerField(
                        validators=[django.core.validators.MaxValueValidator(23)]
                    ),
                ),
                (
                    "person",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="digest_hour",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("hour__lte", 23)), name="digesthour_of_the_day"
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="letter",
            index=models.Index(
                condition=models.Q(("state", "due")), fields=["next_try_at"], name="letter_due"
            ),
        ),
        migrations.AddIndex(
            model_name="letter",
            index=models.Index(
                condition=models.Q(("state", "due")), fields=["person"], name="letter_gathering"
            ),
        ),
        migrations.AddIndex(
            model_name="letter",
            index=models.Index(
                condition=models.Q(("state", "sending")), fields=["lease_until"], name="letter_sent"
            ),
        ),
        migrations.AddIndex(
            model_name="letter",
            index=models.Index(fields=["state", "-id"], name="letter_log"),
        ),
        migrations.AddConstraint(
            model_name="letter",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", True), ("state__in", ("due", "sending"))),
                    models.Q(
                        models.Q(("state__in", ("due", "sending")), _negated=True),
                        ("ended_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="letter_open_or_ended",
            ),
        ),
        migrations.AddConstraint(
            model_name="letter",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "sending"), _negated=True),
                    models.Q(("lease__isnull", False), ("lease_until__isnull", False)),
                    _connector="OR",
                ),
                name="letter_sending_has_lease",
            ),
        ),
        migrations.AddConstraint(
            model_name="mailchoice",
            constraint=models.UniqueConstraint(fields=("person", "kind"), name="mailchoice_once"),
        ),
        # Nobody is written to about what was told before there was mail.
        migrations.RunSQL(
            sql="INSERT INTO projects_postbox (id, after_xid, after_id, failure_count, words) "
            "SELECT 1, coalesce(max(xid::text::bigint), 0), coalesce(max(id), 0), 0, '' "
            "FROM projects_notice",
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]
