"""The record goes on in its order when the database was restored on another count of transactions."""

import django.db.models.functions.datetime
from django.db import migrations, models

import projects.models.events

FUNCTIONS = """
CREATE FUNCTION remit_cluster() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT system_identifier FROM pg_control_system())::text || '.'
        || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
EXCEPTION WHEN insufficient_privilege THEN
    RETURN '';
END $$;

CREATE FUNCTION remit_lead() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT lead FROM projects_era ORDER BY id DESC LIMIT 1
$$;

CREATE FUNCTION remit_xid() RETURNS xid8 LANGUAGE sql STABLE AS $$
    SELECT (pg_current_xact_id()::text::bigint + remit_lead())::text::xid8
$$;

-- Below it nothing is recorded any more.
CREATE FUNCTION remit_horizon() RETURNS xid8 LANGUAGE sql STABLE AS $$
    SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + remit_lead())::text::xid8
$$;

-- From it on nothing is recorded yet.
CREATE FUNCTION remit_tip() RETURNS xid8 LANGUAGE sql STABLE AS $$
    SELECT (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + remit_lead())::text::xid8
$$;

CREATE FUNCTION remit_last_xid() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT xid::text::bigint FROM projects_event ORDER BY xid DESC, id DESC LIMIT 1), 0)
$$;

CREATE FUNCTION remit_is_moved() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (SELECT FROM projects_era)
        OR remit_last_xid() >= remit_tip()::text::bigint
        OR remit_cluster() <> (SELECT cluster FROM projects_era ORDER BY id DESC LIMIT 1)
$$;

-- Half of what it leaps is a margin: a transaction of another database may be as old.
CREATE FUNCTION remit_begin_era() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
BEGIN
    IF pg_is_in_recovery() OR NOT remit_is_moved() THEN
        RETURN false;
    END IF;
    LOCK TABLE projects_era IN SHARE ROW EXCLUSIVE MODE;
    IF NOT remit_is_moved() THEN
        RETURN false;
    END IF;
    last := remit_last_xid();
    INSERT INTO projects_era (cluster, lead, last_xid, gone_until)
        VALUES (remit_cluster(), last + 4294967296
                - pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
                last, last + 2147483648);
    RETURN true;
END $$;
"""
FORGET = """
DROP FUNCTION remit_begin_era();
DROP FUNCTION remit_is_moved();
DROP FUNCTION remit_last_xid();
DROP FUNCTION remit_tip();
DROP FUNCTION remit_horizon();
DROP FUNCTION remit_xid();
DROP FUNCTION remit_lead();
DROP FUNCTION remit_cluster();
"""
# A record that is there and in order goes on as it is.
FIRST = """
INSERT INTO projects_era (cluster, lead, last_xid, gone_until)
    VALUES (remit_cluster(), 0, 0, 0);
SELECT remit_begin_era();
"""


def numbered(model: str) -> migrations.AlterField:
    return migrations.AlterField(
        model,
        "xid",
        projects.models.events.XidField(
            db_default=projects.models.events.RecordXid(), editable=False
        ),
    )


class Migration(migrations.Migration):
    dependencies = [("projects", "0011_events_by_moment")]

    operations = [
        migrations.CreateModel(
            name="Era",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cluster", models.CharField(blank=True, max_length=60)),
                ("lead", models.BigIntegerField()),
                ("last_xid", models.BigIntegerField()),
                ("gone_until", models.BigIntegerField()),
                (
                    "began_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
        migrations.RunSQL(FUNCTIONS, FORGET),
        migrations.RunSQL(FIRST, migrations.RunSQL.noop),
        numbered("event"),
        numbered("notice"),
    ]
