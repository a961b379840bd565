"""What querysets find by keys is what is found by asking of each row, on any site."""

from collections.abc import Iterable
from typing import Any

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, TextField, Value

from projects.models import Event, Project, User
from projects.queries.delegations import visible_delegations, visible_in_force
from projects.queries.events import Place, events_seen, feed, feed_seen, visible_events
from projects.queries.sight import Reach, Sight, reach_of, values_of
from projects.queries.viewers import Viewer, live_delegations, visible_projects
from quotas.models import Account, Holder
from quotas.queries.accounts import envelope_fills, nearest_sources
from quotas.queries.history import transfers_of, transfers_of_quotas
from quotas.queries.queue_figures import figures_at_a_glance
from quotas.queries.queue_heads import first_by_number, first_waiting
from quotas.queries.requests import assigned_lines, queue, visible_requests
from quotas.queries.units import unit_tree
from quotas.queries.waiting import lines_of_page
from quotas.tests.site import NOW

from .ground import Ground, make_ground
from .slow import Slow

SITES = 4
BEGINNING, MANY = Place(0, 0), 100_000


def ids(rows: Iterable[object]) -> set[int]:
    found = [each.pk for each in rows]  # type: ignore[attr-defined]  # rows of models
    assert len(found) == len(set(found)), "a row stands there twice"
    return set(found)


@pytest.mark.parametrize("seed", range(SITES))
def test_everybody_sees_what_is_theirs_and_nothing_else(db: None, seed: int) -> None:
    ground = make_ground(seed)
    slow = Slow(NOW)
    assert ids(live_delegations(NOW)) == slow.live
    for person in ground.people:
        check_person(slow, person)
    check_accounts(ground, slow)


def check_person(slow: Slow, person: User) -> None:
    viewer = Viewer.of(person, NOW)
    held = slow.visible_delegations(person)
    waiting = slow.waiting_lines(person)
    projects = slow.visible_projects(person)
    assert viewer.sees_everything == slow.sees_all(person)
    assert ids(viewer.delegations) == {each.pk for each in slow.held(person)}
    assert ids(visible_projects(viewer)) == projects
    assert ids(visible_requests(viewer)) == slow.visible_requests(person)
    assert ids(visible_events(viewer)) == slow.visible_events(person)
    check_pages(viewer)
    assert ids(visible_delegations(viewer)) == held
    in_force = visible_delegations(viewer).filter(is_live=True)  # type: ignore[misc]  # annotated
    assert ids(in_force) == held & slow.live
    assert ids(visible_in_force(viewer)) == held & slow.live
    assert ids(assigned_lines(viewer)) == {each.pk for each in waiting}
    assert ids(queue(viewer)) == {each.request_id for each in waiting}
    check_queue(slow, viewer, {each.pk for each in waiting})
    counts = {}
    nodes = unit_tree(viewer)
    while nodes:
        node = nodes.pop()
        counts[node.unit.pk] = node.project_count
        nodes += node.children
    assert counts == {
        pk: sum(1 for each in slow.projects if each.unit_id == pk and each.pk in projects)
        for pk in counts
    }


def check_pages(viewer: Viewer) -> None:
    """What pages of lists are read by, however much of the site somebody may see."""
    events = [each.pk for each in feed(visible_events(viewer), BEGINNING, MANY)]
    assert [each.pk for each in feed_seen(viewer, BEGINNING, MANY)] == events
    if len(events) > 1:
        after = Event.objects.get(pk=events[0])
        assert [each.pk for each in feed_seen(viewer, Place(after.xid, after.pk), 1)] == events[1:2]
    reach = reach_of(viewer)
    # Who sees much could be asked by keys as well, and the other way round.
    ways = [reach] if reach == Reach.ALL else [Reach.MUCH, Reach.SOME]
    seen, read = ids(visible_projects(viewer)), ids(visible_events(viewer))
    for way in ways:
        sight = Sight(way, **_arrays(viewer))
        assert ids(sight.projects.order_by("pk")) == seen
        assert ids(events_seen(sight).order_by("pk")) == read


def _arrays(viewer: Viewer) -> dict[str, Any]:
    found = values_of(viewer)
    groups = Value(found["groups"], ArrayField(BigIntegerField()))
    return {**found, "groups": groups, "paths": Value(found["paths"], ArrayField(TextField()))}


def check_queue(slow: Slow, viewer: Viewer, waiting: set[int]) -> None:
    """What a row of the queue shows of who pays, and of the person's mandates there.

    And that whoever walks it finds the same, in the same order.
    """
    numbers = [each.pk for each in queue(viewer)]
    assert [each.pk for each in first_waiting(viewer, MANY)[0]] == numbers
    assert [each.pk for each in first_by_number(viewer, MANY, is_downwards=True)] == sorted(
        numbers, reverse=True
    )
    lines, mandates = lines_of_page(viewer, list(queue(viewer)))
    assert ids(lines) == waiting
    figures = figures_at_a_glance(lines, mandates, NOW)
    rows = list(Account.objects.select_related("unit", "project__unit").order_by("pk"))
    by_id = {each.pk: each for each in rows}
    paying = [each for each in rows if each.holder in (Holder.UNIT, Holder.POOL)]
    for line in lines:
        shown, path = figures[line.pk], line.project.unit.path
        source = _nearest(paying, line.offering_id, path)
        assert [each.pk for each in shown.sources] == [source]
        fill = shown.envelope
        assert fill is not None
        assert (fill.promised, fill.size) == slow.fill(by_id[source], rows)
        assert {each.delegation.pk for each in shown.mandates} == slow.mandates(viewer.user, path)


def check_accounts(ground: Ground, slow: Slow) -> None:
    rows = list(Account.objects.select_related("unit", "project__unit").order_by("pk"))
    paying = [each for each in rows if each.holder in (Holder.UNIT, Holder.POOL)]
    fills = envelope_fills(paying)
    assert {pk: (fill.promised, fill.size) for pk, fill in fills.items()} == {
        each.pk: slow.fill(each, rows) for each in paying
    }
    offerings = [each.pk for each in ground.offerings]
    for (project,) in Project.objects.order_by("pk").values_list("pk"):
        theirs = Account.objects.filter(project=project)
        assert ids(transfers_of_quotas(project)) == ids(transfers_of(theirs))
    for unit in ground.units:
        found = {each.offering_id: each.pk for each in nearest_sources(offerings, unit.path)}
        assert found == {pk: _nearest(paying, pk, unit.path) for pk in offerings}


def _nearest(accounts: Iterable[Account], offering: int, path: str) -> int:
    above = [
        each
        for each in accounts
        if each.offering_id == offering and path.startswith(each.unit.path if each.unit else "")
    ]
    return max(above, key=lambda each: len(each.unit.path) if each.unit else 0).pk
