"""Deciding many requests at once: a job with one result each.

What the decider saw of each request goes with it, so that one which has changed since is
refused and not decided. Authority is asked for each when its turn comes.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.errors import Forbidden, Invalid, NotVisible
from projects.models import User
from projects.queries.viewers import Viewer
from projects.rules import may_decide_somewhere
from quotas.models import DecisionKind, Job, JobItem, QuotaRequest
from quotas.queries.deciding import waiting_lines
from quotas.queries.requests import visible_requests

from . import decide
from .decide_each import approve_each
from .jobs import job_kind, start_job
from .shown import Shown
from .wishes import clean_text

# More than a page of the queue holds, few enough to be looked at before.
MOST_REQUESTS = 200
VERBS = (DecisionKind.APPROVE, DecisionKind.DECLINE, DecisionKind.RETURN)


def decide_many(
    *, kind: DecisionKind, shown: Collection[Shown], reason: str, actor: User, now: datetime
) -> Job:
    """Start the job: approve as asked, decline or return the lines that were shown.

    reason: goes with each; needed to decline or return. Raises Forbidden for who decides
    nowhere, and Invalid by field. Requests that the person may not see are passed over.
    """
    viewer = Viewer.of(actor, now)
    check_decides_somewhere(viewer)
    if kind not in VERBS:
        raise Invalid({"verb": [_("Many at once are approved, declined or returned.")]})
    needs_reason = kind != DecisionKind.APPROVE
    text = clean_text(reason, field="reason", required=needs_reason)
    by_number = {each.number: each for each in shown}
    if len(by_number) > MOST_REQUESTS:
        words = {"count": len(by_number), "most": MOST_REQUESTS}
        raise Invalid(
            {"requests": [_("%(count)s are too many at once; %(most)s is the most.") % words]}
        )
    # Nothing of others comes into the job by its number: its items name their projects.
    known = set(
        visible_requests(viewer)
        .filter(pk__in=by_number, submitted_at__isnull=False)
        .values_list("pk", flat=True)
    )
    chosen = [each for number, each in by_number.items() if number in known]
    if not chosen:
        raise Invalid({"requests": [_("Choose at least one request.")]})
    arguments: dict[str, Any] = {
        "reason": text,
        "shown": {
            str(each.number): {
                "version": each.version,
                "seen": {str(line_id): balance for line_id, balance in each.seen.items()},
            }
            for each in chosen
        },
    }
    numbers = [each.number for each in chosen]
    return start_job(
        kind=f"{kind.value} many", subjects=numbers, arguments=arguments, actor=actor, now=now
    )


def check_decides_somewhere(viewer: Viewer) -> None:
    """Raise Forbidden for who has no queue at all."""
    if not may_decide_somewhere(viewer):
        raise Forbidden(_("You hold no delegation to decide quota."))


def _shown(item: JobItem, job: Job) -> tuple[QuotaRequest, Shown]:
    """The request of an item, and what was seen of it; raises NotVisible."""
    quota_request = (
        QuotaRequest.objects.filter(pk=item.subject_id).select_related("project__unit").first()
    )
    if quota_request is None:
        raise NotVisible(_("There is no such request."))
    return quota_request, _seen(item, job)


def _seen(item: JobItem, job: Job) -> Shown:
    """What was seen of the request of an item."""
    told = job.arguments["shown"][str(item.subject_id)]
    seen = {int(line_id): int(balance) for line_id, balance in told["seen"].items()}
    return Shown(item.subject_id, int(told["version"]), seen)


def _approve_items(items: Sequence[JobItem], job: Job, now: datetime) -> frozenset[int]:
    return approve_each(
        shown=[_seen(each, job) for each in items], reason=job.arguments["reason"],
        actor=job.actor, now=now,
    )  # fmt: skip


@job_kind(
    "approve many",
    subject="request",
    title=gettext_lazy("Approve as asked"),
    act_on_many=_approve_items,
)
def _approve_item(item: JobItem, job: Job, now: datetime) -> None:
    # As they stand now: if that is not what was seen, the version tells, and it is refused.
    lines, shown = waiting_lines(item.subject_id), _seen(item, job)
    wanted = {pk: each.line.wanted for pk, each in lines.items()}
    asked = next((each.line.request for each in lines.values()), None)
    quota_request = asked or _shown(item, job)[0]
    decide.approve_inside(
        quota_request=quota_request, granted={each: wanted.get(each, 0) for each in shown.seen},
        seen=shown.seen, version=shown.version, reason=job.arguments["reason"], actor=job.actor,
        now=now,
    )  # fmt: skip


@job_kind("decline many", subject="request", title=gettext_lazy("Decline"))
def _decline_item(item: JobItem, job: Job, now: datetime) -> None:
    quota_request, shown = _shown(item, job)
    decide.decline(
        quota_request=quota_request, line_ids=sorted(shown.seen), reason=job.arguments["reason"],
        version=shown.version, actor=job.actor, now=now,
    )  # fmt: skip


@job_kind("return many", subject="request", title=gettext_lazy("Return with a question"))
def _return_item(item: JobItem, job: Job, now: datetime) -> None:
    quota_request, shown = _shown(item, job)
    decide.return_(
        quota_request=quota_request, line_ids=sorted(shown.seen), version=shown.version,
        question=job.arguments["reason"], actor=job.actor, now=now,
    )  # fmt: skip
