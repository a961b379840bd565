"""An account says in which unit its holder is, so that what lies below an envelope is found by it.

Triggers keep it true, so that it is under every verb alike, and under the release before too.
"""

import django.db.models.deletion
from django.db import migrations, models

# Who makes a quota waits for whoever moves its project just then. Who moves one holds it, and takes
# its accounts after it, by id.
KEPT_TRUE = """
CREATE FUNCTION remit_account_placed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.place_id := NEW.unit_id;
    IF NEW.project_id IS NOT NULL THEN
        SELECT unit_id INTO NEW.place_id
        FROM projects_project WHERE id = NEW.project_id FOR SHARE;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_placed BEFORE INSERT ON quotas_account
    FOR EACH ROW EXECUTE FUNCTION remit_account_placed();

CREATE FUNCTION remit_project_placed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM quotas_account WHERE project_id = NEW.id ORDER BY id FOR NO KEY UPDATE;
    UPDATE quotas_account SET place_id = NEW.unit_id WHERE project_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER project_placed AFTER UPDATE OF unit_id ON projects_project
    FOR EACH ROW WHEN (OLD.unit_id <> NEW.unit_id)
    EXECUTE FUNCTION remit_project_placed();
"""
NO_MORE = """
DROP TRIGGER project_placed ON projects_project;
DROP TRIGGER account_placed ON quotas_account;
DROP FUNCTION remit_project_placed();
DROP FUNCTION remit_account_placed();
"""
# References are checked at once: the table is changed again in this transaction.
WHERE_THEY_ARE = """
UPDATE quotas_account account
SET place_id = COALESCE(account.unit_id, project.unit_id)
FROM quotas_account other LEFT JOIN projects_project project ON project.id = other.project_id
WHERE other.id = account.id AND (account.unit_id IS NOT NULL OR account.project_id IS NOT NULL);
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0021_end_of_the_record"),
        ("quotas", "0022_waiting_along"),
    ]
    operations = [
        migrations.AddField(
            "account",
            "place",
            models.ForeignKey(
                "projects.unit", django.db.models.deletion.PROTECT, related_name="+",
                blank=True, null=True, editable=False, db_index=False,
            ),
        ),
        migrations.RunSQL(KEPT_TRUE, NO_MORE),
        migrations.RunSQL(WHERE_THEY_ARE, migrations.RunSQL.noop),
        migrations.AddConstraint(
            "account",
            models.CheckConstraint(
                condition=models.Q(unit=None, project=None, place=None)
                | models.Q(unit__isnull=False, place__isnull=False, unit=models.F("place"))
                | models.Q(project__isnull=False, place__isnull=False),
                name="account_has_its_place",
            ),
        ),
        # It begins with what the key's own index was for.
        migrations.AddIndex(
            "account", models.Index(fields=["offering", "place"], name="account_in_place")
        ),
        migrations.AlterField(
            "account",
            "offering",
            models.ForeignKey(
                "quotas.offering", django.db.models.deletion.PROTECT, related_name="accounts",
                db_index=False,
            ),
        ),
    ]  # fmt: skip
