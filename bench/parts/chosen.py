"""What can be asked for and decided on a made site: what the verbs are measured on."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from bench.harness.people import Who
from portal.lib.amounts import input_text
from projects.models import Membership, User
from projects.queries.viewers import Viewer
from projects.states import Role
from quotas.actions.shown import Shown
from quotas.models import Account, RequestLine
from quotas.queries.queue_wishes import Wanted
from quotas.queries.waiting import queue_page
from quotas.states import PENDING, LineState

MOST_PAGES = 20


@dataclass(frozen=True)
class Asking:
    """An owner, her project, and an offering that it has and of which nothing is asked for yet.

    step: the least that can be asked for, as people type it.
    """

    asker: int
    project: str
    region: str
    offering: str
    step: str


def askings(who: Who, count: int) -> list[Asking]:
    """So many of different projects that something waits for the decider from; fewer if no more.

    A decider's bounds are of a project in a month, so that each takes a decision or two.
    """
    viewer = Viewer.of(User.objects.get(pk=who.decider), timezone.now())
    projects: dict[int, Asking] = {}
    for number in range(1, MOST_PAGES):
        page = queue_page(viewer, Wanted(page=number))
        for row in page.requests:
            if row.project_id not in projects and (found := _asking(row.project_id, who)):
                projects[row.project_id] = found
        if len(projects) >= count or not page.has_next:
            break
    return list(projects.values())[:count]


def _asking(project_id: int, who: Who) -> Asking | None:
    owner = (
        Membership.objects.filter(project=project_id, role=Role.OWNER, user__isnull=False)
        .exclude(user=who.decider).order_by("pk").first()
    )  # fmt: skip
    asked = RequestLine.objects.filter(project=project_id, state__in=PENDING)
    held = (
        Account.objects.filter(project=project_id, balance__gt=0)
        .exclude(offering__in=asked.values("offering"))
        .select_related("project", "offering__resource", "offering__zone__region")
        .order_by("offering_id").first()
    )  # fmt: skip
    if owner is None or owner.user_id is None or held is None or held.project is None:
        return None
    offering, resource = held.offering, held.offering.resource
    return Asking(
        owner.user_id, held.project.slug, offering.zone.region.slug, offering.slug,
        input_text(resource.step, resource.unit),
    )  # fmt: skip


def shown_of(numbers: Sequence[int]) -> list[str]:
    """These requests as the boxes of the queue carry them: what is open of each, as it is now."""
    lines = (
        RequestLine.objects.filter(request__in=numbers, state=LineState.OPEN)
        .select_related("request").order_by("request_id", "pk")
    )  # fmt: skip
    balances = {
        (project, offering): balance
        for project, offering, balance in Account.objects.filter(
            project__in=lines.values("project")
        ).values_list("project", "offering", "balance")
    }
    seen: dict[int, dict[int, int]] = {}
    versions: dict[int, int] = {}
    for line in lines:
        versions[line.request_id] = line.request.version
        balance = balances.get((line.project_id, line.offering_id), 0)
        seen.setdefault(line.request_id, {})[line.pk] = balance
    return [Shown(number, versions[number], lines).text() for number, lines in seen.items()]
