"""What one statement does to the targets that a grant feeds: in each state, missing, undone."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from quotas.actions.targets import deliver
from quotas.models import DecisionLine, Delivery, Target
from quotas.states import TargetState
from quotas.tests.counting import count_queries
from quotas.tests.site import GIB, Site
from quotas.tests.test_decide import ask, grant

TOKEN = "00000000-0000-0000-0000-000000000001"
FAR = timezone.now() + timedelta(days=365)


def granted(site: Site) -> list[DecisionLine]:
    """Lines of vCPU and volume space whose deliveries are still to be noted."""
    decision = grant(site, ask(site, {site.vcpu.slug: 16, site.space.slug: GIB}))
    Delivery.objects.all().delete()
    Target.objects.update(generation=1)
    return list(decision.lines.select_related("line").order_by("pk"))


def target_of(site: Site, slug: str) -> Target:
    return Target.objects.get(project=site.project, endpoint__slug=slug)


def test_each_line_raises_what_it_feeds_and_nothing_else(site: Site) -> None:
    lines = granted(site)
    count, said = count_queries(lambda: deliver(lines[:1]))
    assert count == 1, said
    assert target_of(site, "nova-geneva").generation == 2
    assert target_of(site, "cinder-geneva").generation == 1
    deliver(lines[1:])
    found = Delivery.objects.order_by("pk").values_list(
        "decision_line", "target__endpoint__slug", "generation"
    )
    assert set(found) == {
        (lines[0].pk, "nova-geneva", 2),
        (lines[1].pk, "cinder-geneva", 2),
    }


@pytest.mark.parametrize(
    ("before", "state", "keeps_its_time"),
    [
        ({"state": TargetState.APPLIED, "next_try_at": None}, TargetState.DUE, False),
        ({"state": TargetState.RETRYING, "failure_count": 7}, TargetState.DUE, False),
        ({"state": TargetState.REFUSED}, TargetState.DUE, False),
        ({"state": TargetState.SKIPPED, "skip_reason": "Later."}, TargetState.DUE, False),
        ({"state": TargetState.DIRTY, "dirty_until": FAR}, TargetState.DIRTY, True),
        ({"state": TargetState.LEASED, "lease_token": TOKEN, "lease_until": FAR},
         TargetState.LEASED, False),
    ],
)  # fmt: skip
def test_a_target_is_due_again_unless_somebody_holds_it(
    site: Site, before: dict[str, Any], state: TargetState, keeps_its_time: bool
) -> None:
    lines = granted(site)
    nova = target_of(site, "nova-geneva")
    Target.objects.filter(pk=nova.pk).update(**({"next_try_at": FAR} | before))
    deliver(lines)
    nova.refresh_from_db()
    assert (nova.state, nova.generation, nova.failure_count, nova.skip_reason) == (state, 2, 0, "")
    assert nova.next_try_at is not None
    assert (nova.next_try_at == FAR) is keeps_its_time


def test_a_target_that_is_missing_is_made_and_every_line_noted_once(site: Site) -> None:
    lines = granted(site)
    target_of(site, "cinder-geneva").readings.all().delete()
    target_of(site, "cinder-geneva").delete()
    deliver(lines)
    assert target_of(site, "cinder-geneva").state == TargetState.DUE
    assert list(
        Delivery.objects.order_by("decision_line").values_list(
            "decision_line", "target__endpoint__slug", "target__generation"
        )
    ) == [(lines[0].pk, "nova-geneva", 2), (lines[1].pk, "cinder-geneva", 2)]


def test_what_is_undone_leaves_nothing_raised_or_noted(site: Site) -> None:
    lines = granted(site)
    with pytest.raises(DatabaseError), transaction.atomic():
        deliver(lines)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
    assert (target_of(site, "nova-geneva").generation, Delivery.objects.count()) == (1, 0)
