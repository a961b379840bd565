"""A made site is a true one: ledger, proofs and queues are what the verbs would have made."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.db.models import Sum
from django.test import Client

from bench.site.cast import Cast, cast
from bench.site.making import NotEmpty, check_empty, make_site
from bench.site.sizes import LARGE, SCALES, SMALL, Scale
from portal.testing.servers import DatabaseCopy
from projects.models import Delegation, Event, Project, Unit, User
from projects.verbs import VERBS
from quotas.actions import decide
from quotas.actions.assigning import assign
from quotas.models import Account, BoundUse, Loan, Offering, QuotaRequest, RequestLine, Transfer
from quotas.queries.accounts import audit
from quotas.queries.verifying import verify
from quotas.states import LineState

TINY = replace(
    SMALL, name="tiny", projects=10, people=100, requests=1_000, open=60, transfers=3_200,
    events=5_000,
)  # fmt: skip
# After midnight on a Monday: some of what waits was sent at the weekend.
NOW = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
SOME = 6
Made = tuple[dict[str, str], list[tuple[str, str, str]]]
# What one run writes of itself.
NOT_OURS = {"django_migrations", "projects_era", "auth_permission", "django_content_type"}


@pytest.fixture(scope="module")
def site(module_database: DatabaseCopy) -> Cast:
    make_site(TINY, 1, NOW, lambda _words: None)
    return cast(TINY)


@pytest.fixture(scope="module")
def made(site: Cast) -> Made:
    return rows_of_all_tables(), schema()


def rows_of_all_tables() -> dict[str, str]:
    """{table: a digest of all its rows}."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        for (table,) in cursor.fetchall():
            if table not in NOT_OURS:
                cursor.execute(
                    f"SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {table} t"
                )
                found[table] = cursor.fetchone()[0]
    return found


def schema() -> list[tuple[str, str, str]]:
    """Without the conditions of indexes: PostgreSQL writes casts in them anew as it reads them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace UNION ALL"
            " SELECT tablename, indexname, split_part(indexdef, ' WHERE ', 1) FROM pg_indexes"
            " WHERE schemaname = 'public'"
            " ORDER BY 1, 2, 3"
        )
        return list(cursor.fetchall())


def counts() -> dict[str, int]:
    models = (Unit, Project, User, Delegation, QuotaRequest, Transfer, Event, Offering)
    return {each.__name__: each.objects.count() for each in models}


def figures(scale: Scale) -> dict[str, int]:
    return {
        "Unit": scale.units, "Project": scale.projects, "User": scale.people,
        "Delegation": scale.delegations, "QuotaRequest": scale.requests,
        "Transfer": scale.transfers, "Event": scale.events, "Offering": 60,
    }  # fmt: skip


def test_there_is_exactly_as_much_of_everything_as_the_scale_says(site: Cast):
    assert counts() == figures(TINY)
    is_open = RequestLine.objects.filter(state=LineState.OPEN)
    assert is_open.values("request").distinct().count() == TINY.open
    assert figures(LARGE) == {
        "Unit": 500, "Project": 10_000, "User": 20_000, "Delegation": 5_000,
        "QuotaRequest": 1_000_000, "Transfer": 3_000_000, "Event": 5_000_000, "Offering": 60,
    }  # fmt: skip
    assert {name: each.open for name, each in SCALES.items()} == {
        "small": 100, "tenth": 1_000, "large": 10_000,
    }  # fmt: skip


def test_the_ledger_adds_up_and_every_proof_agrees_with_history(site: Cast):
    assert audit() == []
    assert list(verify()) == []
    # That it says something: quota is lent, and totals were consumed in more than one period.
    assert Loan.objects.filter(outstanding__gt=0).exists()
    assert BoundUse.objects.values("period").distinct().count() > 1


def test_routing_again_changes_nothing(site: Cast):
    with transaction.atomic():
        rows = QuotaRequest.objects.filter(lines__state=LineState.OPEN).distinct()
        changed = assign(list(rows.select_related("project__unit").order_by("pk")), NOW)
        transaction.set_rollback(True)
    assert changed == set()


def test_events_are_of_known_verbs_and_in_order(site: Cast):
    assert set(Event.objects.values_list("verb", flat=True).distinct()) <= set(VERBS)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT at < lag(at) OVER w OR xid <= lag(xid) OVER w AS is_wrong"
            " FROM projects_event WINDOW w AS (ORDER BY id)) pairs WHERE is_wrong"
        )
        assert cursor.fetchone()[0] == 0
        # What happens next comes behind all of it.
        cursor.execute("SELECT remit_tip() > max(xid) FROM projects_event")
        assert cursor.fetchone()[0] is True


def test_the_same_seed_gives_the_same_rows(made: Made, database_copy: DatabaseCopy):
    rows, then = made
    assert schema() == then
    make_site(TINY, 1, NOW, lambda _words: None)
    assert rows_of_all_tables() == rows
    # All indexes and constraints are back, as migrations had made them.
    assert schema() == then


def test_a_database_with_something_in_it_is_refused(site: Cast):
    with pytest.raises(NotEmpty, match="projects_user"):
        check_empty()
    with pytest.raises(CommandError, match="another DATA_DIR"):
        call_command("make_site", scale="small", dry_run=True)


def test_a_site_in_production_is_refused(settings):
    settings.IS_PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        call_command("make_site", scale="small")


def test_sizes_that_do_not_fit_are_refused(database_copy: DatabaseCopy):
    with pytest.raises(ValueError, match="do not fit"):
        make_site(replace(TINY, transfers=2_000), 1, NOW, lambda _words: None)
    check_empty()  # and nothing of it stayed


def test_the_owner_has_quota_of_every_offering(site: Cast):
    held = Account.objects.filter(project=site.wide_project, balance__gt=0)
    assert held.count() == 60
    assert Project.objects.filter(pk=site.wide_project, memberships__user=site.owner).exists()


def test_the_decider_finds_more_than_a_page_waiting(site: Cast):
    client = Client()
    client.force_login(User.objects.get(pk=site.decider))
    page = client.get("/decide/")
    assert page.status_code == 200
    assert page.content.count(b"/decide/9") >= 50


def used_of(bound: int) -> int:
    """In all periods."""
    return int(BoundUse.objects.filter(bound=bound).aggregate(used=Sum("used"))["used"])


def approve(request: int, person: int) -> None:
    """As asked, on what its page shows."""
    wish = QuotaRequest.objects.select_related("project__unit").get(pk=request)
    lines = list(wish.lines.all())
    decide.approve(
        quota_request=wish, granted={each.pk: each.wanted for each in lines},
        seen={each.pk: each.balance_seen for each in lines}, version=wish.version,
        actor=User.objects.get(pk=person), now=NOW + timedelta(minutes=1),
    )  # fmt: skip


def test_heads_approve_what_the_cast_says_and_consume_the_hot_total(site: Cast):
    before = used_of(site.hot_bound)
    with transaction.atomic():
        others = [each for each in site.approvals if each[0] not in site.total_requests]
        for request, head in others[:SOME]:
            approve(request, head)
        for request in site.total_requests[:SOME]:
            approve(request, site.hot_head)
        assert {(each, site.hot_head) for each in site.total_requests} <= set(site.approvals)
        assert used_of(site.hot_bound) > before > 0
        assert audit() == []
        transaction.set_rollback(True)


def test_roots_approve_everything_and_draw_on_the_hot_envelope(site: Cast):
    before = Account.objects.get(pk=site.hot_envelope).balance
    with transaction.atomic():
        for request in site.hot_requests:
            approve(request, site.root)
        after = Account.objects.get(pk=site.hot_envelope).balance
        assert before - after >= len(site.hot_requests) > 0
        transaction.set_rollback(True)
    assert site.spread_requests[0] == (site.hot_requests, site.root)
    assert set(site.bulk_requests) == set(range(TINY.decided + 1, TINY.requests + 1))
