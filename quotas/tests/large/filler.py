"""Writes rows as INSERT … SELECT, with the defaults of the models, which no database knows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Model
from django.db.models.fields import NOT_PROVIDED


class Filler:
    """Fills tables, and knows which it filled."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.models: list[type[Model]] = []

    def put(self, model: type[Model], rows: str, values: Mapping[str, str]) -> None:
        """rows: what comes after FROM; values: {column: SQL}; `now` is a column of it."""
        found = {**_defaults(model), **values}
        columns = ", ".join(f'"{each}"' for each in found)
        sql = (
            f'INSERT INTO "{model._meta.db_table}" ({columns}) '
            f"SELECT {', '.join(found.values())} "
            f"FROM (SELECT {{now}}::timestamptz AS now) moment, {rows}"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql.replace("%", "%%").replace("{now}", "%s"), [self.now])
            # What is filled next may join it.
            cursor.execute(f'ANALYZE "{model._meta.db_table}"')
        self.models.append(model)


def _defaults(model: type[Model]) -> dict[str, str]:
    """{column: SQL} of all columns that the database fills by nothing but NULL."""
    found: dict[str, str] = {}
    for each in model._meta.concrete_fields:
        if each.primary_key or each.db_default is not NOT_PROVIDED:
            continue
        default: Any = each.get_default()
        if each.null:
            found[str(each.column)] = "NULL"
        elif isinstance(default, bool | int):
            found[str(each.column)] = str(default).lower()
        elif isinstance(default, str):
            found[str(each.column)] = f"'{default}'"
        elif each.get_internal_type() == "UUIDField":
            found[str(each.column)] = "gen_random_uuid()"
        elif each.get_internal_type() == "JSONField" or each.get_internal_type() == "ArrayField":
            found[str(each.column)] = "'{}'"
        elif each.get_internal_type() == "DateTimeField":
            found[str(each.column)] = "now - interval '900 days'"
    return found
