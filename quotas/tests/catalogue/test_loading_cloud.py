"""Loading what is offered and where it is enforced: added, changed, retired, refused."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from projects.models import (
    Event,
    Project,
    ProjectPlacement,
    Unit,
    UnitPlacement,
    User,
)
from quotas.catalogue.loading import Busy, load, rehearse
from quotas.catalogue.problems import Refused
from quotas.catalogue.reading import read_site
from quotas.models import (
    Account,
    Capacity,
    Contribution,
    Endpoint,
    Holder,
    Limit,
    Offering,
    Preset,
    Region,
    Target,
)
from quotas.tests.catalogue.sample import DEMO, GIB, LATER, NOW, SITE, changed, line_of
from quotas.tests.threads import at_once


def test_load_makes_everything(db: None) -> None:
    changes = load(read_site(SITE), now=NOW)

    assert set(Offering.objects.values_list("slug", flat=True)) == {
        "geneva.ca.vcpu",
        "geneva.sa.space",
    }
    assert Endpoint.objects.get(slug="nova-geneva").identity == Endpoint.objects.get(
        slug="keystone"
    )
    capacity = Capacity.objects.get()
    assert (capacity.amount, capacity.overcommit) == (100, Decimal("2.5"))
    assert Preset.objects.get().lines.get().increase == 8
    assert Unit.objects.get(slug="atlas").path == "ep/atlas/"
    assert UnitPlacement.objects.filter(starts_at=NOW, ends_at=None).count() == 3
    project = Project.objects.get()
    assert ProjectPlacement.objects.get().starts_at == NOW
    assert {(str(each.user or each.group), each.role) for each in project.memberships.all()} == {
        ("Alice", "owner"),
        ("Quality", "reader"),
    }
    assert set(project.targets.values_list("endpoint__slug", flat=True)) == {
        "keystone",
        "nova-geneva",
        "cinder-geneva",
    }
    event = Event.objects.get(verb="catalogue loaded")
    assert event.data == {"added": changes.count("+"), "changed": 0, "retired": 0}
    assert Event.objects.filter(verb="project made", project=project).count() == 1


def test_load_again_does_nothing(db: None) -> None:
    load(read_site(SITE), now=NOW)
    event_count = Event.objects.count()

    changes = load(read_site(SITE), now=LATER)

    assert changes.found == []
    assert Event.objects.count() == event_count


def test_rehearse_shows_what_load_does_and_stores_nothing(db: None) -> None:
    shown = rehearse(read_site(SITE), now=NOW)

    assert not Region.objects.exists()
    assert not User.objects.exists()
    assert load(read_site(SITE), now=NOW).found == shown.found


def test_load_of_a_contradiction_with_the_database_stores_nothing(db: None) -> None:
    text = changed("  it: Computing", "  it: {name: Computing, parent: nowhere}")

    with pytest.raises(Refused) as refused:
        load(read_site(text), now=NOW)

    [problem] = refused.value.problems
    assert problem.line == line_of(text, "  it:")
    assert problem.sentence.startswith("it stands below nowhere, which is no unit")
    assert not Region.objects.exists()


def test_load_retires_an_offering_that_disappears_and_offers_it_again(db: None) -> None:
    load(read_site(SITE), now=NOW)
    text = changed("      storage: {sa: {name: Storage A, type: ssd}}\n", "")

    gone = load(read_site(text), now=LATER)
    retired_at = Offering.objects.get(slug="geneva.sa.space").retired_at
    back = load(read_site(SITE), now=LATER)

    assert [str(each) for each in gone.found] == ["− offering geneva.sa.space: no longer offered"]
    assert gone.notes == [
        "limit cinder-geneva gigabytes_ssd is not in the file and stays; nothing feeds it, so it "
        "is kept at 0"
    ]
    assert retired_at == LATER
    assert [str(each) for each in back.found] == ["~ offering geneva.sa.space: is offered again"]


def test_load_refuses_a_step_that_what_is_held_does_not_fit(db: None) -> None:
    load(read_site(SITE), now=NOW)
    Account.objects.create(
        offering=Offering.objects.get(slug="geneva.sa.space"), holder=Holder.POOL, balance=5 * GIB
    )
    text = changed("unit: B, step: 1GiB}\nidentity", "unit: B, step: 2GiB}\nidentity")

    with pytest.raises(Refused) as refused:
        load(read_site(text), now=LATER)

    assert [each.sentence for each in refused.value.problems] == [
        "space is counted in steps of 1\u202fGiB already; a new step must divide it."
    ]


def test_load_refuses_to_retire_what_projects_hold(db: None) -> None:
    load(read_site(SITE), now=NOW)
    Account.objects.create(
        offering=Offering.objects.get(slug="geneva.sa.space"),
        holder=Holder.PROJECT,
        project=Project.objects.get(),
        balance=5 * GIB,
    )
    text = changed("      storage: {sa: {name: Storage A, type: ssd}}\n", "")

    with pytest.raises(Refused) as refused:
        load(read_site(text), now=LATER)

    [problem] = refused.value.problems
    assert problem.line == line_of(text, "  geneva:")
    assert problem.sentence == (
        "geneva.sa.space is no longer in the file, but reco hold 5\u202fGiB of it; they must give "
        "it back first."
    )
    assert Offering.objects.get(slug="geneva.sa.space").retired_at is None


def test_load_leaves_other_regions_alone(db: None) -> None:
    load(read_site(SITE), now=NOW)
    other = changed("  geneva:\n    services", "  lyon:\n    services")
    other = other.replace("geneva.ca", "lyon.ca").replace("region: geneva", "region: lyon")

    load(read_site(other), now=LATER)

    assert not Offering.objects.filter(retired_at__isnull=False).exists()
    assert Offering.objects.count() == 4


def test_load_gives_projects_targets_at_new_endpoints(db: None) -> None:
    load(read_site(changed("services: [nova, cinder]", "services: [nova, cinder]")), now=NOW)
    project = Project.objects.get()
    text = changed("regions:\n", "regions:\n  lyon: {services: nova, zones: {compute: [ca]}}\n")

    load(read_site(text), now=LATER)

    assert project.targets.filter(endpoint__slug="nova-lyon").count() == 1


def test_load_raises_generations_where_limits_are_fed_differently(db: None) -> None:
    load(read_site(SITE), now=NOW)
    before = dict(Target.objects.values_list("endpoint__slug", "generation"))
    text = changed("vcpu: {nova: cores}", "vcpu: {nova: {cores: 2}}")

    changes = load(read_site(text), now=LATER)

    assert [str(each) for each in changes.found] == [
        "~ contribution geneva.ca.vcpu → nova-geneva cores: factor 1 → 2"
    ]
    after = dict(Target.objects.values_list("endpoint__slug", "generation"))
    assert after == before | {"nova-geneva": before["nova-geneva"] + 1}


def test_load_keeps_the_most_that_each_driver_says_its_service_takes(db: None) -> None:
    load(read_site(SITE), now=NOW)

    assert dict(Limit.objects.values_list("key", "maximum")) == {
        "cores": 2**31 - 1,
        "gigabytes": (2**31 - 1) * GIB,
        "gigabytes_ssd": (2**31 - 1) * GIB,
    }


def test_load_takes_away_a_contribution_and_keeps_its_limit(db: None) -> None:
    load(read_site(SITE), now=NOW)

    load(read_site(changed("[gigabytes, gigabytes_<type>]", "gigabytes_<type>")), now=LATER)

    assert Contribution.objects.filter(offering__slug="geneva.sa.space").count() == 1
    assert Limit.objects.filter(key="gigabytes").exists()


def test_load_costs_few_queries_when_nothing_changes(
    db: None, django_assert_max_num_queries: Any
) -> None:
    load(read_site(DEMO.read_text(encoding="utf-8")), now=NOW)
    site = read_site(DEMO.read_text(encoding="utf-8"))

    with django_assert_max_num_queries(60):
        load(site, now=LATER)


def test_two_loads_at_once_do_not_interleave(database_copy: object) -> None:
    site = read_site(SITE)

    results = at_once([lambda: load(site, now=NOW)] * 4)

    added = [each for each in results if not isinstance(each, Busy) and each.found]
    assert len(added) == 1
    assert Region.objects.count() == 1
    assert connection.in_atomic_block is False
