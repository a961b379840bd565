"""A queue that is walked tells what one that is read whole would: rows, counts, neighbours."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from portal.lib.together import Named, Stated, Statement, together
from projects.models import Delegation, Project, User
from projects.queries.viewers import Viewer
from projects.states import Power, Role
from quotas.models import Assignment, Offering, QuotaRequest, RequestLine, Resource, Zone
from quotas.queries import queue_heads
from quotas.queries.queue_heads import (
    first_by_number,
    first_waiting,
    next_in_queue,
    place_in_queue,
    waiting_count,
)
from quotas.queries.queue_walk import WALKED
from quotas.queries.queue_wishes import COUNTED, PAGE, Wanted
from quotas.queries.waiting import OFFERINGS, queue_page, waiting
from quotas.states import AssignmentKind, LineState
from quotas.tests.site import NOW, Site, join, make_group

COUNT = 260
DAY = timedelta(days=1)


def delegation(site: Site, **holder: object) -> Delegation:
    parent = site.delegations["erin"]
    return Delegation.objects.create(
        parent=parent, ancestors=parent.chain_ids, grantor=site.erin, unit=site.units["ep"],
        powers=[Power.DECIDE_QUOTA], starts_at=NOW - DAY, created_at=NOW, **holder,
    )  # fmt: skip


def odd_waits(site: Site, chance: Random) -> None:
    """Requests in all the ways in which they may wait for Dana, or may not."""
    groups = [make_group(name, site.dana) for name in ("first", "second")]
    over, later = delegation(site, user=site.dana), delegation(site, group=groups[0])
    Delegation.objects.filter(pk=over.pk).update(revoked_at=NOW - DAY)
    Delegation.objects.filter(pk=later.pk).update(starts_at=NOW + DAY)
    held = [
        site.delegations["dana"], delegation(site, user=site.dana), over, later,
        *(delegation(site, group=each) for each in (*groups, *groups)),
        delegation(site, group=make_group("others", site.rita)),
    ]  # fmt: skip
    people = (site.alice, site.bob, site.dana)
    for number in range(COUNT):
        project = Project.objects.create(
            slug=f"p{number}", name=f"p{number}", unit=site.units["ep"], created_at=NOW
        )
        if chance.random() < 0.1:
            holder = site.dana if chance.random() < 0.5 else groups[1]
            join(project, holder, chance.choice(list(Role)), NOW + chance.choice([-DAY, DAY]))
        asked = QuotaRequest.objects.create(
            project=project, requester=chance.choice([*people, *[site.alice] * 9]),
            asked_by=chance.choice([*[None] * 9, *people]), reason="odd", created_at=NOW,
            # Many at one moment, and not in the order of their numbers.
            submitted_at=chance.choice([None, *(NOW - n * DAY for n in range(9))]), updated_at=NOW,
        )  # fmt: skip
        for offering in chance.sample(list(site.offerings.values()), chance.randint(1, 3)):
            line = RequestLine.objects.create(
                request=asked, project=project, offering=offering, wanted=1, balance_seen=0,
                state=chance.choice([LineState.OPEN] * 5 + list(LineState)), waits_since=NOW,
            )  # fmt: skip
            for each in chance.sample(held, chance.randint(0, 3)):
                Assignment.objects.create(
                    line=line, delegation=each, user=each.user, group=each.group,
                    kind=chance.choice(AssignmentKind.values),
                    starts_at=NOW + chance.choice([-DAY, -DAY, -DAY, timedelta(0), DAY]),
                    ends_at=chance.choice([None, None, NOW + DAY, NOW, NOW - DAY]),
                )  # fmt: skip


def pages(viewer: Viewer, wanted: Wanted) -> Iterator[list[int]]:
    has_next = True
    while has_next:
        page = queue_page(viewer, wanted)
        yield [each.pk for each in page.requests]
        wanted, has_next = replace(wanted, page=wanted.page + 1), page.has_next


def viewer_of(site: Site, name: str) -> Viewer:
    return Viewer.of(User.objects.get(subject=name), NOW)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_same_as_if_all_of_it_was_read(site: Site, seed: int) -> None:
    odd_waits(site, Random(seed))
    dana = viewer_of(site, "dana")
    expected = list(waiting(dana, Wanted()).values_list("pk", flat=True))
    assert len(expected) > PAGE
    assert [each for page in pages(dana, Wanted()) for each in page] == expected
    page = queue_page(dana, Wanted())
    assert (page.count, page.waiting_count) == (len(expected), min(len(expected), 100))
    first, count = first_waiting(dana, 6)
    assert ([each.pk for each in first], count) == (expected[:6], min(len(expected), 100))
    assert waiting_count(dana) == min(len(expected), 100)
    for is_downwards in (False, True):
        by_number = [each.pk for each in first_by_number(dana, 51, is_downwards=is_downwards)]
        assert by_number == sorted(expected, reverse=is_downwards)[:51]
    for at in (0, 1, PAGE, len(expected) - 1):
        place = place_in_queue(dana, Wanted(), expected[at])
        around = [None, *expected, None]
        assert (place.position, place.count) == (at + 1, len(expected))
        assert (place.previous, place.next) == (around[at], around[at + 2])
        asked = QuotaRequest.objects.get(pk=expected[at])
        assert next_in_queue(dana, Wanted(), asked) == (place.next or place.previous)
    elsewhere = QuotaRequest.objects.exclude(pk__in=expected).order_by("-pk")[0]
    assert next_in_queue(dana, Wanted(), elsewhere) == expected[0]


def test_all_its_pages_are_one_statement(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would be planned and kept by every connection of every process."""
    odd_waits(site, Random(4))
    dana = viewer_of(site, "dana")
    queue_page(dana, Wanted())
    monkeypatch.setattr(Statement, "of", None)
    assert len(list(pages(dana, Wanted()))) > 1


def test_who_goes_on_to_the_next_walks_no_further(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd_waits(site, Random(6))
    QuotaRequest.objects.filter(submitted_at=None).update(submitted_at=NOW)
    dana = viewer_of(site, "dana")
    expected = list(waiting(dana, Wanted()))
    monkeypatch.setattr(queue_heads, "place_in_queue", None)
    assert next_in_queue(dana, Wanted(), expected[20]) == expected[21].pk
    assert next_in_queue(dana, Wanted(), expected[-1]) == expected[-2].pk


def test_its_choices_are_those_of_what_waits(site: Site) -> None:
    odd_waits(site, Random(5))
    # Others decide all of one zone, though of requests that wait for her as well.
    elsewhere = site.offerings.popitem()[1].zone
    Assignment.objects.filter(line__offering__zone=elsewhere).delete()
    dana = viewer_of(site, "dana")
    found = queue_page(dana, Wanted()).choices
    assert elsewhere.pk not in found.zones
    assert set(found.units) == {"ep"}
    assert found.zones
    for zone in Zone.objects.all():
        assert (queue_page(dana, Wanted(zone=zone.pk)).count > 0) == (zone.pk in found.zones)
    for slug in Resource.objects.values_list("slug", flat=True):
        assert (queue_page(dana, Wanted(resource=slug)).count > 0) == (slug in found.resources)


WALKED_SO_FAR = "SELECT place, 0, ARRAY[]::bigint[], place FROM generate_series(1, %s) place"


def test_where_more_waits_than_is_counted_the_whole_catalogue_can_be_chosen_from(
    site: Site,
) -> None:
    def offered(count: int) -> set[tuple[int, str]]:
        walk = Named("walked", WALKED, Stated(WALKED_SO_FAR, [count]))
        _walk, found = together(walk, Stated(OFFERINGS))
        return {(zone, resource) for zone, _region, _name, resource, _words in found}

    every = Offering.objects.order_by("pk").values_list("zone", "resource__slug")
    assert (offered(0), offered(COUNTED)) == (set(), set())
    assert offered(COUNTED + 1) == set(every)


def test_who_has_nothing_has_an_empty_queue(site: Site) -> None:
    odd_waits(site, Random(6))
    mallory = viewer_of(site, "mallory")
    page = queue_page(mallory, Wanted())
    assert (page.requests, page.count, page.has_next, page.waiting_count) == ([], 0, False, 0)
    assert (first_waiting(mallory, 6), waiting_count(mallory)) == (([], 0), 0)


@pytest.mark.parametrize("order", ["largest", "escalates", "ends", "project"])
def test_other_orders_are_of_all_that_waits(site: Site, order: str) -> None:
    odd_waits(site, Random(7))
    dana = viewer_of(site, "dana")
    expected = [each.pk for each in waiting(dana, Wanted(order=order))]
    assert [each for page in pages(dana, Wanted(order=order)) for each in page] == expected
