"""Lists of the API cost the same number of queries for few rows and for many."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from projects.models import Delegation, Project, User
from projects.states import Role
from quotas.actions import requests
from quotas.actions.envelopes import fund
from quotas.actions.ledger import issue
from quotas.actions.posting import Journal
from quotas.actions.wishes import Wish
from quotas.models import (
    Account,
    Capacity,
    Contribution,
    DelegationBound,
    Limit,
    Offering,
    Preset,
    PresetLine,
    Region,
    Resource,
    Zone,
)
from quotas.tests.announcements.writing import announced
from quotas.tests.api import approval, caller
from quotas.tests.counting import assert_all_flat
from quotas.tests.site import Site, join, make_group, make_project

MANY = 50


def grow_projects(site: Site) -> None:
    for number in range(MANY):
        join(_project(site, number), site.alice, Role.OWNER, timezone.now())


def grow_requests(site: Site) -> None:
    """A project with a request each, half of them granted."""
    now = timezone.now()
    for number in range(MANY):
        project = _project(site, number)
        join(project, site.alice, Role.OWNER, now)
        asked = requests.submit(
            project=project, wish=Wish({site.vcpu.slug: 5}, "tests"), actor=site.alice, now=now
        )
        if number % 2:
            body = approval(site, asked, seen={str(asked.lines.get().pk): 0})
            answer = caller(site, "dana").post(f"requests/{asked.pk}/approve/", body)
            assert answer.status_code == 200, answer.content


def _project(site: Site, number: int) -> Project:
    return make_project(site, f"project-{number}", "atlas", timezone.now() - timedelta(hours=1))


def grow_catalogue(site: Site) -> None:
    zone = Zone.objects.get(slug="compute-a")
    preset = Preset.objects.create(slug="big", name="Big", region=Region.objects.get())
    for number in range(MANY):
        resource = Resource.objects.create(slug=f"r{number}", name=f"r{number}")
        offering = Offering.objects.create(
            slug=f"geneva.compute-a.r{number}", zone=zone, resource=resource
        )
        Capacity.objects.create(offering=offering, amount=10, as_of="2020-01-01")
        Account.objects.create(offering=offering, unit=site.units["atlas"], holder="unit")
        PresetLine.objects.create(preset=preset, offering=offering, increase=1)
        Preset.objects.create(slug=f"p{number}", name="p", region=preset.region)


def grow_envelopes(site: Site) -> None:
    """Many more offerings of which ATLAS has an envelope, and the pool something to pay with."""
    grow_catalogue(site)
    for offering in Offering.objects.exclude(accounts__holder="pool"):
        Account.objects.create(offering=offering, holder="pool")


def grow_acts(site: Site) -> None:
    """ATLAS is funded many times."""
    for _number in range(MANY):
        fund(offering=site.vcpu, unit=site.units["atlas"], amount=1, actor=None, now=timezone.now())


def grow_delegations(site: Site) -> None:
    parent = site.delegations["dana"]
    for _number in range(MANY):
        handed = Delegation.objects.create(
            parent=parent, ancestors=parent.chain_ids, grantor=site.dana, user=site.bob,
            powers=parent.powers, unit=parent.unit, starts_at=parent.starts_at,
            created_at=parent.starts_at,
        )  # fmt: skip
        DelegationBound.objects.create(
            delegation=handed, resource=site.vcpu.resource, zone=site.vcpu.zone
        )


def grow_announcements(site: Site) -> None:
    for _number in range(MANY):
        announced(site)


def grow_groups(site: Site) -> None:
    """Groups with many people in them, each in the project."""
    now = timezone.now()
    people = User.objects.bulk_create(
        User(subject=f"member-{number}", password="!") for number in range(MANY)
    )
    for number in range(MANY):
        join(site.project, make_group(f"group-{number}", *people[:number]), Role.READER, now)


def grow_project(site: Site) -> None:
    """Members, offerings with quota and limits of one project."""
    grow_catalogue(site)
    endpoint, now = site.endpoints["nova-geneva"], timezone.now()
    for number in range(MANY):
        person = User.objects.create(subject=f"person-{number}", password="!")
        join(site.project, person, Role.MEMBER, now)
        offering = Offering.objects.get(slug=f"geneva.compute-a.r{number}")
        limit = Limit.objects.create(endpoint=endpoint, key=f"key-{number}", name="key")
        Contribution.objects.create(offering=offering, limit=limit)
        issue(offering=offering, amount=10, actor=None, now=now)
        account = Account.objects.create(offering=offering, project=site.project, holder="project")
        pool = Account.objects.get(offering=offering, holder="pool")
        journal = Journal(actor=None, now=now)
        journal.increase(line=None, account=account, source=pool, amount=5, ends_at=None)
        journal.write()


# What grows, and who reads which lists of it.
LISTS: list[tuple[Callable[[Site], None], dict[str, str]]] = [
    (grow_projects, {"projects/": "alice"}),
    (
        grow_requests,
        {
            "requests/": "alice", "queue/": "dana", "decisions/": "dana", "targets/": "otto",
            "endpoints/": "otto",
        },
    ),
    (grow_catalogue, {"offerings/": "alice", "presets/": "alice", "units/atlas/": "dana"}),
    (grow_envelopes, {"units/atlas/envelopes/": "dana"}),
    (grow_acts, {"units/atlas/acts/": "dana", "units/atlas/transfers/": "dana"}),
    (grow_delegations, {"delegations/": "dana"}),
    (grow_groups, {"groups/": "erin"}),
    (grow_announcements, {"announcements/": "alice"}),
    (
        grow_project,
        {
            "projects/atlas-reco/": "alice", "projects/atlas-reco/members/": "alice",
            "projects/atlas-reco/accounts/": "alice",
            "projects/atlas-reco/transfers/": "alice",
            "projects/atlas-reco/usage/": "alice", "accounts/": "dana",
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("grow", "lists"), LISTS, ids=[grow.__name__ for grow, _lists in LISTS])
def test_lists_cost_the_same_for_few_and_for_many(
    site_today: Site, grow: Callable[[Site], None], lists: dict[str, str]
) -> None:
    """lists: who reads each, by its path."""
    _few(site_today)

    people = {name: caller(site_today, name) for name in lists.values()}

    def load(path: str, name: str) -> None:
        assert people[name].get(path).status_code == 200

    loads = {f"api {path}": partial(load, path, name) for path, name in lists.items()}
    assert_all_flat(loads, lambda: grow(site_today))


def _few(site: Site) -> None:
    """One request that waits and one that was granted, so that no list is empty."""
    now = timezone.now()
    make_group("few")
    for number, offering in enumerate((site.vcpu, site.space)):
        asked = requests.submit(
            project=site.project, wish=Wish({offering.slug: 5 * offering.resource.step}, "tests"),
            actor=site.alice, now=now,
        )  # fmt: skip
        if number:
            answer = caller(site, "dana").post(
                f"requests/{asked.pk}/approve/", approval(site, asked)
            )
            assert answer.status_code == 200, answer.content
    preset = Preset.objects.create(slug="small", name="Small", region=Region.objects.get())
    PresetLine.objects.create(preset=preset, offering=site.vcpu, increase=1)
    Capacity.objects.create(offering=site.vcpu, amount=10, as_of="2020-01-01")
    announced(site)
