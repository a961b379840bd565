"""set_operator, grant_root and revoke_root: who holds a site, and never one alone."""

from datetime import timedelta

import pytest
from django.utils import timezone

from projects.models import Delegation, User
from quotas.models import DelegationBound
from quotas.tests.commands.saying import refusal, run
from quotas.tests.site import GIB, Site

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
