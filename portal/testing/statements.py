"""Which statements count as what a page or a verb costs: all but those of every request alike."""

TRANSACTION_CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")
# The session, which is kept alive now and then, and the person of it.
AUTHENTICATION = (
    'FROM "django_session"', 'UPDATE "django_session"', 'WHERE ("projects_user"."is_active" AND',
)  # fmt: skip
SETTING = ("SET LOCAL", "SET CONSTRAINTS")


def is_counted(sql: str) -> bool:
    """Whether it is neither transaction control nor authentication."""
    return not sql.startswith((*TRANSACTION_CONTROL, *SETTING)) and not any(
        each in sql for each in AUTHENTICATION
    )
