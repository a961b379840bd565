"""What a letter tells: each notice in a sentence, with the figures and words behind it.

Of what its reader may see when it is written; what is over, turned off or seen is left out.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.amounts import format_amount
from portal.lib.plain import one_line
from projects.models import Letter, Notice, ProjectAct
from projects.outgoing.mail_choices import Wanted
from projects.outgoing.mail_kinds import usual
from projects.queries.viewers import Viewer
from projects.states import MailWay, NoticeKind
from quotas.models import Announcement, Comment, Decision, DecisionLine, QuotaRequest, RequestLine

from .notice_words import sentence_of, url_of, what_of
from .notices import TASKS, NoticeRow, notice_rows
from .unused_lists import current_unused

MOST_LINES = 12
MOST_TEXT = 2_000
# What was written on a request, by a comment or an answer.
WRITTEN = (NoticeKind.COMMENTED, NoticeKind.ANSWERED)


@dataclass(frozen=True)
class Part:
    """One notice as a letter tells it. `words`: what somebody wrote, line by line."""

    kind: str
    sentence: str
    what: str
    at: datetime
    url: str
    figures: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def is_waiting(self) -> bool:
        return usual(self.kind).is_urgent


@dataclass
class _Behind:
    """What stands behind notices of requests, found for all of them at once."""

    lines: dict[int, list[RequestLine]] = field(default_factory=lambda: defaultdict(list))
    decisions: dict[tuple[int, datetime], Decision] = field(default_factory=dict)
    decided: dict[int, list[DecisionLine]] = field(default_factory=lambda: defaultdict(list))
    comments: dict[tuple[int, datetime], Comment] = field(default_factory=dict)
    # {act: what its project does not use, what was said as it was asked to return that}
    unused: dict[int, tuple[list[str], str]] = field(default_factory=dict)


def parts_of(letter: Letter, viewer: Viewer, wanted: Wanted) -> list[Part]:
    """What is left to tell, the oldest first, what waits for its reader before the rest."""
    notices = list(
        Notice.objects.filter(mailed__letter=letter).select_related("event__actor").order_by("pk")
    )
    wished = [each for each in notices if wanted.way(each.kind) != MailWay.OFF]
    if letter.is_digest:
        wished = [each for each in wished if each.read_at is None]
    rows = [each for each in notice_rows(wished, viewer) if each.subject and not each.is_over]
    behind = _behind(rows)
    parts = [_part(each, behind) for each in rows]
    return sorted(parts, key=lambda each: not each.is_waiting)


def subject_of(parts: Collection[Part], *, is_digest: bool) -> str:
    """Return "Dana approved #1042 for atlas-reco", or of more "#1042 for atlas-reco: 3 news"."""
    first = next(iter(parts))
    count = len(parts)
    if is_digest:
        said = ngettext(
            "Remit: %(count)d thing of the day", "Remit: %(count)d things of the day", count
        )
        return said % {"count": count}
    if count == 1:
        return one_line(first.sentence, 200)
    return one_line(_("%(what)s: %(count)d news") % {"what": first.what, "count": count}, 200)


def _part(row: NoticeRow, behind: _Behind) -> Part:
    figures, words = _facts(row, behind)
    path = url_of(row)
    return Part(
        kind=row.notice.kind,
        sentence=one_line(sentence_of(row)),
        what=one_line(what_of(row)),
        at=row.notice.at,
        url=settings.SITE_URL + path if path else "",
        figures=tuple(one_line(each) for each in figures),
        words=tuple(one_line(each, MOST_TEXT) for each in words[:MOST_TEXT].splitlines()),
    )


def _facts(row: NoticeRow, behind: _Behind) -> tuple[list[str], str]:
    """(figures, what was written) behind one notice."""
    asked = row.subject
    if row.notice.kind == NoticeKind.UNUSED:
        return behind.unused.get(row.notice.event.data.get("act", 0), ([], ""))
    if isinstance(asked, Announcement):
        return _zones(asked), asked.text
    if not isinstance(asked, QuotaRequest):
        return [], ""
    key = (asked.pk, row.notice.event.at)
    if row.notice.kind in WRITTEN:
        comment = behind.comments.get(key)
        return [], comment.text if comment else ""
    decision = behind.decisions.get(key)
    if decision is not None:
        return _capped(_granted(each) for each in behind.decided[decision.pk]), decision.reason
    if row.notice.kind in (*TASKS, NoticeKind.ASKED):
        return _capped(_wanted(each) for each in behind.lines[asked.pk]), asked.reason
    return [], ""


def _zones(announcement: Announcement) -> list[str]:
    """Return "compute-a (geneva)" for each zone that it is about."""
    return _capped(f"{each.name} ({each.region.name})" for each in announcement.zones.all())


def _capped(figures: Iterable[str]) -> list[str]:
    found = list(figures)
    more = len(found) - MOST_LINES
    if more <= 1:
        return found
    return [*found[:MOST_LINES], _("and %(count)d more") % {"count": more}]


def _granted(decided: DecisionLine) -> str:
    """Return "vCPU, compute-a: 192 granted, 192 asked for"; of what was not granted, the wish."""
    figures = {"asked": _amount(decided.line, decided.line.wanted), "what": _name(decided.line)}
    for amount, said in (
        (decided.granted, _("%(what)s: %(given)s granted, %(asked)s asked for")),
        (decided.endorsed, _("%(what)s: %(given)s endorsed, %(asked)s asked for")),
    ):
        if amount is not None:
            return said % (figures | {"given": _amount(decided.line, amount)})
    return _("%(what)s: %(asked)s asked for") % figures


def _wanted(line: RequestLine) -> str:
    return _("%(what)s: from %(now)s to %(asked)s") % {
        "what": _name(line),
        "asked": _amount(line, line.wanted),
        "now": _amount(line, line.balance_seen),
    }


def _name(line: RequestLine) -> str:
    zone = line.offering.zone
    return f"{line.offering.resource.name}, {zone.name} ({zone.region.name})"


def _amount(line: RequestLine, value: int) -> str:
    return format_amount(value, line.offering.resource.quota_unit)


def _behind(rows: Collection[NoticeRow]) -> _Behind:
    """Four queries for any number of notices of requests, two of what is unused; none without."""
    found = _Behind(unused=unused_behind(rows))
    ids = {each.subject.pk for each in rows if isinstance(each.subject, QuotaRequest)}
    if not ids:
        return found
    moments = {each.notice.event.at for each in rows}
    offerings = "offering__resource", "offering__zone__region"
    for line in RequestLine.objects.filter(request__in=ids).select_related(*offerings):
        found.lines[line.request_id].append(line)
    for decision in Decision.objects.filter(request__in=ids, at__in=moments):
        found.decisions[decision.request_id, decision.at] = decision
    by_lines = DecisionLine.objects.filter(decision__in=found.decisions.values())
    names = [f"line__{each}" for each in offerings]
    for decided in by_lines.select_related("line", *names).order_by("pk"):
        found.decided[decided.decision_id].append(decided)
    for comment in Comment.objects.filter(request__in=ids, at__in=moments):
        found.comments[comment.request_id, comment.at] = comment
    return found


def unused_behind(rows: Collection[NoticeRow]) -> dict[int, tuple[list[str], str]]:
    """{act: (figures, words)} of those by which owners were asked to return something."""
    asked = [each.notice.event for each in rows if each.notice.kind == NoticeKind.UNUSED]
    if not asked:
        return {}
    acts = ProjectAct.objects.filter(pk__in=[each.data.get("act", 0) for each in asked])
    figures: dict[int, list[str]] = defaultdict(list)
    for each in current_unused().filter(account__project__in=[one.project_id for one in asked]):
        offering = each.account.offering
        words = {
            "what": f"{offering.resource.name}, {offering.zone.place}",
            "amount": format_amount(each.amount, offering.resource.unit),
            "quota": format_amount(each.balance, offering.resource.unit),
        }
        said = _("%(what)s: %(amount)s of %(quota)s unused") % words
        figures[each.account.project_id or 0].append(said)
    return {each.pk: (_capped(figures[each.project_id]), each.reason) for each in acts}
