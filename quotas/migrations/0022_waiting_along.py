"""What waits for somebody, in its order along an index: what orders it is written beside it.

Triggers keep it true, so that it is under every verb alike, and under the release before too.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Whom a line waits for is written under its project's lock, as its state is.
KEPT_TRUE = """
CREATE FUNCTION remit_assignment_asked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT request.id, request.submitted_at INTO NEW.asked_number, NEW.asked_at
    FROM quotas_requestline line
    JOIN quotas_quotarequest request ON request.id = line.request_id
    WHERE line.id = NEW.line_id AND line.state = 'open';
    RETURN NEW;
END $$;
CREATE TRIGGER assignment_asked BEFORE INSERT ON quotas_assignment
    FOR EACH ROW EXECUTE FUNCTION remit_assignment_asked();
-- What had ended and is in force again: the release before writes nothing but that.
CREATE TRIGGER assignment_asked_again BEFORE UPDATE OF ends_at ON quotas_assignment
    FOR EACH ROW WHEN (
        NEW.asked_number IS NULL AND OLD.ends_at IS NOT NULL
        AND (NEW.ends_at IS NULL OR NEW.ends_at > OLD.ends_at)
    )
    EXECUTE FUNCTION remit_assignment_asked();

CREATE FUNCTION remit_line_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'open' THEN
        -- Those that ended before it was sent again are no use to any queue.
        UPDATE quotas_assignment assignment
        SET asked_number = request.id, asked_at = request.submitted_at
        FROM quotas_quotarequest request
        WHERE assignment.line_id = NEW.id AND request.id = NEW.request_id
          AND (assignment.ends_at > NEW.waits_since) IS NOT FALSE;
    ELSE
        UPDATE quotas_assignment SET asked_number = NULL, asked_at = NULL
        WHERE line_id = NEW.id AND asked_number IS NOT NULL;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER requestline_waits AFTER UPDATE OF state ON quotas_requestline
    FOR EACH ROW WHEN ((OLD.state = 'open') <> (NEW.state = 'open'))
    EXECUTE FUNCTION remit_line_waits();

CREATE FUNCTION remit_request_sent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE quotas_assignment SET asked_at = NEW.submitted_at
    WHERE line_id IN (SELECT id FROM quotas_requestline WHERE request_id = NEW.id)
      AND asked_number IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER quotarequest_sent AFTER UPDATE OF submitted_at ON quotas_quotarequest
    FOR EACH ROW WHEN (OLD.submitted_at IS DISTINCT FROM NEW.submitted_at)
    EXECUTE FUNCTION remit_request_sent();
"""
NO_MORE = """
DROP TRIGGER quotarequest_sent ON quotas_quotarequest;
DROP TRIGGER requestline_waits ON quotas_requestline;
DROP TRIGGER IF EXISTS assignment_asked_again ON quotas_assignment;
DROP TRIGGER assignment_asked ON quotas_assignment;
DROP FUNCTION remit_request_sent();
DROP FUNCTION remit_line_waits();
DROP FUNCTION remit_assignment_asked();
"""
# As `mark_waiting` of quotas/queries/queue_walk.py does.
WHAT_WAITS = """
UPDATE quotas_assignment assignment
SET asked_number = request.id, asked_at = request.submitted_at
FROM quotas_requestline line
JOIN quotas_quotarequest request ON request.id = line.request_id
WHERE line.id = assignment.line_id AND line.state = 'open'
  AND (assignment.ends_at > now()) IS NOT FALSE;
"""
ALONG = ("line", "delegation", "kind", "starts_at", "ends_at")


def without_index(name: str, to: str, **options: object) -> migrations.AlterField:
    """Its index was the beginning of another, and each assignment that is written pays for both."""
    key = models.ForeignKey(
        to, django.db.models.deletion.PROTECT, db_index=False, **options  # type: ignore[arg-type]
    )  # fmt: skip
    return migrations.AlterField("assignment", name, key)


def index(name: str, holder: str, *order: str) -> migrations.AddIndex:
    waits = models.Q(asked_number__isnull=False, **{f"{holder}__isnull": False})
    made = models.Index(fields=[holder, *order], include=ALONG, condition=waits, name=name)
    return migrations.AddIndex("assignment", made)


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0021_end_of_the_record"),
        ("quotas", "0021_kept_as_new"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField(
            "assignment", "asked_at", models.DateTimeField(blank=True, editable=False, null=True)
        ),
        migrations.AddField(
            "assignment",
            "asked_number",
            models.BigIntegerField(blank=True, editable=False, null=True),
        ),
        without_index("delegation", "projects.delegation", related_name="assignments"),
        without_index("group", "projects.group", blank=True, null=True, related_name="+"),
        without_index("line", "quotas.requestline", related_name="assignments"),
        without_index("user", settings.AUTH_USER_MODEL, blank=True, null=True, related_name="+"),
        *(
            index(f"assignment_{name}_{holder}", holder, *order)
            for name, order in (
                ("waits", ("asked_at", "asked_number")),
                ("numbers", ("asked_number",)),
            )
            for holder in ("user", "group")
        ),
        migrations.RunSQL(KEPT_TRUE, NO_MORE),
        migrations.RunSQL(WHAT_WAITS, migrations.RunSQL.noop),
    ]
