"""The statements of every attempt and call, written by hand: planned once for each connection.

"{slot}", "{pace}" and "{endpoint}" are tables, "%(name)s" a value.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.db import connection

from portal.lib.prepared import Prepared
from quotas.models import CallPace, CallSlot, Endpoint

_NAME = re.compile(r"%\((\w+)\)s")


def fetch(statement: str, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The first row; None where there is none."""
    rows = fetch_all(statement, values)
    return rows[0] if rows else None


def fetch_all(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return _prepared(statement).rows(values)


@cache
def _prepared(statement: str) -> Prepared:
    quote = connection.ops.quote_name
    tables = {"slot": CallSlot, "pace": CallPace, "endpoint": Endpoint}
    text = statement
    for name, model in tables.items():
        text = text.replace(f"{{{name}}}", quote(model._meta.db_table))
    names = _NAME.findall(text)
    return Prepared(_NAME.sub("%s", text), [None] * len(names), names)
