"""Why is it still waiting? For each open line whom it waits for, since when, and what comes next.

And why no rule granted it; and where nobody could decide it, the reason, in the words that the
coverage page uses too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.working_days import Calendar
from projects.models import Group, Project, User
from projects.queries.patience import site_calendar
from projects.queries.viewers import Viewer
from projects.rules import may_see_figures
from quotas.models import QuotaRequest, RequestLine
from quotas.states import AssignmentKind, LineState

from .authority import Mandate, delegate_of
from .deciders import Deciders, deciders_of
from .endorsements import Endorsement, endorsements_of, turns_left
from .outlooks import outlooks
from .policies import left_to_people
from .policy_words import RuleSays, outlook_words

# Working days: how long before the first nudge, and from one to the next.
BEFORE_NUDGE = 0.5
BETWEEN_NUDGES = 1


class Nobody(models.TextChoices):
    """Why a line waits for nobody."""

    ENDED = "ended", gettext_lazy("every root has ended")
    INTERESTED = "interested", gettext_lazy("all who could decide have a part in it")
    NOT_COVERED = "not covered", gettext_lazy("nobody's remit speaks of it")


def why_nobody(deciders: Deciders) -> Nobody | None:
    """Why nobody can decide a line; None: somebody can."""
    if deciders.levels:
        return None
    if not deciders.held:
        return Nobody.ENDED
    return Nobody.INTERESTED if not deciders.free else Nobody.NOT_COVERED


def nobody_words(why: Nobody, line: RequestLine, project: Project) -> str:
    """A sentence with what would help."""
    words = {
        "unit": project.unit.label,
        "project": project.name,
        "resource": line.offering.resource.name,
        "zone": line.offering.zone.name,
    }
    if why == Nobody.ENDED:
        sentence = _(
            "Nobody may decide for %(unit)s: every delegation has ended. Those who run the site "
            "grant a new root."
        )
    elif why == Nobody.INTERESTED:
        sentence = _(
            "Everybody who may decide for %(unit)s has a part in %(project)s or has left. "
            "Somebody above must hand the power to somebody else."
        )
    else:
        sentence = _(
            "Nobody's remit for %(unit)s speaks of %(resource)s in %(zone)s. Those who run the "
            "site can grant one that does."
        )
    return sentence % words


@dataclass(frozen=True)
class Step:
    """People or groups of one level; `unit` is where they hold their delegations."""

    names: tuple[User | Group, ...]
    unit: str


@dataclass(frozen=True)
class LineWait:
    """Why one line still waits. `worked`: how long it waits, in working time.

    decides: whom it waits for, the nearest level first; goes_up_to: who comes on top when it
    is handed up; nobody: why nobody can decide it, in a sentence. rules: what each that is about
    it says of it now; is_for_people: no rule is asked, whatever it says.
    """

    line: RequestLine
    decides: tuple[Step, ...]
    endorses: Step | None
    goes_up_to: Step | None
    endorsements: tuple[Endorsement, ...]
    worked: timedelta
    reason: Nobody | None
    nobody: str
    rules: tuple[RuleSays, ...]
    is_for_people: bool

    @property
    def like(self) -> tuple[object, ...]:
        """What is the same for lines that are told together; rules speak of each by itself."""
        line = self.line
        moments = (line.waits_since, line.remind_at, line.escalate_at)
        return (
            self.decides,
            self.endorses,
            self.goes_up_to,
            self.endorsements,
            moments,
            self.nobody,
        )

    @property
    def worked_words(self) -> str:
        """Return "3 working days"; days that have not passed whole count as none."""
        days = self.worked // timedelta(days=1)
        if days == 0:
            return _("less than a working day")
        if days == 1:
            return _("1 working day")
        return _("%(days)s working days") % {"days": days}


@dataclass(frozen=True)
class Waiting:
    """nudge_at: when the requester may next ask the deciders to look; None: nothing is open."""

    lines: tuple[LineWait, ...]
    nudge_at: datetime | None

    @property
    def groups(self) -> list[list[LineWait]]:
        """Lines of which the same can be said, together."""
        found: dict[tuple[object, ...], list[LineWait]] = {}
        for each in self.lines:
            found.setdefault(each.like, []).append(each)
        return list(found.values())

    def may_nudge(self, now: datetime) -> bool:
        return self.nudge_at is not None and self.nudge_at <= now


def waiting_of(quota_request: QuotaRequest, viewer: Viewer) -> Waiting:
    """Everything about why a request waits; a fixed number of queries, one if nothing is open.

    quota_request: with `project.unit`. What rules say of envelopes and zones has figures for who
    may see them.
    """
    lines = list(
        RequestLine.objects.filter(request=quota_request, state=LineState.OPEN).select_related(
            "offering__resource", "offering__zone__region"
        )
    )
    if not lines:
        return Waiting((), None)
    for line in lines:
        line.request, line.project = quota_request, quota_request.project
    now = viewer.now
    deciders = deciders_of(lines, now)
    said = endorsements_of(lines)
    rules = _rules(quota_request, lines, deciders, viewer)
    for_people = left_to_people(lines) if rules else set()
    calendar = site_calendar()
    return Waiting(
        lines=tuple(
            _wait(
                line, deciders[line.pk], said.get(line.pk, []), rules.get(line.pk, ()),
                line.pk in for_people, calendar, now,
            )
            for line in lines
        ),
        nudge_at=nudge_at(quota_request, lines, calendar),
    )  # fmt: skip


def _rules(
    quota_request: QuotaRequest, lines: Sequence[RequestLine], deciders: Mapping[int, Deciders],
    viewer: Viewer,
) -> dict[int, tuple[RuleSays, ...]]:  # fmt: skip
    """{line id: what each rule about it says now}."""
    project = quota_request.project
    found = outlooks(
        project, {line.offering: line.wanted for line in lines},
        {line.offering_id: deciders[line.pk] for line in lines}, viewer.now,
        all_or_nothing=quota_request.all_or_nothing,
    )  # fmt: skip
    with_figures = may_see_figures(viewer, project.unit.path)
    return {
        line.pk: outlook_words(found[line.offering_id], line.offering, with_figures=with_figures)
        for line in lines
        if line.offering_id in found
    }


def nudge_at(
    quota_request: QuotaRequest, lines: Iterable[RequestLine], calendar: Calendar
) -> datetime | None:
    """From when on the requester may nudge: half a working day after it was sent, then daily."""
    since = [each.waits_since for each in lines if each.waits_since is not None]
    if not since:
        return None
    first = calendar.after(min(since), BEFORE_NUDGE)
    if quota_request.nudged_at is None:
        return first
    return max(first, calendar.after(quota_request.nudged_at, BETWEEN_NUDGES))


def _wait(
    line: RequestLine,
    deciders: Deciders,
    said: list[Endorsement],
    rules: tuple[RuleSays, ...],
    is_for_people: bool,
    calendar: Calendar,
    now: datetime,
) -> LineWait:
    endorses = [
        each.mandate
        for each in turns_left(deciders, line.level, said)
        if each.kind == AssignmentKind.ENDORSE
    ]
    above = deciders.levels[line.level + 1 : line.level + 2]
    why = why_nobody(deciders)
    return LineWait(
        line=line,
        decides=tuple(_step(each) for each in deciders.levels[: line.level + 1]),
        endorses=_step(endorses) if endorses else None,
        goes_up_to=_step(above[0]) if above and line.escalate_at is not None else None,
        endorsements=tuple(said),
        worked=calendar.between(line.waits_since, now) if line.waits_since else timedelta(0),
        reason=why,
        nobody=nobody_words(why, line, line.project) if why is not None else "",
        rules=rules,
        is_for_people=is_for_people,
    )


def _step(mandates: Collection[Mandate]) -> Step:
    holders = {(type(each), each.pk): each for each in map(delegate_of, mandates)}
    return Step(tuple(holders.values()), next(iter(mandates)).delegation.unit.label)
