"""The end of the record is found along its index: each connection asks for it as it is made."""

from django.db import migrations

# By the bare name the order would be that of what is selected, for which there is no index.
LAST = """
CREATE OR REPLACE FUNCTION remit_last_xid() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT xid::text::bigint FROM projects_event
         ORDER BY projects_event.xid DESC, projects_event.id DESC LIMIT 1), 0)
$$;
"""
BEFORE = """
CREATE OR REPLACE FUNCTION remit_last_xid() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT xid::text::bigint FROM projects_event ORDER BY xid DESC, id DESC LIMIT 1), 0)
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("projects", "0020_import_acts")]
    operations = [migrations.RunSQL(LAST, BEFORE)]
