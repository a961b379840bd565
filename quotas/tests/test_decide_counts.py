"""What a decision costs: a recorded number of queries, the same for few lines and for many."""

from collections.abc import Callable
from functools import partial

import pytest

from quotas.actions import decide
from quotas.models import QuotaRequest
from quotas.tests.counting import assert_recorded
from quotas.tests.site import GIB, Site, make_group
from quotas.tests.test_consumption import LATER, another_zone, ask_for, bound_of, grant


def approval(site: Site, asked: QuotaRequest) -> Callable[[], object]:
    """Dana's approval as asked, ready to be sent."""
    lines = list(asked.lines.all())
    return partial(
        decide.approve,
        quota_request=asked, granted={line.pk: line.wanted for line in lines},
        seen={line.pk: line.balance_seen for line in lines}, version=asked.version,
        actor=site.dana, now=LATER,
    )  # fmt: skip


@pytest.mark.parametrize("has_totals", [False, True])
@pytest.mark.parametrize("is_long", [False, True])
def test_approve_costs_as_recorded(site: Site, has_totals: bool, is_long: bool) -> None:
    make_group("else", site.dana)
    other = another_zone(site)
    grant(site, {site.vcpu.slug: 10, other.slug: 10, site.space.slug: 10 * GIB})
    if has_totals:
        bound_of(site, "dana", per_decision=128, total=100)
    more = {other.slug: 20, site.space.slug: 20 * GIB} if is_long else {}
    asked = ask_for(site, {site.vcpu.slug: 20, **more})
    name = "approve under totals" if has_totals else "approve"
    assert_recorded(name, approval(site, asked))
