"""The test site's money is what the verbs would have written, row by row."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from projects.models import Event
from quotas.actions.envelopes import fund
from quotas.actions.ledger import issue
from quotas.models import Account, EnvelopeAct, Transfer

from .funded import FUNDED, ISSUED
from .site import NOW, Site, make_site

pytestmark = pytest.mark.django_db
TABLES = ("quotas_account", "quotas_envelopeact", "quotas_transfer", "projects_event")
# Ids go on, and with them what is named by them: they are compared from the first one on.
IDS = ("id", "debit_id", "credit_id", "envelope_act_id", "subject_id")


def by_verbs(site: Site) -> None:
    """The same by the verbs; the accounts that were there are out of the way."""
    for offering in site.offerings.values():
        step = offering.resource.step
        issue(offering=offering, amount=ISSUED * step, actor=None, now=NOW - timedelta(days=99))
        for slug, amount in FUNDED.items():
            fund(
                offering=offering, unit=site.units[slug], amount=amount * step, actor=None,
                now=NOW - timedelta(days=98),
            )  # fmt: skip


def rows(first: dict[str, int]) -> dict[str, list[dict[str, Any]]]:
    """Every row of the tables from these ids on, ids counted from 1."""
    found = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT * FROM {table} WHERE id >= %s ORDER BY id", [first[table]])
            names = [each[0] for each in cursor.description or ()]
            found[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    starts = {
        "debit_id": "quotas_account", "credit_id": "quotas_account",
        "envelope_act_id": "quotas_envelopeact",
    }  # fmt: skip
    for table, each in ((table, each) for table, several in found.items() for each in several):
        each.pop("xid", None)
        for name in IDS:
            if each.get(name) is not None:
                start = starts.get(name, table)
                if name == "subject_id":
                    is_transfer = each["subject_kind"] == "transfer"
                    start = "quotas_transfer" if is_transfer else "quotas_envelopeact"
                each[name] -= first[start]
    return found


def test_the_sites_money_is_what_the_verbs_write() -> None:
    site = make_site()
    models = (Account, EnvelopeAct, Transfer, Event)
    named = dict(zip(TABLES, models, strict=True))
    first = {table: model._default_manager.earliest("pk").pk for table, model in named.items()}
    written = rows(first)
    last = {table: model._default_manager.latest("pk").pk + 1 for table, model in named.items()}
    _put_away(last)
    by_verbs(site)
    assert rows({**last}) == written


def _put_away(last: dict[str, int]) -> None:
    """The ledger refuses to forget: the old rows are taken out by switching its guards off."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET session_replication_role = replica")
        for table in reversed(TABLES):
            cursor.execute(f"DELETE FROM {table} WHERE id < %s", [last[table]])
        cursor.execute("SET session_replication_role = DEFAULT")
