"""Many rows changed by one statement, where Django has no word for it."""

from collections.abc import Mapping

from django.db import connection
from django.db.models import Model

from .together import Written


def adding_each(model: type[Model], field: str, amounts: Mapping[int, int]) -> Written:
    """Add to a column of each row its own amount, {primary key: amount}, as a part of a statement.

    Answered by a tuple for each row. The caller holds the rows' locks: by itself the statement
    takes them in no order.
    """
    quote = connection.ops.quote_name
    name = model._meta.get_field(field).column  # type: ignore[union-attr]  # a concrete column
    table, column = quote(model._meta.db_table), quote(str(name))
    return Written(
        f"UPDATE {table} SET {column} = {table}.{column} + added.amount "  # noqa: S608 - a table's own names
        "FROM unnest(%s::bigint[], %s::bigint[]) AS added(pk, amount) "
        f"WHERE {table}.id = added.pk RETURNING 1",
        [list(amounts.keys()), list(amounts.values())],
    )
