"""The commands of a site's operators: what they say, store and refuse."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from projects.models import Delegation, Event, User
from quotas.models import Account, DelegationBound, Loan, Region, Transfer
from quotas.tests.catalogue.sample import SITE
from quotas.tests.site import GIB, Site


def run(*arguments: str) -> str:
    said = io.StringIO()
    call_command(*arguments, stdout=said, stderr=said)
    return said.getvalue()


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    return str(refused.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


# --- load_catalogue ------------------------------------------------------------------------


def test_load_catalogue_shows_and_stores(db: None, file: Path) -> None:
    said = run("load_catalogue", str(file), "--yes")

    assert "+ offering geneva.ca.vcpu: against nova-geneva cores" in said
    assert "+ project reco: in EP/ATLAS, alice owner, dq reader" in said
    assert Region.objects.count() == 1


def test_load_catalogue_twice_has_nothing_to_do(db: None, file: Path) -> None:
    run("load_catalogue", str(file), "--yes")

    assert run("load_catalogue", str(file), "--yes") == "Nothing to do: all is as the file says.\n"


def test_load_catalogue_dry_run_stores_nothing(db: None, file: Path) -> None:
    said = run("load_catalogue", str(file), "--dry-run")

    assert said.endswith("Nothing was stored (--dry-run).\n")
    assert not Region.objects.exists()
    assert not Event.objects.exists()


def test_load_catalogue_asks_nobody_without_a_terminal(
    db: None, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    assert refusal("load_catalogue", str(file)) == (
        "Nobody can be asked here; say --yes to store this."
    )
    assert not Region.objects.exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "count"), [("y", 1), ("yes", 1), ("", 0), ("no", 0)])
def test_load_catalogue_asks(
    db: None, file: Path, monkeypatch: pytest.MonkeyPatch, answer: str, count: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))

    if count:
        run("load_catalogue", str(file))
    else:
        assert refusal("load_catalogue", str(file)) == "Nothing was stored."

    assert Region.objects.count() == count


def test_load_catalogue_names_lines(db: None, file: Path) -> None:
    file.write_text(SITE.replace("owners: alice", "owners: eve"))
    line = SITE[: SITE.index("owners:")].count("\n") + 1

    assert refusal("load_catalogue", str(file), "--yes") == (
        f"Nothing was loaded; {file} says what cannot be:\n"
        f"  line {line}: eve is not among people; there is alice, bob."
    )


def test_load_catalogue_of_no_file(db: None, tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"

    assert refusal("load_catalogue", str(missing)) == (
        f"{missing} cannot be read: No such file or directory."
    )


def test_load_catalogue_of_another_encoding(db: None, file: Path) -> None:
    file.write_bytes(b"units:\n  ep: Pr\xe9vessin\n")

    assert refusal("load_catalogue", str(file)) == f"{file}, line 2: the file is not UTF-8."


# --- set_operator --------------------------------------------------------------------------


def test_set_operator_and_back(site: Site) -> None:
    assert run("set_operator", "mallory") == "Mallory is now an operator.\n"
    assert run("set_operator", "mallory") == "Mallory is an operator already.\n"
    assert run("set_operator", "mallory", "--remove") == "Mallory is no longer an operator.\n"
    assert not User.objects.get(subject="mallory").is_operator


def test_set_operator_of_nobody(site: Site) -> None:
    assert refusal("set_operator", "eve").startswith("Nobody is known as 'eve'.")


def test_set_operator_of_two_with_one_name_asks_for_the_issuer(site: Site) -> None:
    User.objects.create(subject="alice", issuer="https://sso.example.org")

    assert "say --issuer" in refusal("set_operator", "alice")
    run("set_operator", "alice", "--issuer", "https://sso.example.org")
    assert User.objects.get(issuer="https://sso.example.org").is_operator


# --- grant_root ----------------------------------------------------------------------------


def test_grant_root_to_one_is_refused(site: Site) -> None:
    count = Delegation.objects.count()

    said = refusal("grant_root", "erin")

    assert said.startswith("Only one person would hold the root of ORG: name two")
    assert Delegation.objects.count() == count


def test_grant_root_to_two(site: Site) -> None:
    said = run("grant_root", "erin", "dana", "--unit", "org")

    assert said == "Erin holds the root of ORG.\nDana holds the root of ORG.\n"
    made = Delegation.objects.filter(parent=None, depth=5)
    assert {each.user.subject for each in made if each.user} == {"erin", "dana"}
    bounds = DelegationBound.objects.filter(delegation__in=made)
    assert set(bounds.values_list("resource", "zone", "per_decision")) == {(None, None, None)}


def test_grant_root_with_terms(site: Site) -> None:
    day = (timezone.localdate() + timedelta(days=30)).isoformat()

    run(
        "grant_root", "erin", "dana", "--unit", "ORG/EP", "--power", "decide quota",
        "--bound", "vcpu=512", "--bound", "ram=2T", "--depth", "1", "--ends", day,
    )  # fmt: skip

    made = Delegation.objects.filter(parent=None, unit__slug="ep")[0]
    assert (made.powers, made.depth) == (["decide quota"], 1)
    assert made.ends_at is not None
    assert timezone.localdate(made.ends_at) == timezone.localdate() + timedelta(days=31)
    assert dict(made.bounds.values_list("resource__slug", "per_decision")) == {
        "vcpu": 512,
        "ram": 2048 * GIB,
    }


def test_grant_root_of_the_powers_to_repair_in_a_zone(site: Site) -> None:
    run(
        "grant_root", "erin", "dana", "--unit", "org", "--power", "pause endpoint",
        "--power", "retry deliveries", "--zone", "geneva.compute-a", "--zone", "geneva.storage-a",
    )  # fmt: skip

    made = Delegation.objects.filter(parent=None, powers__contains=["pause endpoint"])
    assert {each.user.subject for each in made if each.user} == {"erin", "dana"}
    assert [each.powers for each in made] == [["pause endpoint", "retry deliveries"]] * 2
    zones = made[0].bounds.values_list("resource", "zone__slug", "per_decision")
    assert set(zones) == {(None, "compute-a", None), (None, "storage-a", None)}


def test_grant_root_dry_run_stores_nothing(site: Site) -> None:
    count = Delegation.objects.count()

    said = run("grant_root", "erin", "dana", "--dry-run")

    assert said.endswith("Nothing was stored (--dry-run).\n")
    assert Delegation.objects.count() == count


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--unit", "nowhere"), "There is no unit 'nowhere'; there is org, ep, atlas, it."),
        (("--unit", "IT/ATLAS"), "There is no unit 'IT/ATLAS'; there is org, ep, atlas, it."),
        (("--ends", "soon"), "'soon' is no day; write it like 2027-03-31."),
        (("--ends", "2020-01-01"), "2020-01-01 is over already."),
        (("--depth", "21"), "It lies between 0 and 20."),
        (("--bound", "gpu=1"), "There is no resource 'gpu'."),
        (
            ("--zone", "compute-a"),
            "There is no zone 'compute-a'; there is geneva.compute-a, geneva.storage-a.",
        ),
        (("--bound", "ram=1"), "ram: “1” needs a unit. Write 1G for GiB or 1T for TiB."),
    ],
)
def test_grant_root_refuses(site: Site, arguments: tuple[str, ...], sentence: str) -> None:
    assert refusal("grant_root", "erin", "dana", *arguments) == sentence


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


# --- revoke_root ---------------------------------------------------------------------------


def test_revoke_root_below_two_is_refused(site: Site) -> None:
    root = site.delegations["otto"]

    said = refusal("revoke_root", str(root))

    assert said.startswith(f"Without {root} fewer than two people hold the root of ORG")
    root.refresh_from_db()
    assert root.revoked_at is None


def test_revoke_root_says_what_ends_with_it_and_from_when_on_too_few_are_left(site: Site) -> None:
    day = (timezone.localdate() + timedelta(days=30)).isoformat()
    run("grant_root", "bob", "rita", "--unit", "org", "--power", "decide quota",
        "--power", "manage envelopes", "--ends", day)  # fmt: skip
    root = site.delegations["otto"]

    rehearsed = run("revoke_root", str(root), "--dry-run")
    said = run("revoke_root", str(root), "--reason", "Retired")

    gone = (timezone.localdate() + timedelta(days=31)).isoformat()
    assert said == (
        f"{root} of Otto for ORG is ended.\nWith it 2 handed on below end too.\n"
        f"From {gone} on fewer than two people hold the root of ORG for: "
        "decide quota, manage envelopes.\n"
    )
    assert rehearsed == said + "Nothing was stored (--dry-run).\n"
    root.refresh_from_db()
    assert root.revoked_why == "Retired"


@pytest.mark.parametrize("name", ["D-0", "everything"])
def test_revoke_root_of_what_is_none(site: Site, name: str) -> None:
    assert refusal("revoke_root", name) == f"There is no delegation {name!r}."


def test_revoke_root_of_what_was_handed_on_says_where(site: Site) -> None:
    danas = site.delegations["dana"]

    assert refusal("revoke_root", str(danas)).startswith(f"{danas} is no root: Erin handed it on")
