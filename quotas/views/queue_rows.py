"""A row of the queue: what a request asks for, what it would do, and what is odd about it."""

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from django.http import HttpRequest
from django.template.backends.utils import csrf_input
from django.urls import reverse
from django.utils.safestring import SafeString

from portal.jinja import draw
from portal.lib.amounts import format_amount, input_text
from portal.lib.bars import Bar, fill_bar
from portal.lib.moments import Reader
from portal.lib.words import gettext as _
from portal.templatetags.ui import state
from projects.queries.viewers import Viewer
from projects.states import ProjectState
from quotas.actions.shown import Shown
from quotas.models import QuotaRequest
from quotas.queries.decision_figures import LineFigures, by_request, tightest
from quotas.queries.queue_figures import figures_at_a_glance
from quotas.queries.queue_wishes import Wanted
from quotas.queries.waiting import lines_of_page

MOST_REASON = 90
_GRAVEST_FIRST = {"bad": 0, "busy": 1, "warn": 2, "ok": 3}
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_IN_SINGLE_QUOTES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#x27;"})


class Line(NamedTuple):
    """What one line asks for; noun: what follows the figure, where it does not say so itself.

    is_elsewhere: whether the line before was about another place.
    """

    change: int
    unit: str
    noun: str
    resource: str
    place: str
    is_elsewhere: bool


class Addresses(NamedTuple):
    """Where the form of a row leads, with "{number}" for the request's."""

    approve: str
    return_: str
    decline: str


class Gauge(NamedTuple):
    """The envelope that is the fullest afterwards."""

    shape: Bar
    figures: str
    zone: str


class Notice(NamedTuple):
    """One thing that should be seen of a row at a glance."""

    tone: str
    icon: str
    text: str


class Row(NamedTuple):
    """A request in the queue as it is drawn: plain texts, nothing to ask for. The template names
    its fields in this order.

    helper: who wrote it in the requester's name. seen: {line id: the quota of now} of the lines
    that the person could decide. shown: these, as a decision carries them; empty where the
    request cannot be decided here. lines_to_decide: with the amounts to begin with, as JSON for
    an attribute in single quotes.
    """

    number: int
    version: int
    url: str
    project: str
    is_new: bool
    requester: str
    helper: str
    reason: str
    lines: list[Line]
    gauge: Gauge | None
    noticed: list[Notice]
    submitted_at: datetime | None
    seen: dict[int, int]
    shown: str
    lines_to_decide: SafeString
    can_as_asked: bool


def rows_of_page(viewer: Viewer, requests: list[QuotaRequest], wanted: Wanted) -> list[Row]:
    """The requests with their figures: the same number of queries for any number of them."""
    lines, mandates = lines_of_page(viewer, requests)
    grouped = by_request(figures_at_a_glance(lines, mandates, viewer.now).values())
    row_of = _Rows(wanted)
    return [row_of(each, grouped.get(each.pk, [])) for each in requests]


def table_of(rows: list[Row], request: HttpRequest, viewer: Viewer, wanted: Wanted) -> SafeString:
    """The table of these rows, and once the form that decides one in place."""
    here = wanted.query()
    addresses = Addresses(
        *(
            _address_of(name, here)("{number}")
            for name in ("request_approve", "request_return", "request_decline")
        )
    )
    return draw(
        "decide/_rows.jinja",
        rows=rows, now=viewer.now, new_project=state(_("new project"), "plus", "busy"),
        addresses=addresses, csrf_input=csrf_input(request), reader=Reader.of_now(),
    )  # fmt: skip


class _Rows:
    """Makes rows; their address is made once for a page, and filled in."""

    def __init__(self, wanted: Wanted) -> None:
        self.url = _address_of("decide", wanted.query(page=1))

    def __call__(self, request: QuotaRequest, lines: list[LineFigures]) -> Row:
        number, project = request.pk, request.project
        deciding = [each for each in lines if each.is_to_decide and each.is_reached]
        is_whole = len(deciding) == len(lines) or not request.all_or_nothing
        can_decide = bool(deciding) and is_whole
        seen = {each.line.pk: each.balance for each in deciding}
        return Row(
            number=number,
            version=request.version,
            url=self.url(number),
            project=project.name,
            is_new=project.state == ProjectState.PROPOSED,
            requester=_named(request.requester),
            helper=_named(request.asked_by) if request.asked_by else "",
            reason=_cut(request.reason),
            lines=_lines(lines),
            gauge=_gauge(tightest(lines)),
            noticed=noticed(request, lines),
            submitted_at=request.submitted_at,
            seen=seen,
            shown=Shown(number, request.version, seen).text() if can_decide else "",
            lines_to_decide=_to_decide(deciding if can_decide else [], request.all_or_nothing),
            can_as_asked=can_decide and all(each.can_be_granted for each in deciding),
        )


def _address_of(name: str, query: str) -> Callable[[object], str]:
    # The last one: what the site lies below may have a digit too.
    before, _any, after = reverse(name, kwargs={"number": 0}).rpartition("0")
    return lambda number: f"{before}{number}{after}{query}"


def _named(person: object) -> str:
    return str(person).strip() or _("somebody (erased)")


def _cut(reason: str) -> str:
    return reason if len(reason) <= MOST_REASON else f"{reason[: MOST_REASON - 1]}…"


def _lines(figures: list[LineFigures]) -> list[Line]:
    found, before = list[Line](), None
    for each in figures:
        resource, place = each.resource, each.place
        found.append(
            Line(each.change, resource.quota_unit, each.noun, resource.name, place, place != before)
        )
        before = place
    return found


def _gauge(tight: LineFigures | None) -> Gauge | None:
    if tight is None or tight.envelope is None:
        return None
    fill = tight.envelope
    shape = fill_bar(fill.promised, tight.change, fill.size)
    return Gauge(shape, tight.envelope_figures, tight.offering.zone.name)


def _to_decide(lines: list[LineFigures], is_whole: bool) -> SafeString:
    """[resource, place, amount] of each, by their ids: as asked, or the most there is."""
    found = []
    for each in sorted(lines, key=lambda one: one.line.pk):
        can_trim = not is_whole and each.most > each.balance
        amount = input_text(each.most if can_trim else each.line.wanted, each.unit)
        found.append([each.resource.name, each.place, amount])
    text = _COMPACT.encode(found)
    # Escaped, but its many double quotes stay what they are.
    return SafeString(text.translate(_IN_SINGLE_QUOTES))


def noticed(quota_request: QuotaRequest, lines: list[LineFigures]) -> list[Notice]:
    """What somebody who has forty of these should see at a glance, the gravest first."""
    found: list[Notice] = []
    for line in lines:
        found += _noticed_of_line(line)
    if not all(line.is_to_decide for line in lines):
        found += _noticed_tasks(lines)
    found += _noticed_use(lines)
    if lines and all(line.change < 0 for line in lines):
        found.append(Notice("ok", "back", _("gives back")))
    if quota_request.until_on is not None:
        found.append(Notice("busy", "calendar", _("returns by itself")))
    if quota_request.all_or_nothing and len(lines) > 1:
        found.append(Notice("busy", "info", _("all lines or none")))
    return sorted(found, key=lambda each: _GRAVEST_FIRST[each.tone])


def _noticed_of_line(line: LineFigures) -> list[Notice]:
    found = []
    if line.short:
        said = (
            _("%(short)s short: grant up to %(most)s in all")
            if line.most > line.balance
            else _("%(short)s short in %(zone)s")
        )
        words = _words(line, short=line.short, most=line.most)
        found.append(Notice("bad", "stop", said % words))
    if not line.is_reached:
        said = _("not in your remit: %(resource)s in %(zone)s")
        found.append(Notice("busy", "up", said % _words(line)))
    elif line.is_to_decide and line.is_beyond_bound:
        said = (
            _("above the %(bound)s %(resource)s left of your remit")
            if line.widest.used
            else _("above your %(bound)s %(resource)s per decision")
        )
        found.append(Notice("busy", "up", said % _words(line, bound=line.bound or 0)))
    if line.endorsed is not None:
        said = _("endorsed: %(endorsed)s %(resource)s in %(zone)s")
        words = _words(line) | {"endorsed": format_amount(line.endorsed, line.quota_unit)}
        found.append(Notice("ok", "stamp", said % words))
    if line.is_below_use:
        said = _("more %(resource)s in use in %(zone)s")
        found.append(Notice("warn", "warn", said % _words(line)))
    return found


def _words(line: LineFigures, **amounts: int) -> dict[str, str]:
    """What a sentence about a line says of it, with these amounts."""
    said = {name: format_amount(each, line.unit) for name, each in amounts.items()}
    return {"resource": line.resource.name, "zone": line.place, **said}


def _noticed_tasks(lines: list[LineFigures]) -> list[Notice]:
    """What of it the person may only endorse, zone by zone."""
    resources: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        if line.is_reached and not line.is_to_decide:
            resources[line.place].append(line.resource.name)
    said = _("to endorse: %(resources)s in %(zone)s")
    return [
        Notice("busy", "stamp", said % {"resources": ", ".join(names), "zone": zone})
        for zone, names in resources.items()
    ]


def _noticed_use(lines: list[LineFigures]) -> list[Notice]:
    """The least used of what is asked to grow; one is reason enough to open the request."""
    idle = [
        (line.use.percent, line.line.pk, line)
        for line in lines
        if line.change > 0 and line.use is not None and line.use.is_low
    ]
    if not idle:
        return []
    percent, _pk, line = min(idle)
    said = _("%(resource)s in %(zone)s %(percent)s\u00a0%% used")
    return [Notice("warn", "warn", said % (_words(line) | {"percent": str(percent)}))]
