"""Where an account's holder is: kept by triggers, so that what lies below a unit is found by it."""

import threading
from importlib import import_module

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from projects.actions.projects import place_project
from projects.actions.units import make_unit
from projects.models import Project, Unit
from quotas.actions.ledger import open_quota
from quotas.actions.unit_changes import move_unit, retire_unit
from quotas.models import Account, Holder
from quotas.queries.accounts import Fill, audit, envelope_fills
from quotas.tests.site import NOW, Site
from quotas.tests.test_decide import ask, grant
from quotas.tests.threads import until_it_waits

MIGRATION = import_module("quotas.migrations.0023_account_place")


def add_up_from_above() -> None:
    """Places are those of the holders, and each envelope is as full as what lies below it."""
    accounts = list(
        Account.objects.select_related("unit", "project__unit", "place").order_by("pk")
    )  # fmt: skip
    for each in accounts:
        assert each.place == (each.unit or (each.project.unit if each.project else None))
    envelopes = [each for each in accounts if each.unit]
    sizes = {
        envelope.pk: sum(
            each.balance
            for each in accounts
            if each.offering_id == envelope.offering_id
            and each.place
            and envelope.unit
            and each.place.path.startswith(envelope.unit.path)
        )
        for envelope in envelopes
    }
    assert envelope_fills(envelopes) == {
        each.pk: Fill(promised=sizes[each.pk] - each.balance, size=sizes[each.pk])
        for each in envelopes
    }
    assert audit() == []


@pytest.fixture
def granted(site: Site) -> Site:
    """The project has something from the envelope above it."""
    grant(site, ask(site))
    return site


def reread(slug: str) -> Unit:
    return Unit.objects.select_related("parent").get(slug=slug)


def test_accounts_are_where_their_holders_are(granted: Site) -> None:
    own = Account.objects.get(project=granted.project, offering=granted.vcpu)
    assert own.balance > 0
    assert own.place_id == granted.project.unit_id
    assert Account.objects.filter(holder=Holder.UNIT).exists()
    add_up_from_above()


def test_quota_goes_with_its_project(granted: Site) -> None:
    before = envelope_of(granted, "atlas")
    place_project(project=granted.project, unit=granted.units["it"], actor=None, now=NOW)
    own = Account.objects.get(project=granted.project, offering=granted.vcpu)
    assert own.place_id == granted.units["it"].pk
    assert envelope_of(granted, "atlas").promised == before.promised - own.balance
    add_up_from_above()


def envelope_of(site: Site, slug: str) -> Fill:
    account = Account.objects.get(unit=site.units[slug], offering=site.vcpu)
    return envelope_fills([account])[account.pk]


def test_what_is_written_past_the_verb_goes_along_too(granted: Site) -> None:
    Project.objects.filter(pk=granted.project.pk).update(unit=granted.units["it"])
    add_up_from_above()


def test_a_unit_that_moves_takes_all_along(granted: Site) -> None:
    move_unit(unit=reread("atlas"), parent=reread("it"), actor=granted.otto, now=NOW)
    add_up_from_above()


def test_what_a_retired_unit_had_is_with_its_heir(granted: Site) -> None:
    below = make_unit(slug="below", name="Below", parent=granted.units["atlas"], now=NOW)
    place_project(project=granted.project, unit=below, actor=None, now=NOW)
    add_up_from_above()
    retire_unit(unit=reread("below"), is_command=True, now=NOW)
    own = Account.objects.get(project=granted.project, offering=granted.vcpu)
    assert own.place_id == granted.units["atlas"].pk
    add_up_from_above()


def test_an_account_elsewhere_than_its_holder_is_found(
    granted: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Account.objects.filter(project=granted.project, offering=granted.vcpu)
    Account.objects.filter(pk=own.get().pk).update(place=granted.units["it"])
    (wrong,) = audit()
    assert (wrong.what, wrong.by) == (f"unit of account {own.get()}", "its holder")
    assert (wrong.expected, wrong.found) == (granted.project.unit_id, granted.units["it"].pk)
    with pytest.raises(SystemExit):
        call_command("audit_ledger")
    words = f"{granted.units['it'].pk} stored, {granted.project.unit_id} by its holder."
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("holder", Holder.values)
def test_no_account_is_without_its_place(granted: Site, holder: str) -> None:
    rows = Account.objects.filter(holder=holder, offering=granted.vcpu)
    assert rows.exists()
    is_anywhere = holder in {Holder.SITE, Holder.POOL}
    with pytest.raises(IntegrityError, match="account_has_its_place"), transaction.atomic():
        rows.update(place=granted.units["it"] if is_anywhere else None)


def test_an_envelope_is_at_its_unit_alone(granted: Site) -> None:
    envelope = Account.objects.filter(unit=granted.units["atlas"])
    with pytest.raises(IntegrityError, match="account_has_its_place"), transaction.atomic():
        envelope.update(place=granted.units["it"])


def test_a_ledger_from_before_is_put_in_place(granted: Site) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE quotas_account DROP CONSTRAINT account_has_its_place")
        cursor.execute("UPDATE quotas_account SET place_id = NULL")
        cursor.execute(MIGRATION.WHERE_THEY_ARE)
    add_up_from_above()


def test_the_release_before_writes_accounts_without_a_place(site: Site) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO quotas_account (offering_id, holder, project_id, balance)"
            " VALUES (%s, 'project', %s, 0)",
            [site.vcpu.pk, site.project.pk],
        )
    add_up_from_above()


def test_a_quota_made_while_its_project_moves_is_where_that_goes(committed_site: Site) -> None:
    site = committed_site

    def open_elsewhere() -> None:
        try:
            # Nobody holds the project for it.
            open_quota(site.project, [site.vcpu.pk])
        finally:
            connection.close()

    other = threading.Thread(target=open_elsewhere)
    with transaction.atomic():
        place_project(project=site.project, unit=site.units["it"], actor=None, now=NOW)
        other.start()
        until_it_waits(other)
        assert other.is_alive()
    other.join(20)
    own = Account.objects.get(project=site.project, offering=site.vcpu)
    assert own.place_id == site.units["it"].pk
    add_up_from_above()
