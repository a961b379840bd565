"""A site's file: what it says, what it must not say, and what a second load changes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from projects.models import (
    Event,
    Group,
    GroupMembership,
    Membership,
    Project,
    ProjectPlacement,
    Unit,
    UnitPlacement,
    User,
)
from quotas.catalogue.document import MAX_BYTES
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
from quotas.tests.threads import at_once

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
GIB = 2**30
DEMO = Path(__file__).parents[2] / "contrib" / "demo" / "site.yaml"

SITE = """\
resources:
  vcpu: vCPU
  space: {name: Volume space, unit: B, step: 1GiB}
identity:
  keystone: {driver: keystone, cloud: lab}
services:
  nova:
    driver: nova
    cloud: lab
    identity: keystone
    limits: {cores: vCPU}
  cinder:
    driver: cinder
    cloud: lab
    identity: keystone
    limits:
      gigabytes: {unit: B, step: 1GiB}
      gigabytes_<type>: {name: Space in <zone>, unit: B, step: 1GiB}
offers:
  compute:
    vcpu: {nova: cores}
  storage:
    space: {cinder: [gigabytes, gigabytes_<type>]}
regions:
  geneva:
    services: [nova, cinder]
    zones:
      compute: [ca]
      storage: {sa: {name: Storage A, type: ssd}}
capacities:
  2026-11-01:
    geneva.ca: {vcpu: 100 x 2.5}
presets:
  small: {region: geneva, adds: {ca: {vcpu: 8}}}
units:
  ep: {name: Physics, units: {atlas: ATLAS}}
  it: Computing
people:
  alice: {name: Alice, mail: alice@example.org}
  bob: Bob
groups:
  dq: {name: Quality, members: [bob]}
projects:
  reco:
    unit: atlas
    owners: alice
    readers: "group:dq"
"""


def changed(old: str, new: str, count: int = 1) -> str:
    """The site with one place written differently."""
    assert SITE.count(old) == count, old
    return SITE.replace(old, new)


def line_of(text: str, part: str) -> int:
    return text[: text.rindex(part)].count("\n") + 1


def problems_of(text: str) -> list[tuple[int, str]]:
    with pytest.raises(Refused) as refused:
        read_site(text)
    return [(each.line, each.sentence) for each in refused.value.problems]


# --- Reading -------------------------------------------------------------------------------


def test_read_fills_placeholders_for_each_zone() -> None:
    site = read_site(SITE)

    feeds = site.offerings["geneva.sa.space"].feeds
    assert [(each.endpoint, each.key) for each in feeds] == [
        ("cinder-geneva", "gigabytes"),
        ("cinder-geneva", "gigabytes_ssd"),
    ]
    limit = site.limits["cinder-geneva", "gigabytes_ssd"]
    assert (limit.name, limit.unit, limit.step) == ("Space in Storage A", "B", GIB)


def test_read_takes_scalars_as_they_are_written() -> None:
    site = read_site(changed("bob: Bob", "bob: yes"))

    assert site.people["bob"].name == "yes"


def test_read_of_the_demo_site() -> None:
    site = read_site(DEMO.read_text(encoding="utf-8"))

    assert (len(site.regions), len(site.zones), len(site.offerings)) == (2, 12, 36)
    assert (len(site.endpoints), len(site.limits)) == (5, 30)


@pytest.mark.parametrize(
    ("text", "part", "sentence"),
    [
        (
            changed("geneva.ca: {vcpu", "geneva.cb: {vcpu"),
            "geneva.cb",
            "geneva.cb is no zone; did you mean geneva.ca?",
        ),
        (
            changed("adds: {ca: {vcpu: 8}}", "adds: {cx: {vcpu: 8}}"),
            "small",
            "geneva.cx is no zone; did you mean geneva.ca?",
        ),
        (
            changed("adds: {ca: {vcpu: 8}}", "adds: {ca: {space: 8T}}"),
            "small",
            "geneva.ca offers no space; there is vcpu.",
        ),
        (
            changed("  it: Computing", "  ep: Computing"),
            "  ep: Computing",
            "ep is in units twice, first on line 36.",
        ),
        (
            changed("  it: Computing", "  atlas: Again"),
            "atlas: Again",
            "atlas is a unit twice, first on line 36.",
        ),
        (
            changed("compute: [ca]", "compute: [ca, ca]"),
            "compute: [ca, ca]",
            "ca is a zone twice, first on line 28.",
        ),
        (
            changed("limits: {cores: vCPU}", "limits: {cores: {name: vCPU, step: 4}}"),
            "nova: cores",
            "cores is written in steps of 4, and vcpu comes in steps of 1, which is no multiple of "
            "it.",
        ),
        (
            changed("vcpu: {nova: cores}", "vcpu: {cinder: gigabytes}"),
            "cinder: gigabytes}",
            "vcpu and gigabytes are not counted in the same unit.",
        ),
        (
            changed("vcpu: 100 x 2.5", "vcpu: -100"),
            "-100",
            "-100 must be an amount without a sign, zero or more.",
        ),
        (
            changed("vcpu: 100 x 2.5", "vcpu: 100 x 0"),
            "100 x 0",
            "0 is no overcommit factor; write one like 4 or 1.25, below 1000.",
        ),
        (
            changed("vcpu: 100 x 2.5", "vcpu: many"),
            "many",
            "“many” is not a number. Write 64, or a change: +16.",
        ),
        (
            changed("2026-11-01:", "last week:"),
            "last week",
            "last week is no day; write it like 2026-11-01.",
        ),
        (
            changed(
                "    identity: keystone\n    limits: {cores",
                "    identity: nova-geneva\n    limits: {cores",
            ),
            "services: [nova",
            "nova-geneva names nova-geneva, which is no identity endpoint; there is keystone.",
        ),
        (
            changed("  bob: Bob", "  bob: {name: Bob, subject: alice}"),
            "  bob:",
            "alice is named twice, first on line 39 as alice.",
        ),
        (
            changed("owners: alice", "owners: [alice, alice]"),
            "owners",
            "alice is named twice in reco of projects, first on line 46.",
        ),
        (
            changed("owners: alice", "owners: alicia"),
            "owners",
            "alicia is not among people; did you mean alice?",
        ),
        (
            changed("members: [bob]", "members: [bob, eve]"),
            "members:",
            "eve is not among people; there is alice, bob.",
        ),
        (
            changed("owners: alice", "ownerz: alice"),
            "ownerz",
            "reco of projects knows no ownerz; did you mean owners?",
        ),
        (changed("units:\n", "unitz:\n"), "unitz:", "the file knows no unitz; did you mean units?"),
        (
            changed("limits: {cores: vCPU}", "limits: [cores]"),
            "limits: [cores]",
            "limits of nova of services must be a list of names with a colon each.",
        ),
        (
            changed("  vcpu: vCPU", "  vcpu: [a, b]"),
            "[a, b]",
            "vcpu of resources must be a list of names with a colon each.",
        ),
        (
            changed("step: 1GiB}\nidentity", "step: 1.3}\nidentity"),
            "step: 1.3",
            "“1.3” needs a unit. Write 1.3G for GiB or 1.3T for TiB.",
        ),
        (
            changed("  geneva:\n", "  Geneva:\n"),
            "Geneva:",
            "'Geneva' must be small letters, digits and hyphens, at most 40 of them.",
        ),
        (
            changed("      gigabytes_<type>: {name", "      gigabytes_<kind>: {name"),
            "gigabytes_<kind>",
            "<kind> stands for nothing; there is region, type, zone.",
        ),
        (
            changed("services: [nova, cinder]", "services: [nova]"),
            "storage: {sa",
            "sa needs cinder, which is not among the services of geneva.",
        ),
        (
            changed("space: {cinder", "spaces: {cinder"),
            "spaces:",
            "spaces is no resource; did you mean space?",
        ),
        (
            changed("compute: [ca]", "computer: [ca]"),
            "computer",
            "computer is no kind of zone; did you mean compute?",
        ),
        (
            changed("  it: Computing", "\tit: Computing"),
            "\tit",
            "a tab: YAML is indented with spaces.",
        ),
        (
            changed("people:\n", "people: &all\n"),
            "people: &all",
            "anchors and aliases (& and *) are not read; write it out.",
        ),
        (
            changed("bob: Bob", "bob: !!python/object:os.system x"),
            "bob: !!",
            "tags (!) are not read; write plain values.",
        ),
    ],
)
def test_read_refuses_naming_the_line(text: str, part: str, sentence: str) -> None:
    found = problems_of(text)

    assert (line_of(text, part), sentence) in found


def test_read_refuses_broken_yaml_on_its_line() -> None:
    text = changed("compute: [ca]", "compute: [ca")

    [(line, sentence)] = problems_of(text)

    assert line in (line_of(text, "[ca"), line_of(text, "[ca") + 1)
    assert sentence.startswith("this is not YAML")


def test_read_refuses_what_counts_against_no_limit() -> None:
    text = changed("vcpu: {nova: cores}", "vcpu: {}")

    assert problems_of(text) == [
        (
            line_of(text, "vcpu: {}"),
            "vcpu counts against no limit: say which, as in {nova: cores}, or leave it out.",
        )
    ]


def test_read_names_everything_that_is_wrong() -> None:
    text = changed("owners: alice", "owners: eve").replace("vcpu: 100 x 2.5", "vcpu: -1")

    assert [line for line, __ in problems_of(text)] == [
        line_of(text, "vcpu: -1"),
        line_of(text, "owners: eve"),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "- a\n- b\n", "just text", "a: \x00", "x" * (MAX_BYTES + 1), "[" * 500],
    ids=["empty", "comment", "list", "text", "nul", "huge", "deep"],
)
def test_read_refuses_what_is_no_site(text: str) -> None:
    assert len(problems_of(text)) == 1


# --- Loading -------------------------------------------------------------------------------


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


def test_load_refuses_a_unit_below_itself(db: None) -> None:
    text = changed(
        "  ep: {name: Physics, units: {atlas: ATLAS}}",
        "  ep: {name: Physics, parent: atlas}\n  atlas: {parent: ep}",
    )

    with pytest.raises(Refused) as refused:
        load(read_site(text), now=NOW)

    assert [str(each) for each in refused.value.problems] == [
        f"line {line_of(text, '  ep:')}: ep stands below itself, through its parents.",
        f"line {line_of(text, '  atlas:')}: atlas stands below itself, through its parents.",
    ]


def test_load_refuses_a_project_in_an_unknown_unit(db: None) -> None:
    text = changed("unit: atlas", "unit: atlass")

    with pytest.raises(Refused) as refused:
        load(read_site(text), now=NOW)

    assert [str(each) for each in refused.value.problems] == [
        f"line {line_of(text, '  reco:')}: reco is in atlass, which is no unit; did you mean atlas?"
    ]


def test_load_moves_a_unit_with_all_below_it(db: None) -> None:
    load(read_site(SITE), now=NOW)
    text = changed(
        "  ep: {name: Physics, units: {atlas: ATLAS}}\n  it: Computing",
        "  it: {name: Computing, units: {ep: {name: Physics, units: {atlas: ATLAS}}}}",
    )

    changes = load(read_site(text), now=LATER)

    assert [str(each) for each in changes.found] == ["~ unit EP: moves to IT/EP"]
    assert Unit.objects.get(slug="atlas").path == "it/ep/atlas/"
    placements = UnitPlacement.objects.filter(unit__slug="ep").order_by("starts_at")
    assert [(str(each.parent), each.starts_at, each.ends_at) for each in placements] == [
        ("None", NOW, LATER),
        ("Computing", LATER, None),
    ]


def test_load_swaps_parent_and_child(db: None) -> None:
    load(read_site(SITE), now=NOW)
    text = changed(
        "  ep: {name: Physics, units: {atlas: ATLAS}}",
        "  atlas: {name: ATLAS, units: {ep: Physics}}",
    )

    load(read_site(text), now=LATER)

    paths = dict(Unit.objects.values_list("slug", "path"))
    assert paths == {"atlas": "atlas/", "ep": "atlas/ep/", "it": "it/"}


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


def test_load_takes_away_a_contribution_and_keeps_its_limit(db: None) -> None:
    load(read_site(SITE), now=NOW)

    load(read_site(changed("[gigabytes, gigabytes_<type>]", "gigabytes_<type>")), now=LATER)

    assert Contribution.objects.filter(offering__slug="geneva.sa.space").count() == 1
    assert Limit.objects.filter(key="gigabytes").exists()


def test_load_closes_and_opens_memberships(db: None) -> None:
    load(read_site(SITE), now=NOW)
    text = changed("members: [bob]", "members: [alice]").replace(
        "    owners: alice\n", "    owners: bob\n    former: alice\n"
    )

    load(read_site(text), now=LATER)

    periods = GroupMembership.objects.values_list("user__subject", "starts_at", "ends_at")
    assert set(periods) == {("bob", NOW, LATER), ("alice", LATER, None)}
    roles = Membership.objects.filter(user__isnull=False)
    assert set(roles.values_list("user__subject", "role", "starts_at", "ends_at")) == {
        ("alice", "owner", NOW, LATER),
        ("bob", "owner", LATER, None),
    }


def test_load_keeps_roles_that_the_file_does_not_name(db: None) -> None:
    load(read_site(SITE), now=NOW)

    changes = load(read_site(changed("    owners: alice\n", "")), now=LATER)

    assert changes.found == []
    assert Membership.objects.filter(user__subject="alice", ends_at=None).exists()


def test_load_keeps_a_group_whose_members_are_not_said(db: None) -> None:
    load(read_site(SITE), now=NOW)

    load(read_site(changed("dq: {name: Quality, members: [bob]}", "dq: Quality")), now=LATER)

    assert Group.objects.get().memberships.filter(ends_at=None).count() == 1


def test_load_moves_a_project_without_quota(db: None) -> None:
    load(read_site(SITE), now=NOW)

    changes = load(read_site(changed("unit: atlas", "unit: it")), now=LATER)

    assert [str(each) for each in changes.found] == ["~ project reco: EP/ATLAS → IT"]
    placements = ProjectPlacement.objects.order_by("starts_at")
    assert [(each.unit.slug, each.ends_at) for each in placements] == [
        ("atlas", LATER),
        ("it", None),
    ]


def test_load_refuses_to_move_a_project_with_quota(db: None) -> None:
    load(read_site(SITE), now=NOW)
    Account.objects.create(
        offering=Offering.objects.get(slug="geneva.ca.vcpu"),
        holder=Holder.PROJECT,
        project=Project.objects.get(),
        balance=1,
    )
    text = changed("unit: atlas", "unit: it")

    with pytest.raises(Refused) as refused:
        load(read_site(text), now=LATER)

    assert [each.line for each in refused.value.problems] == [line_of(text, "  reco:")]
    assert Project.objects.get().unit.slug == "atlas"


def test_load_refuses_passwords_without_local_accounts(db: None, settings: Any) -> None:
    settings.LOCAL_ACCOUNTS = False
    text = changed("bob: Bob", "bob: {name: Bob, password: remit-demo}")

    with pytest.raises(Refused) as refused:
        load(read_site(text), now=NOW)

    assert [str(each) for each in refused.value.problems] == [
        f"line {line_of(text, '  bob:')}: bob has a password, but this site has no local accounts."
    ]


def test_load_gives_a_password_once(db: None) -> None:
    text = changed("bob: Bob", "bob: {name: Bob, password: remit-demo}")
    load(read_site(text), now=NOW)
    bob = User.objects.local("bob")
    assert bob.check_password("remit-demo")
    bob.set_password("my own choice")
    bob.save(update_fields=["password"])

    load(read_site(text), now=LATER)

    assert User.objects.local("bob").check_password("my own choice")
    assert not User.objects.local("alice").has_usable_password()


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
