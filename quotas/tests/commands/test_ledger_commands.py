"""fund and audit_ledger: amounts moved, and added up again."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from quotas.models import Account, Assignment, Loan, Transfer
from quotas.tests.commands.saying import refusal, run
from quotas.tests.site import GIB, Site
from quotas.tests.test_decide import ask

# --- fund ----------------------------------------------------------------------------------


def test_fund_the_pool_issues(site: Site) -> None:
    before = site.pool(site.space)

    said = run("fund", "--pool", f"{site.space.slug}=20T")

    assert site.pool(site.space) == before + 20 * 1024 * GIB
    assert said.startswith(f"{site.space.slug}: 20\u202fTiB to the pool, which has ")


def test_fund_a_unit_moves_from_the_envelope_above(site: Site) -> None:
    above = site.envelope(site.vcpu, "ep")

    run("fund", "--unit", "EP/ATLAS".lower().rpartition("/")[2], f"{site.vcpu.slug}=100")

    assert site.envelope(site.vcpu, "ep") == above - 100
    assert site.envelope(site.vcpu) == 1100


def test_fund_several_by_a_pattern(site: Site) -> None:
    run("fund", "--pool", "geneva.*.vcpu=1", "*.space=1G", "--by", "otto")

    issued = Transfer.objects.order_by("-id")[:2]
    assert {(each.offering.slug, each.amount) for each in issued} == {
        (site.vcpu.slug, 1),
        (site.space.slug, GIB),
    }
    assert {each.actor for each in issued} == {site.otto}


def test_fund_more_than_there_is_moves_nothing(site: Site) -> None:
    count = Transfer.objects.count()

    said = refusal("fund", "--unit", "atlas", f"{site.space.slug}=1G", f"{site.vcpu.slug}=100000")

    assert said.startswith("ORG/EP has 1000 left of vCPU in compute-a")
    assert Transfer.objects.count() == count


def test_fund_dry_run_moves_nothing(site: Site) -> None:
    count = Transfer.objects.count()

    said = run("fund", "--pool", f"{site.vcpu.slug}=5", "--dry-run")

    assert said.endswith("Nothing was stored (--dry-run).\n")
    assert Transfer.objects.count() == count


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        (["geneva.compute-a.vcpu"], "'geneva.compute-a.vcpu' must be OFFERING=AMOUNT, like "),
        (["nothing=1"], "No offering is called 'nothing'"),
        (["*.vcpu=1", "geneva.*.vcpu=1"], "geneva.compute-a.vcpu is named twice."),
        (["*.vcpu=0"], "geneva.compute-a.vcpu: 0 moves nothing"),
        (["*.vcpu=-1"], "geneva.compute-a.vcpu: write the amount without a sign."),
        (["*.vcpu=1.5"], "geneva.compute-a.vcpu: “1.5” is not a whole number."),
        (["*.ram=1M"], "geneva.compute-a.ram: “1M” is not a multiple of 1"),
    ],
)
def test_fund_refuses(site: Site, pairs: list[str], sentence: str) -> None:
    assert refusal("fund", "--pool", *pairs).startswith(sentence)


# --- audit_ledger --------------------------------------------------------------------------


def test_audit_of_a_clean_ledger(site: Site) -> None:
    said = run("audit_ledger")

    assert said == (
        f"The ledger adds up: {Account.objects.count()} accounts of 3 offerings, "
        f"{Transfer.objects.count()} transfers, 0 open loans.\n"
    )


def test_audit_names_the_account_that_differs_and_exits_1(site: Site, capsys: Any) -> None:
    Account.objects.filter(offering=site.vcpu, unit=site.units["atlas"]).update(balance=999)
    said = io.StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("audit_ledger", stdout=said)

    assert ended.value.code == 1
    assert said.getvalue() == (
        f"account ATLAS {site.vcpu.slug}: 999 stored, 1000 by its transfers.\n"
        f"offering {site.vcpu.slug}: -1 stored, 0 by its transfers.\n"
        "2 figures of the ledger do not add up.\n"
    )


def test_audit_names_what_waits_in_nobodys_queue(site: Site) -> None:
    asked = ask(site)
    assert run("audit_ledger").startswith("The ledger adds up")
    Assignment.objects.filter(line__request=asked).update(asked_number=None, asked_at=None)
    said = io.StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("audit_ledger", stdout=said)

    assert ended.value.code == 1
    assert said.getvalue().startswith(f"request #{asked.pk} waits for somebody whose queue")


def test_audit_names_loans_beyond_the_balance(site: Site) -> None:
    envelope = Account.objects.get(offering=site.vcpu, unit=site.units["atlas"])
    Loan.objects.create(
        account=envelope, source=envelope, transfer=Transfer.objects.all()[0], amount=5000,
        outstanding=5000, ends_at=timezone.now(),
    )  # fmt: skip
    said = io.StringIO()

    with pytest.raises(SystemExit):
        call_command("audit_ledger", stdout=said)

    assert f"loans of account ATLAS {site.vcpu.slug}" in said.getvalue()
