"""What pages about use and unused quota are looked at with, on the demo site."""

from typing import Any

from django.utils import timezone

from projects.models import Project, User
from quotas.actions.returns import return_quota
from quotas.actions.unused import find_unused
from quotas.actions.usage_days import add_up_usage
from quotas.models import QuotaReturn
from quotas.queries.unused import unused_of


def found_unused() -> dict[str, Any]:
    """All projects were looked at, and what they used today is added up."""
    now, after = timezone.now(), 0
    add_up_usage(now)
    while after := find_unused(now, after):
        pass
    return {}


def a_project_that_returned() -> dict[str, Any]:
    """Atlas reconstruction with something unused, and something that Alice returned just now."""
    found_unused()
    project, now = Project.objects.get(slug="atlas-reco"), timezone.now()
    if not QuotaReturn.objects.filter(account__project=project).exists():
        first = unused_of([project], now)[project.pk][0]
        return_quota(
            project=project, offering=first.offering, amount=first.amount,
            seen=first.account.balance, actor=User.objects.get(subject="alice"), now=now,
        )  # fmt: skip
    return {"slug": "atlas-reco"}
