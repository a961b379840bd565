"""An endpoint's life: pause, read-only, resume, and what that means for workers."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from portal.lib.errors import Conflict, DomainError, Invalid, Stale
from projects.models import Event
from quotas.actions import endpoints
from quotas.delivery import breaker, leases, observe
from quotas.delivery.calling import calling
from quotas.delivery.permits import Busy
from quotas.models import CallSlot, Endpoint, EndpointWord, Target
from quotas.states import ENDPOINT_MOVES, EndpointState, ErrorKind, TargetState
from quotas.tests.endpoints.steps import HOUR, REASON, close, nova, repairer
from quotas.tests.site import NOW, Site
from quotas.tests.threads import at_once

# --- the moves --------------------------------------------------------------------------


@pytest.mark.parametrize("state", EndpointState.values)
@pytest.mark.parametrize("verb", endpoints.VERBS)
def test_each_verb_moves_as_the_table_says(site: Site, state: str, verb: str) -> None:
    Endpoint.objects.filter(slug="nova-geneva").update(state=state)
    expected = ENDPOINT_MOVES.get((EndpointState(state), verb))

    def act() -> None:
        if verb == "resume":
            endpoints.resume(endpoint=nova(site), actor=site.otto, now=NOW)
        elif expected == state:
            close(site, verb, seen=said(site, state).pk)
        else:
            close(site, verb)

    if expected is None:
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.facts == {"state": state}
    else:
        act()
    assert nova(site).state == (expected or state)


def said(site: Site, state: str, reason: str = "") -> EndpointWord:
    """What somebody said of Nova as they closed it."""
    return EndpointWord.objects.create(
        endpoint=site.endpoints["nova-geneva"], state=state, reason=reason, actor=site.otto, at=NOW
    )


def words(site: Site) -> list[tuple[str, str, str | None]]:
    rows = nova(site).words.order_by("pk")
    return list(rows.values_list("state", "reason", "actor__subject"))


def test_what_was_said_of_a_pause_outlives_it(site: Site) -> None:
    close(site, until=NOW + HOUR)
    endpoints.resume_over(NOW + HOUR)
    close(site, "restrict", reason="Still odd")
    endpoints.resume(endpoint=nova(site), actor=site.otto, now=NOW + 2 * HOUR)

    assert words(site) == [
        ("paused", REASON, "otto"), ("open", "", None), ("read-only", "Still odd", "otto"),
        ("open", "", "otto"),
    ]  # fmt: skip
    assert REASON not in str(list(Event.objects.order_by("pk").values_list("data", flat=True)))


def test_nobody_changes_what_was_said(site: Site) -> None:
    close(site)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        EndpointWord.objects.update(reason="I never said so")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        EndpointWord.objects.all().delete()


def test_reason_and_end_of_a_pause_are_changed_in_place(site: Site) -> None:
    close(site)
    rosa = repairer(site)
    seen = nova(site).words.latest("pk").pk
    later = NOW + HOUR / 2
    close(site, reason="Disks too", until=NOW + HOUR, seen=seen, actor=rosa, now=later)

    found = nova(site)
    assert (found.state, found.state_by, found.state_reason) == ("paused", rosa, "Disks too")
    # It is paused since the same moment, and opens at the new end.
    assert (found.state_since, found.state_until) == (NOW, NOW + HOUR)
    assert words(site) == [("paused", REASON, "otto"), ("paused", "Disks too", "rosa")]
    assert Event.objects.latest("pk").data == {"was": "paused", "until": (NOW + HOUR).isoformat()}


def test_a_change_of_what_another_has_changed_meanwhile_is_stale(site: Site) -> None:
    close(site)
    seen = nova(site).words.latest("pk").pk
    close(site, reason="First", seen=seen)
    with pytest.raises(Stale) as refused:
        close(site, reason="Second", seen=seen)
    assert refused.value.facts == {"seen": nova(site).words.latest("pk").pk}
    assert nova(site).state_reason == "First"


def test_a_change_of_a_pause_that_is_over_closes_nothing(site: Site) -> None:
    close(site)
    seen = nova(site).words.latest("pk").pk
    endpoints.resume(endpoint=nova(site), actor=site.otto, now=NOW)
    with pytest.raises(Conflict, match="nothing to change"):
        close(site, reason="Longer", seen=seen)
    assert nova(site).state == EndpointState.OPEN


@pytest.mark.parametrize("verb", ["pause", "change", "resume"])
def test_of_several_at_once_one_directs_an_endpoint(committed_site: Site, verb: str) -> None:
    site = committed_site
    seen = None
    if verb != "pause":
        close(site)
        seen = nova(site).words.latest("pk").pk

    def act() -> Endpoint:
        endpoint = Endpoint.objects.get(slug="nova-geneva")
        if verb == "resume":
            return endpoints.resume(endpoint=endpoint, actor=site.otto, now=NOW)
        return close(site, endpoint=endpoint, seen=seen)

    results = at_once([act] * 4)
    refused = [each for each in results if isinstance(each, DomainError)]
    assert len(refused) == 3
    assert {each.status for each in refused} == {412 if verb == "change" else 409}
    assert len(words(site)) == (1 if verb == "pause" else 2)


def test_pause_keeps_who_why_and_until_when_and_is_an_event(site: Site) -> None:
    close(site, until=NOW + HOUR)

    found = nova(site)
    assert (found.state_by, found.state_reason) == (site.otto, REASON)
    assert (found.state_since, found.state_until) == (NOW, NOW + HOUR)
    event = Event.objects.latest("pk")
    assert (event.verb, event.actor, event.subject_id) == ("endpoint paused", site.otto, found.pk)
    assert event.data == {"was": "open", "until": (NOW + HOUR).isoformat()}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": "a\x00b"}, "reason"),
        ({"until": NOW}, "until"),
        ({"until": NOW - HOUR}, "until"),
    ],
)
def test_pause_without_a_reason_or_with_an_end_that_is_past(
    site: Site, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        close(site, **changes)
    assert list(refused.value.errors) == [field]
    assert nova(site).state == EndpointState.OPEN


def test_resume_forgets_the_pause_and_wakes_what_an_outage_had_put_off(site: Site) -> None:
    silenced = Target.objects.get(project=site.project, endpoint__slug="nova-geneva")
    Target.objects.filter(pk=silenced.pk).update(
        state=TargetState.RETRYING, error_kind=ErrorKind.UNREACHABLE, next_try_at=NOW + 900 * HOUR
    )
    Endpoint.objects.filter(slug="nova-geneva").update(
        state=EndpointState.UNREACHABLE, failure_count=9, failing_since=NOW, next_probe_at=NOW
    )
    close(site)
    endpoints.resume(endpoint=nova(site), actor=site.otto, now=NOW)

    found = nova(site)
    assert (found.state, found.state_by, found.state_reason) == (EndpointState.OPEN, None, "")
    assert (found.failure_count, found.failing_since, found.next_probe_at) == (0, None, None)
    assert silenced.pk in leases.due().values_list("pk", flat=True)


def test_a_pause_ends_by_itself_when_its_time_has_come(site: Site) -> None:
    close(site, until=NOW + HOUR)
    close(site, "restrict", "cinder-geneva")

    assert endpoints.resume_over(NOW + HOUR - timedelta(seconds=1)) == 0
    assert endpoints.resume_over(NOW + HOUR) == 1
    assert endpoints.resume_over(NOW + HOUR) == 0

    assert nova(site).state == EndpointState.OPEN
    event = Event.objects.latest("pk")
    assert (event.verb, event.actor) == ("endpoint resumed", None)


# --- what a closed endpoint means for workers -------------------------------------------


def test_nothing_is_due_or_looked_at_where_it_is_paused(site: Site) -> None:
    close(site)
    here = Target.objects.filter(endpoint__slug="nova-geneva")
    assert not leases.due().filter(pk__in=here.values("pk")).exists()
    here.update(state=TargetState.APPLIED, next_try_at=None, applied_generation=F("generation"))
    assert not observe.stale().filter(pk__in=here.values("pk")).exists()


def test_a_read_only_endpoint_is_looked_at_and_not_written(site: Site) -> None:
    close(site, "restrict")
    here = Target.objects.filter(endpoint__slug="nova-geneva")
    assert not leases.due().filter(pk__in=here.values("pk")).exists()
    here.update(state=TargetState.APPLIED, next_try_at=None, applied_generation=F("generation"))
    assert observe.stale().filter(pk__in=here.values("pk")).exists()


def test_a_paused_identity_endpoint_stops_everything_behind_it(site: Site) -> None:
    close(site, name="keystone")
    assert not leases.due().exists()


def test_the_breaker_overwrites_neither_a_pause_nor_its_reason(site: Site) -> None:
    stale = nova(site)
    close(site)
    for _time in range(breaker.OPEN_AFTER + 1):
        breaker.silent(stale, "connection refused")
    breaker.answered(stale)

    found = nova(site)
    assert (found.state, found.state_reason, found.state_by) == ("paused", REASON, site.otto)


# --- a worker that was already at it ----------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "writing", "begins"),
    [("pause", False, False), ("pause", True, False), ("restrict", False, True),
     ("restrict", True, False)],
)  # fmt: skip
def test_no_call_begins_at_what_was_closed_meanwhile(
    site: Site, verb: str, writing: bool, begins: bool
) -> None:
    seen_open = nova(site)
    close(site, verb)
    calls = []
    try:
        with calling(seen_open, writing=writing):
            calls.append(writing)
    except Busy:
        pass
    assert bool(calls) is begins
    assert not CallSlot.objects.filter(holder__isnull=False).exists()
