"""The queue of a decider: what waits for me, what it would do, what is odd about it."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.lib.access import shows
from portal.lib.amounts import format_amount, input_text
from projects.queries.viewers import Viewer
from projects.rules import may_decide_somewhere
from projects.views.viewer import viewer_of
from quotas.actions.bulk import Shown
from quotas.models import QuotaRequest
from quotas.queries.decision_figures import LineFigures, by_request, tightest
from quotas.queries.queue_figures import figures_at_a_glance
from quotas.queries.queue_wishes import COUNTED, Order, Wanted
from quotas.queries.waiting import QueuePage, lines_of_page, queue_page

DAY_CHOICES = (1, 3, 7, 14, 30)


@dataclass(frozen=True)
class Row:
    """A request in the queue with what its lines would do, and what can be done right here."""

    request: QuotaRequest
    lines: list[LineFigures]
    tightest: LineFigures | None
    noticed: list[dict[str, str]]

    @property
    def deciding(self) -> list[LineFigures]:
        """The lines that wait for a decision rather than an endorsement."""
        return [each for each in self.lines if each.is_to_decide and each.is_reached]

    @property
    def can_decide(self) -> bool:
        is_whole = len(self.deciding) == len(self.lines) or not self.request.all_or_nothing
        return bool(self.deciding) and is_whole

    @property
    def can_as_asked(self) -> bool:
        return self.can_decide and all(each.can_be_granted for each in self.deciding)

    @property
    def proposed(self) -> list[tuple[LineFigures, str]]:
        """Each line to decide with the amount to begin with: as asked, or the most there is."""
        return [
            (each, input_text(_proposal(each, is_whole=self.request.all_or_nothing), each.unit))
            for each in self.deciding
        ]

    @property
    def shown(self) -> str:
        """What is seen of it here, as a bulk decision carries it."""
        seen = {each.line.pk: each.balance for each in self.deciding}
        return Shown(self.request.pk, self.request.version, seen).text()


def _proposal(figures: LineFigures, *, is_whole: bool) -> int:
    can_trim = not is_whole and figures.most > figures.balance
    return figures.most if can_trim else figures.line.wanted


@shows("own")
@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """One page of the queue, in the order and with the filter of the address."""
    viewer = viewer_of(request)
    wanted = Wanted.read(request.GET)
    page = queue_page(viewer, wanted)
    if not page.requests and wanted.page > 1:
        return redirect(queue_url(wanted))
    context = {
        "here": "decide",
        "rows": rows_of_page(viewer, page.requests),
        "page": page,
        "count_words": _capped(page.count),
        "pager_words": _pager_words(page),
        "previous": wanted.query(page=wanted.page - 1) or "?" if wanted.page > 1 else "",
        "next": wanted.query(page=wanted.page + 1) if page.has_next else "",
        "wanted": wanted,
        "wanted_query": wanted.query(page=1),
        "here_query": wanted.query(),
        "choices": page.choices,
        # What the frame would ask for by itself.
        "queue_count": page.waiting_count,
        "orders": Order.choices,
        "day_choices": DAY_CHOICES,
        "order_words": Order(wanted.order).label,
        "has_remit": may_decide_somewhere(viewer),
    }
    return render(request, "decide/queue.html", context)


def rows_of_page(viewer: Viewer, requests: list[QuotaRequest]) -> list[Row]:
    """The requests with their figures: the same number of queries for any number of them."""
    lines, mandates = lines_of_page(viewer, requests)
    grouped = by_request(figures_at_a_glance(lines, mandates, viewer.now).values())
    found = []
    for each in requests:
        figures = grouped.get(each.pk, [])
        found.append(Row(each, figures, tightest(figures), noticed(each, figures)))
    return found


def noticed(quota_request: QuotaRequest, lines: list[LineFigures]) -> list[dict[str, str]]:
    """What somebody who has forty of these should see at a glance, the gravest first."""
    found: list[dict[str, Any]] = []
    for line in lines:
        found += _noticed_of_line(line)
    found += _noticed_tasks(lines)
    found += _noticed_use(lines)
    if lines and all(line.change < 0 for line in lines):
        found.append({"tone": "ok", "icon": "back", "text": _("gives back")})
    if quota_request.until_on is not None:
        found.append({"tone": "busy", "icon": "calendar", "text": _("returns by itself")})
    if quota_request.all_or_nothing and len(lines) > 1:
        found.append({"tone": "busy", "icon": "info", "text": _("all lines or none")})
    order = ["bad", "busy", "warn", "ok"]
    return sorted(found, key=lambda each: order.index(each["tone"]))


def _noticed_of_line(line: LineFigures) -> list[dict[str, str]]:
    words = {
        "resource": line.offering.resource.name,
        "zone": line.offering.zone.place,
        "short": format_amount(line.short, line.unit),
        "most": format_amount(line.most, line.unit),
        "bound": format_amount(line.bound or 0, line.unit),
    }
    found = []
    if line.short:
        said = (
            _("%(short)s short: grant up to %(most)s in all")
            if line.most > line.balance
            else _("%(short)s short in %(zone)s")
        )
        found.append({"tone": "bad", "icon": "stop", "text": said % words})
    if not line.is_reached:
        said = _("not in your remit: %(resource)s in %(zone)s")
        found.append({"tone": "busy", "icon": "up", "text": said % words})
    elif line.is_to_decide and line.is_beyond_bound:
        said = (
            _("above the %(bound)s %(resource)s left of your remit")
            if line.widest.used
            else _("above your %(bound)s %(resource)s per decision")
        )
        found.append({"tone": "busy", "icon": "up", "text": said % words})
    if line.endorsed is not None:
        words["endorsed"] = format_amount(line.endorsed, line.quota_unit)
        said = _("endorsed: %(endorsed)s %(resource)s in %(zone)s")
        found.append({"tone": "ok", "icon": "stamp", "text": said % words})
    if line.is_below_use:
        said = _("more %(resource)s in use in %(zone)s")
        found.append({"tone": "warn", "icon": "warn", "text": said % words})
    return found


def _noticed_tasks(lines: list[LineFigures]) -> list[dict[str, str]]:
    """What of it the person may only endorse, zone by zone."""
    resources: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        if line.is_reached and not line.is_to_decide:
            resources[line.offering.zone.place].append(line.offering.resource.name)
    said = _("to endorse: %(resources)s in %(zone)s")
    return [
        {
            "tone": "busy",
            "icon": "stamp",
            "text": said % {"resources": ", ".join(names), "zone": zone},
        }
        for zone, names in resources.items()
    ]


def _noticed_use(lines: list[LineFigures]) -> list[dict[str, str]]:
    """The least used of what is asked to grow; one is reason enough to open the request."""
    idle = [
        (line.use.percent, line.line.pk, line)
        for line in lines
        if line.change > 0 and line.use is not None and line.use.percent is not None
        if line.use.is_low
    ]
    if not idle:
        return []
    percent, _pk, line = min(idle)
    words = {
        "resource": line.offering.resource.name,
        "zone": line.offering.zone.place,
        "percent": percent,
    }
    said = _("%(resource)s in %(zone)s %(percent)s\u00a0%% used")
    return [{"tone": "warn", "icon": "warn", "text": said % words}]


def _capped(count: int) -> str:
    return _("1,000+") if count > COUNTED else str(count)


def _pager_words(page: QueuePage) -> str:
    words = {"first": page.first, "last": page.last, "count": _capped(page.count)}
    return _("%(first)s–%(last)s of %(count)s") % words


def decide_url(number: int, wanted: Wanted) -> str:
    """The page of one request, with the way through the same queue."""
    return reverse("decide", kwargs={"number": number}) + wanted.query(page=1)


def queue_url(wanted: Wanted) -> str:
    """The queue as it was seen, from its first page."""
    return reverse("queue") + wanted.query(page=1)
