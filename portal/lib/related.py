"""Rows that are hung on one another where a page has hundreds of them."""

from django.db.models import Model


def hang(row: Model, name: str, other: Model) -> None:
    """`row.name = other` where the row has the other's key already, past what Django checks."""
    row._state.fields_cache[name] = other
