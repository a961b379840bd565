"""What tests about delegations do again and again: hand on, ask, look who is waited for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from projects.models import Delegation, User
from projects.queries.viewers import Viewer
from projects.states import Power
from quotas.actions import decide, requests
from quotas.actions.delegations import Bound, delegate
from quotas.actions.wishes import Wish
from quotas.models import Decision, DelegationBound, QuotaRequest
from quotas.queries.requests import queue
from quotas.tests.site import NOW, Site

DAY = timedelta(days=1)
Commits = Callable[..., AbstractContextManager[list[Callable[[], object]]]]


def hand_on(site: Site, *bounds: Bound, **changes: Any) -> Delegation:
    """Dana, who may add 128 steps of anything in one decision, hands some of it to Mallory."""
    terms: dict[str, Any] = {
        "parent": site.delegations["dana"],
        "grantor": site.dana,
        "user": site.mallory,
        "unit": site.units["atlas"],
        "powers": [Power.DECIDE_QUOTA],
        "starts_at": NOW,
        "ends_at": NOW + 10 * DAY,
        "depth": 0,
        "bounds": bounds,
        "now": NOW,
    }
    return delegate(**(terms | changes))


def waiting(person: User, now: datetime = NOW) -> list[QuotaRequest]:
    return list(queue(Viewer.of(person, now)))


def ask(site: Site, amount: int, now: datetime = NOW) -> QuotaRequest:
    wish = Wish({site.vcpu.slug: amount}, "More")
    return requests.submit(project=site.project, wish=wish, actor=site.alice, now=now)


def grant(site: Site, amount: int, actor: User, now: datetime = NOW) -> Decision:
    """Ask for so many vCPUs in all, and approve them as asked."""
    asked = ask(site, amount, now)
    line = asked.lines.get()
    return decide.approve(
        quota_request=asked, granted={line.pk: amount}, seen={line.pk: site.quota(site.vcpu)},
        version=asked.version, actor=actor, now=now,
    )  # fmt: skip


def parent_with(site: Site, **bound: Any) -> Delegation:
    """A root of Dana with one row about vCPU."""
    held = Delegation.objects.create(
        user=site.dana, powers=list(Power), unit=site.units["atlas"], depth=2,
        starts_at=NOW - DAY, created_at=NOW,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=held, resource=site.vcpu.resource, **bound)
    return held
