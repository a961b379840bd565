"""Migration pieces: a table whose rows can be added but never changed or removed."""

from django.db.migrations import RunSQL

CREATE_FUNCTION = """
CREATE FUNCTION remit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""


def create_function() -> RunSQL:
    """The trigger function; once, before the first `append_only`."""
    return RunSQL(CREATE_FUNCTION, "DROP FUNCTION remit_append_only();")


def append_only(table: str) -> RunSQL:
    """Refuse UPDATE, DELETE and TRUNCATE on `table`, whoever asks."""
    return RunSQL(
        f"""
        CREATE TRIGGER {table}_append_only_row BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION remit_append_only();
        CREATE TRIGGER {table}_append_only_table BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION remit_append_only();
        """,
        f"""
        DROP TRIGGER {table}_append_only_row ON {table};
        DROP TRIGGER {table}_append_only_table ON {table};
        """,
    )
