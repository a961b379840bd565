"""The queue of a decider: what waits for me, what it would do, what is odd about it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from portal.jinja import draw
from portal.lib.access import shows
from projects.rules import may_decide_somewhere
from projects.views.viewer import viewer_of
from quotas.queries.queue_wishes import COUNTED, LAST_PAGE, Order, Wanted
from quotas.queries.waiting import QueuePage, queue_page
from quotas.views.queue_rows import rows_of_page, table_of

DAY_CHOICES = (1, 3, 7, 14, 30)


@shows("own")
@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """One page of the queue, in the order and with the filter of the address."""
    viewer = viewer_of(request)
    wanted = Wanted.read(request.GET)
    page = queue_page(viewer, wanted)
    if not page.requests and wanted.page > 1:
        return redirect(queue_url(wanted))
    rows = rows_of_page(viewer, page.requests, wanted)
    context = {
        "here": "decide",
        "rows": rows,
        "table": table_of(rows, request, viewer, wanted) if rows else "",
        "page": page,
        "count_words": _capped(page.count),
        "pager_words": _pager_words(page),
        "previous": wanted.query(page=wanted.page - 1) or "?" if wanted.page > 1 else "",
        "next": _next(page, wanted),
        "wanted": wanted,
        "wanted_query": wanted.query(page=1),
        "filters": _filters(page, wanted) if rows or wanted.is_narrowed else "",
        # What the frame would ask for by itself.
        "queue_count": page.waiting_count,
        "order_words": Order(wanted.order).label,
        "has_remit": may_decide_somewhere(viewer),
    }
    return render(request, "decide/queue.html", context)


def _next(page: QueuePage, wanted: Wanted) -> str:
    """The address of the next page; "" where there is none, or none that anybody comes to."""
    if not page.has_next or wanted.page >= LAST_PAGE:
        return ""
    return wanted.query(page=wanted.page + 1)


def _filters(page: QueuePage, wanted: Wanted) -> SafeString:
    ages = [
        (
            each,
            ngettext("Older than %(counter)s day", "Older than %(counter)s days", each)
            % {"counter": each},
        )
        for each in DAY_CHOICES
    ]
    return draw(
        "decide/_filters.jinja", choices=page.choices, wanted=wanted, ages=ages,
        orders=[(value, capfirst(words)) for value, words in Order.choices],
        queue_url=reverse("queue"),
    )  # fmt: skip


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
