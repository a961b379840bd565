"""Calls about use over time and about quota that is not used, at both doors."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from quotas.actions.returns import return_quota
from quotas.actions.usage_days import add_up_usage
from quotas.models import Account, Holder, Limit, QuotaReturn, UnusedQuota, UsagePeak
from quotas.tests.access.case import Case
from quotas.tests.access.sending import Sample, get, post, slug
from quotas.tests.site import GIB
from quotas.tests.using import use_for

PROJECT, UNIT = slug("atlas-reco"), slug("atlas")


def unused(case: Case) -> dict[str, Any]:
    """100 vCPU, of which 20 are used for long: what is found of that, and nobody was asked."""
    project, now = case.site.project, timezone.now()
    account, __ = Account.objects.update_or_create(
        offering=case.site.vcpu, project=project,
        defaults={"balance": 100, "holder": Holder.PROJECT},
    )  # fmt: skip
    if not UsagePeak.objects.filter(target__project=project, limit__key="cores").exists():
        use_for(project, "cores", 20, now)
        add_up_usage(now)
    UnusedQuota.objects.get_or_create(
        account=account,
        defaults={
            "balance": 100, "amount": 76, "limit": Limit.objects.get(key="cores"), "peak": 20,
            "peak_on": now.date(), "day_count": 90, "promised": 100, "found_at": now,
        },
    )  # fmt: skip
    return {"slug": "atlas-reco"}


def to_be_asked_about(case: Case) -> dict[str, Any]:
    """Space, hardly used for long, that nobody asks for and that was not given lately."""
    project, key = case.site.project, "gigabytes_storage-a"
    Account.objects.update_or_create(
        offering=case.site.space, project=project,
        defaults={"balance": 100 * GIB, "holder": Holder.PROJECT},
    )  # fmt: skip
    if not UsagePeak.objects.filter(target__project=project, limit__key=key).exists():
        use_for(project, key, 20 * GIB, timezone.now())
    return {"slug": "atlas-reco"}


def wanted(case: Case) -> dict[str, Any]:
    unused(case)
    account = Account.objects.get(project=case.site.project, offering=case.site.vcpu)
    return {"offering": case.site.vcpu.slug, "amount": 10, "seen": account.balance}


def returned(case: Case) -> dict[str, Any]:
    """By its manager, just now; not undone."""
    unused(case)
    found = QuotaReturn.objects.filter(undone_by=None).first() or return_quota(
        project=case.site.project, offering=case.site.vcpu, amount=10, seen=100,
        actor=case.people["manager"], now=timezone.now() - timedelta(minutes=1),
    )  # fmt: skip
    return {"slug": "atlas-reco", "pk": found.pk}


def with_a_return(case: Case) -> dict[str, Any]:
    return {"slug": returned(case)["slug"]}


def zone(case: Case) -> dict[str, Any]:
    return {"zone_id": "geneva.compute-a"}


def because(case: Case) -> dict[str, Any]:
    return {"reason": "tests"}


UNUSED: dict[str, list[Sample]] = {
    # Pages
    "unit_usage": [get(UNIT), get(UNIT, "?days=30")],
    "zone_detail": [get(zone), get(zone, "?days=365")],
    "unused_list": [get(), get(query="?resource=vcpu&region=geneva&unit=atlas&sums=yes")],
    "project_unused": [get(unused)],
    "quota_return": [post(unused, wanted)],
    "return_undo": [post(returned)],
    "return_ask": [post(to_be_asked_about, because)],
    # API
    "api_project_usage_days": [get(unused), get(unused, "?key=cores&endpoint=nova-geneva")],
    "api_unit_usage": [get(UNIT), get(UNIT, "?key=cores&since=2026-01-01")],
    "api_zone_usage": [get(zone), get(zone, "?until=2030-01-01")],
    "api_unused": [get(), get(query="?resource=vcpu&region=geneva&unit=atlas")],
    "api_unused_sums": [get(), get(query="?resource=vcpu")],
    "api_project_unused": [get(unused)],
    "api_returns": [get(with_a_return), post(unused, wanted, row="ask")],
    "api_return_undo": [post(returned, lambda case: {})],
    "api_return_ask": [post(to_be_asked_about, because)],
}
