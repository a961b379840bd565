"""What differs is restored, by somebody or by a policy, or ignored until a day."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible
from quotas.actions import drift as verbs
from quotas.models import Drift, Endpoint, Limit, Target
from quotas.queries.drift import SHOWN, drift_counts, shown_as
from quotas.states import DriftEnd, TargetState
from quotas.tests.drift.outside import CHANGED, Outside, look, rows, target_at, work
from quotas.tests.site import GIB, Site
from quotas.tests.test_decide import ask, grant


def test_restoring_writes_what_is_wanted_and_ends_it(standing: Site, outside: Outside) -> None:
    outside.set_limits(cores=200)
    look(standing)
    verbs.restore(drift=Drift.objects.get(), actor=standing.otto, now=timezone.now())
    assert target_at("nova-geneva", standing).state == TargetState.DUE
    work(standing, "nova-geneva")
    ended = Drift.objects.get()
    assert (ended.end, ended.restore_asked_by) == (DriftEnd.RESTORED, standing.otto)
    assert outside.cores() == 128
    with pytest.raises(Conflict, match="it was restored"):
        verbs.restore(drift=ended, actor=standing.otto, now=timezone.now())


def test_a_policy_restores_by_itself_and_nobody_asked(standing: Site, outside: Outside) -> None:
    Endpoint.objects.filter(slug="nova-geneva").update(drift_policy="restore")
    outside.set_limits(cores=-1)
    look(standing)
    found = Drift.objects.get()
    assert found.restore_asked_at is not None
    assert found.restore_asked_by is None
    assert target_at("nova-geneva", standing).state == TargetState.DUE
    work(standing, "nova-geneva")
    assert Drift.objects.get().end == DriftEnd.RESTORED
    assert outside.cores() == 128


def test_a_policy_leaves_alone_what_is_skipped_and_what_is_ignored(
    standing: Site, outside: Outside
) -> None:
    Endpoint.objects.filter(slug="nova-geneva").update(drift_policy="restore")
    Target.objects.filter(pk=target_at("nova-geneva", standing).pk).update(
        state=TargetState.SKIPPED, skip_reason="moving house"
    )
    outside.set_limits(cores=200)
    look(standing)
    assert rows() == CHANGED
    assert Drift.objects.get().restore_asked_at is None
    Target.objects.update(state=TargetState.APPLIED)
    day = timezone.localdate() + timedelta(days=3)
    verbs.ignore(
        drift=Drift.objects.get(), until_on=day, reason="A test.", actor=standing.otto,
        now=timezone.now(),
    )  # fmt: skip
    look(standing)
    assert target_at("nova-geneva", standing).state == TargetState.APPLIED
    assert outside.cores() == 200


def test_a_project_that_is_gone_is_not_made_anew_by_a_policy(
    standing: Site, outside: Outside
) -> None:
    Endpoint.objects.update(drift_policy="restore")
    outside.plain.done("DELETE", "identity", f"/projects/{outside.project}")
    look(standing, "keystone")
    assert Drift.objects.get().restore_asked_at is None


def test_what_is_ignored_is_not_counted_until_its_day_is_over(
    standing: Site, outside: Outside
) -> None:
    outside.set_limits(cores=200)
    look(standing)
    found, now = Drift.objects.get(), timezone.now()
    nova = target_at("nova-geneva", standing).endpoint
    assert drift_counts([nova], now)[nova.pk] == 1
    day = timezone.localdate() + timedelta(days=3)
    verbs.ignore(drift=found, until_on=day, reason="A test.", actor=standing.otto, now=now)
    assert drift_counts([nova], now)[nova.pk] == 0
    later = now + timedelta(days=5)
    assert list(Drift.objects.filter(shown_as(SHOWN, later)).order_by("pk")) == [found]


@pytest.mark.parametrize(
    ("days", "reason", "fields"),
    [(-1, "Because.", {"until_on"}), (400, "", {"until_on", "reason"}), (1, " ", {"reason"})],
)
def test_ignoring_takes_a_day_and_a_reason(
    standing: Site, outside: Outside, days: int, reason: str, fields: set[str]
) -> None:
    outside.set_limits(cores=200)
    look(standing)
    with pytest.raises(Invalid) as refused:
        verbs.ignore(
            drift=Drift.objects.get(), until_on=timezone.localdate() + timedelta(days=days),
            reason=reason, actor=standing.otto, now=timezone.now(),
        )  # fmt: skip
    assert set(refused.value.errors) == fields


def test_what_is_ignored_is_back_as_soon_as_it_is_something_else(
    standing: Site, outside: Outside
) -> None:
    outside.set_limits(cores=200)
    look(standing)
    drift, now = Drift.objects.get(), timezone.now()
    day = timezone.localdate(now) + timedelta(days=9)
    verbs.ignore(drift=drift, until_on=day, reason="Agreed.", actor=standing.otto, now=now)
    look(standing)
    assert not Drift.objects.filter(shown_as(SHOWN, now)).exists()

    outside.set_limits(cores=9000)
    look(standing)
    drift = Drift.objects.filter(shown_as(SHOWN, now)).get()
    assert (drift.seen, drift.ignored_by, drift.ignore_reason) == (9000, None, "")


def test_only_who_repairs_there_restores(standing: Site, outside: Outside) -> None:
    outside.set_limits(cores=200)
    look(standing)
    for name in ("alice", "dana", "audrey", "mallory"):
        with pytest.raises(NotVisible if name == "mallory" else Forbidden):
            verbs.restore(
                drift=Drift.objects.get(), actor=standing.people[name], now=timezone.now()
            )


def test_what_writing_cannot_mend_is_refused_with_what_helps(
    standing: Site, outside: Outside
) -> None:
    Limit.objects.filter(key="cores").update(key="wishes")
    look(standing)
    with pytest.raises(Conflict, match="leave the limit out"):
        verbs.restore(drift=Drift.objects.get(), actor=standing.otto, now=timezone.now())


def test_delivery_of_a_later_change_writes_all_that_differs_and_ends_it_too(
    standing: Site, outside: Outside
) -> None:
    outside.set_limits(cores=200)
    look(standing)
    ram = standing.offerings["geneva.compute-a.ram"]
    grant(standing, ask(standing, {ram.slug: 8 * GIB}))
    work(standing, "nova-geneva")
    assert (outside.cores(), Drift.objects.get().end) == (128, DriftEnd.RESTORED)
