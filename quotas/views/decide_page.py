"""The page of one decision: its lines as boxes with figures, notices and what was typed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from portal.lib.amounts import AmountError, format_amount
from portal.lib.bar_words import fill_figures
from portal.lib.errors import DomainError, Invalid
from projects.models import Delegation, Group, User
from projects.queries.viewers import Viewer
from projects.states import Power
from quotas.models import QuotaRequest, RequestLine
from quotas.queries.authority import Mandate, deciding_for, delegate_of, mandates_for
from quotas.queries.decision_figures import LineFigures, figures_of, holder_name
from quotas.queries.endorsements import Endorsement, endorsements_of
from quotas.queries.explain import Reason, reasons_beside, room_of
from quotas.queries.proposals import standing_of
from quotas.queries.queue_heads import place_in_queue
from quotas.queries.queue_wishes import Wanted
from quotas.queries.request_lists import rows_of
from quotas.queries.requests import visible_requests
from quotas.states import LineState
from quotas.views.bounds import bound_words
from quotas.views.decide_form import Typed

EARLIER = 3


@dataclass(frozen=True)
class Obstacle:
    """Why a line cannot be granted as asked, or not be true soon, and what helps."""

    heading: str
    text: str
    tone: str = "bad"
    icon: str = "stop"


@dataclass(frozen=True)
class Box:
    """One line on the page; `granting` is what the figures after it suppose."""

    figures: LineFigures
    text: str
    is_ticked: bool
    granting: int
    obstacles: tuple[Obstacle, ...]
    endorsements: tuple[Endorsement, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def change(self) -> int:
        return self.granting - self.figures.balance

    def can_be_endorsed(self, user: User) -> bool:
        """More than the person may grant, and not endorsed by them already."""
        return (
            self.figures.is_reached
            and self.figures.is_beyond_bound
            and all(each.person.pk != user.pk for each in self.endorsements)
        )

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What bounds the line, the tightest first."""
        return reasons_beside(self.figures)

    @property
    def most_words(self) -> str:
        """Return "At most +40 here: why?"; where nothing bounds it, just that."""
        room = room_of(self.reasons, self.figures.offering)
        if room is None:
            return _("What bounds it")
        words = {"amount": format_amount(room, self.figures.unit)}
        return _("At most %(amount)s more here: why?") % words

    @property
    def described_by(self) -> str:
        """The ids of what explains the input, for ARIA."""
        pk = self.figures.line.pk
        ids = [f"why-{pk}"] if self.obstacles else []
        return " ".join([*ids, *([f"grant-{pk}-error"] if self.errors else [])])

    @property
    def envelope_note(self) -> str:
        envelope = self.figures.envelope
        if envelope is None:
            return ""
        left = envelope.free - self.change
        words = {"amount": format_amount(abs(left), self.figures.unit)}
        if left < 0:
            return _("%(amount)s too much") % words
        return _("%(amount)s left after") % words if left else _("full after")

    @property
    def zone_figures(self) -> str:
        """Return "68 → 71 %" of what can be promised in the zone."""
        zone = self.figures.zone
        if zone is None or zone.size <= 0:
            return ""
        now, after = (
            each * 100 // zone.size for each in (zone.promised, zone.promised + self.change)
        )
        if now == after:
            return _("%(now)s\u00a0%%") % {"now": now}
        return _("%(now)s → %(after)s\u00a0%%") % {"now": now, "after": after}

    @property
    def bound_figures(self) -> str:
        """Return "64 of 128"."""
        return fill_figures(self.change, 0, self.figures.bound or 0, unit=self.figures.unit)

    @property
    def bound_note(self) -> str:
        bound = self.figures.bound
        if bound is None:
            return ""
        left = bound - self.change
        words = {"amount": format_amount(abs(left), self.figures.unit)}
        return _("%(amount)s above it") % words if left < 0 else _("%(amount)s below it") % words


@dataclass(frozen=True)
class Link:
    """One link of the chain behind "Why may I?"."""

    delegation: Delegation
    holder: User | Group
    is_me: bool
    bounds: str


@dataclass
class Desk:
    """Everything that the decision of one request is made with, loaded once."""

    viewer: Viewer
    request: QuotaRequest
    mandates: list[Mandate]
    wanted: Wanted
    figures: dict[int, LineFigures] = field(default_factory=dict)
    endorsements: dict[int, list[Endorsement]] = field(default_factory=dict)

    def load(self) -> "Desk":
        """The open lines and their figures as they are now."""
        lines = list(
            RequestLine.objects.filter(request=self.request, state=LineState.OPEN).select_related(
                "project__unit", "request", "offering__resource", "offering__zone__region"
            )
        )
        self.figures = figures_of(lines, self.mandates, now=self.viewer.now)
        self.endorsements = endorsements_of(lines)
        return self


def page_context(desk: Desk, typed: Typed | None, error: DomainError | None) -> dict[str, Any]:
    """The variables of templates/decide/decide.html.

    typed: what was sent; None proposes. error: the refusal to show above it.
    """
    is_whole = desk.request.all_or_nothing
    if typed is None:
        typed = Typed.first_look(desk.figures.values(), is_all_or_nothing=is_whole)
    above = _mandates_above(desk)
    reached = [each for each in desk.figures.values() if each.is_reached]
    can_decide = len(reached) == len(desk.figures) if is_whole else bool(reached)
    wrong = error.errors if isinstance(error, Invalid) else {}
    boxes = [
        _box(each, typed, wrong, above, tuple(desk.endorsements.get(each.line.pk, ())))
        for each in desk.figures.values()
    ]
    return {
        "here": "decide",
        "quota_request": desk.request,
        "project": desk.request.project,
        "proposal": standing_of(desk.viewer, desk.request.project, may_ask=False),
        "boxes": boxes,
        "typed": typed,
        "error": error,
        "error_rows": _error_rows(wrong),
        "reason_errors": wrong.get("reason", []),
        "summary": _summary(boxes),
        "can_decide": can_decide,
        "can_endorse": [each for each in boxes if each.can_be_endorsed(desk.viewer.user)],
        "can_as_asked": can_decide and all(each.can_be_granted for each in reached),
        "place": place_in_queue(desk.viewer, desk.wanted, desk.request.pk),
        "wanted_query": desk.wanted.query(page=1),
        "chains": [_chain(each, desk.viewer) for each in desk.mandates],
        "earlier": _earlier(desk),
    }


def _box(
    figures: LineFigures,
    typed: Typed,
    wrong: Mapping[str, list[str]],
    above: Collection[Mandate],
    endorsements: tuple[Endorsement, ...],
) -> Box:
    line = figures.line
    try:
        granting = typed.amount(figures)
    except AmountError:
        granting = line.wanted
    return Box(
        figures=figures,
        text=typed.grants.get(line.pk, ""),
        is_ticked=figures.is_reached and line.pk in typed.lines,
        granting=granting,
        obstacles=tuple(_obstacles(figures, above)),
        endorsements=endorsements,
        errors=(*wrong.get(f"granted.{line.pk}", ()), *wrong.get(f"endorsed.{line.pk}", ())),
    )


def _obstacles(figures: LineFigures, above: Collection[Mandate]) -> list[Obstacle]:
    """What stands against granting as asked, known before anything is sent."""
    if not figures.is_reached:
        return [_beyond_remit(figures, above)]
    found = []
    words = {
        "wanted": format_amount(figures.line.wanted, figures.quota_unit),
        "holder": figures.source_name,
        "free": format_amount(figures.source.balance if figures.source else 0, figures.unit),
        "zone": figures.offering.zone.place,
        "resource": figures.offering.resource.name,
        "bound": format_amount(figures.bound or 0, figures.unit),
        "change": format_amount(figures.change, figures.unit),
        "most": format_amount(figures.most, figures.unit),
    }
    possible = (
        _("At most %(most)s can be granted here now.") % words
        if figures.most > figures.balance
        else _("Nothing more can be granted here now.")
    )
    if figures.short:
        heading = _("No room for %(wanted)s: %(holder)s has %(free)s left in %(zone)s") % words
        found.append(Obstacle(heading, f"{possible} {_helper_of_source(figures, above)}"))
    if figures.is_beyond_bound:
        heading = (
            _("Above your remit: %(bound)s %(resource)s per decision, this adds %(change)s") % words
        )
        found.append(Obstacle(heading, f"{possible} {_helper_of_bound(figures, above)}"))
    if figures.is_below_use and figures.use:
        heading = _("More is in use: %(used)s") % {"used": figures.use.figures}
        text = _("You may grant it; it is written only once use has fallen to that.")
        found.append(Obstacle(heading, text, "warn", "warn"))
    return found


def _beyond_remit(figures: LineFigures, above: Collection[Mandate]) -> Obstacle:
    """Of a line that the person can neither grant nor refuse, whatever the amount."""
    words = {
        "resource": figures.offering.resource.name,
        "zone": figures.offering.zone.place,
        "people": _people(each for each in above if each.allows(figures.offering, figures.change)),
    }
    heading = _("Your remit says nothing about %(resource)s in %(zone)s") % words
    text = (
        _("It stays open; %(people)s can decide it.")
        if words["people"]
        else _("It stays open, and nobody else may decide it yet either.")
    )
    return Obstacle(heading, text % words, "busy", "info")


def _helper_of_source(figures: LineFigures, above: Collection[Mandate]) -> str:
    helper = figures.next_source
    if helper is None:
        return _("Nobody above has any either; the operators can issue more.")
    words = {
        "holder": holder_name(helper),
        "free": format_amount(helper.balance, figures.unit),
        "people": "",
    }
    if helper.unit is not None:
        words["people"] = _people(
            each for each in above if helper.unit.path.startswith(each.delegation.unit.path)
        )
    if words["people"]:
        return _("%(holder)s holds %(free)s more: ask %(people)s to fund you.") % words
    return _("%(holder)s holds %(free)s more: ask the operators.") % words


def _helper_of_bound(figures: LineFigures, above: Collection[Mandate]) -> str:
    people = _people(each for each in above if each.allows(figures.offering, figures.change))
    if people:
        return _("Leave the line as it is, and %(people)s can grant it.") % {"people": people}
    return _("Nobody else may grant as much either.")


def _people(mandates: Any) -> str:
    """The names of the nearest three who hold these."""
    names = dict.fromkeys(str(delegate_of(each)) for each in mandates)
    return _(" or ").join(list(names)[:3])


def _mandates_above(desk: Desk) -> list[Mandate]:
    """Other people's mandates, asked for only where somebody must help."""
    if all(each.can_be_granted for each in desk.figures.values()):
        return []
    mine = {each.delegation.pk for each in desk.mandates}
    project = desk.request.project
    everybody = deciding_for(
        mandates_for(project.unit.path, Power.DECIDE_QUOTA, desk.viewer.now), project
    )
    return [each for each in everybody if each.delegation.pk not in mine]


def _error_rows(wrong: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """[(id of the input, sentence)] for the summary of errors."""
    rows = []
    for name, sentences in wrong.items():
        kind, _dot, line_id = name.partition(".")
        target = {
            "granted": f"grant-{line_id}",
            "endorsed": f"grant-{line_id}",
            "reason": "reason",
            "note": "note",
        }.get(kind, "")
        rows += [(target, sentence) for sentence in sentences]
    return rows


def _summary(boxes: Collection[Box]) -> str:
    """Return "2 lines as asked, 1 trimmed, 1 left out"."""
    ticked = [each for each in boxes if each.is_ticked]
    trimmed = sum(each.granting != each.figures.line.wanted for each in ticked)
    parts = [
        (len(ticked) - trimmed, _("%(count)s as asked")),
        (trimmed, _("%(count)s trimmed")),
        (len(boxes) - len(ticked), _("%(count)s left open")),
    ]
    return ", ".join(words % {"count": count} for count, words in parts if count)


def _chain(mandate: Mandate, viewer: Viewer) -> list[Link]:
    return [
        Link(
            delegation=link,
            holder=link.user or link.group,  # type: ignore[arg-type]  # one of them, by constraint
            is_me=link.user_id == viewer.user.pk,
            bounds=bound_words(mandate.bounds[link.pk]),
        )
        for link in mandate.chain
    ]


def _earlier(desk: Desk) -> list[Any]:
    """The project's requests before this one."""
    before = visible_requests(desk.viewer).filter(
        project=desk.request.project, pk__lt=desk.request.pk, submitted_at__isnull=False
    )
    return rows_of(list(before.order_by("-pk")[:EARLIER]), desk.viewer)
