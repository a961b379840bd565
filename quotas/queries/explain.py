"""What bounds what one may grant, or ask for, of an offering in a project: the tightest first.

Envelope, the person's own remit, what the service takes, the zone; each with who can help.
Figures of units only for those who may see them. What is left of a remit says `Mandate.most`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.amounts import format_amount, format_exact
from portal.lib.moments import short_words
from projects.models import Project
from projects.queries.viewers import Viewer, roles_in
from projects.rules import has_an_interest, may_see_figures
from projects.states import Power, ProjectState
from quotas.models import Account, Contribution, Limit, Offering, RequestLine

from .accounts import room_word
from .authority import Mandate, deciding_for, delegate_of, mandates_for, own_mandates
from .bounds import Most, Used, rooms
from .consumption import used_by
from .decision_figures import LineFigures, figures_of, holder_name
from .free_holders import with_free_holder


class Cause(TextChoices):
    """What kind of thing bounds an amount."""

    STATE = "state", gettext_lazy("the project")
    ENVELOPE = "envelope", gettext_lazy("the envelope")
    BOUNDS = "bounds", gettext_lazy("the remit")
    TOTAL = "total", gettext_lazy("the remit’s total")
    PER_DECISION = "per_decision", gettext_lazy("the remit, a decision")
    SERVICE = "service", gettext_lazy("the service")
    ZONE = "zone", gettext_lazy("the zone")
    DECIDERS = "deciders", gettext_lazy("who decides")


@dataclass(frozen=True)
class Reason:
    """One thing that bounds the amount.

    room: how much more it leaves, base units; None: any amount, or not for the reader, who gets
    `word` then ("ample", "tight", "none"). refuses: nobody gets past it here; else it only warns.
    """

    cause: Cause
    room: int | None
    sentence: str
    help: str = ""
    word: str = ""
    refuses: bool = True


@dataclass(frozen=True)
class Explanation:
    """Everything that bounds one offering in one project, the tightest first; base units."""

    project: Project
    offering: Offering
    grants: bool
    balance: int
    reasons: tuple[Reason, ...]

    @property
    def unit(self) -> str:
        return self.offering.resource.unit

    @property
    def room(self) -> int | None:
        """How much more is possible, in steps; None: nothing that the reader sees bounds it."""
        return room_of(self.reasons, self.offering)

    @property
    def most(self) -> int | None:
        """The highest quota that can be had."""
        return None if self.room is None else self.balance + self.room


def room_of(reasons: Iterable[Reason], offering: Offering) -> int | None:
    """The least room of all that refuse, in steps of the resource."""
    found = [each.room for each in reasons if each.refuses and each.room is not None]
    step = offering.resource.step
    return min(found) // step * step if found else None


def tightest_first(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """By the room they leave; what only warns, or says no figure, last."""
    return tuple(
        sorted(reasons, key=lambda each: (not each.refuses, each.room is None, each.room or 0))
    )


def explain(viewer: Viewer, project: Project, offering: Offering) -> Explanation:
    """A fixed number of queries. project: with `unit`; offering: with resource and zone."""
    deciding = with_free_holder(
        deciding_for(mandates_for(project.unit.path, Power.DECIDE_QUOTA, viewer.now), project),
        project,
        viewer.now,
    )
    free = {each.delegation.pk for each in deciding}
    held = own_mandates(viewer, project)
    own = [each for each in held if each.delegation.pk in free]
    grants = bool(own) and not has_an_interest(roles_in(viewer, project))
    line = RequestLine(project=project, offering=offering, wanted=0, balance_seen=0)
    figures = next(iter(figures_of([line], own if grants else [], now=viewer.now).values()))
    funding = mandates_for(project.unit.path, Power.MANAGE_ENVELOPES, viewer.now)
    has_figures = may_see_figures(viewer, project.unit.path)
    found = _of_project(project)
    found += [_helped(each, figures, funding) for each in _of_envelope(figures, has_figures)]
    found += _of_zone(figures, has_figures)
    if grants:
        mine = {each.delegation.pk for each in own}
        others = [each for each in deciding if each.delegation.pk not in mine]
        used = used_by(others, project, [offering], viewer.now)
        found += [_passed_on(each, offering, others, used) for each in _of_remit(figures)]
    else:
        found.append(_deciders(deciding, project, offering))
    found += _in_reach(_of_service(project, offering), found, figures)
    return Explanation(project, offering, grants, figures.balance, tightest_first(found))


def reasons_beside(figures: LineFigures) -> tuple[Reason, ...]:
    """What bounds a line for its decider, from figures at hand: no query, and nobody to ask."""
    return tightest_first(
        [*_of_envelope(figures, True), *_of_remit(figures), *_of_zone(figures, True)]
    )


def _of_project(project: Project) -> list[Reason]:
    if project.state == ProjectState.ACTIVE:
        return []
    words = {"project": project.name, "state": project.get_state_display()}
    sentence = _("%(project)s is %(state)s; nothing is granted to it.")
    return [Reason(Cause.STATE, 0, sentence % words)]


def _of_envelope(figures: LineFigures, has_figures: bool) -> list[Reason]:
    """Who pays: the nearest envelope above, else the pool."""
    source, fill = figures.source, figures.envelope
    if source is None or fill is None:
        words = {"zone": figures.offering.zone.name, "resource": figures.offering.resource.name}
        sentence = _("Nothing of %(resource)s in %(zone)s was issued to the pool yet.") % words
        return [Reason(Cause.ENVELOPE, 0, sentence, word="none")]
    word = room_word(fill)
    words = {
        "left": format_amount(max(source.balance, 0), figures.unit),
        "holder": holder_name(source),
        "size": format_amount(fill.size, figures.unit),
        "promised": format_amount(fill.promised, figures.unit),
    }
    if not has_figures:
        sentence = _IN_A_WORD[word]() % words
        return [Reason(Cause.ENVELOPE, None, sentence, word=word)]
    sentence = (
        _("At most %(left)s more: envelope of %(holder)s %(size)s − granted %(promised)s.")
        if source.unit is not None
        else _("At most %(left)s more: %(holder)s %(size)s − given out %(promised)s.")
    )
    return [Reason(Cause.ENVELOPE, max(source.balance, 0), sentence % words, word=word)]


_IN_A_WORD = {
    "ample": lambda: _("There is ample room in the envelope of %(holder)s."),
    "tight": lambda: _("Room in the envelope of %(holder)s is tight."),
    "none": lambda: _("There is no room in the envelope of %(holder)s."),
    "unknown": lambda: _("Nothing is known of the room in the envelope of %(holder)s."),
}


def _of_remit(figures: LineFigures) -> list[Reason]:
    """Each bound of the person's widest mandate, along its chain, with what is consumed."""
    if not figures.mandates:
        return []
    widest = max(figures.mandates, key=lambda each: _width(each, figures))
    found = [
        each
        for link in widest.chain
        for each in rooms(link, widest.bounds[link.pk], figures.offering, figures.used)
    ]
    if not found:
        sentence = _("Your remit allows any amount.")
        return [Reason(Cause.PER_DECISION, None, sentence, refuses=False)]
    project = _("one project")
    return [bound_reason(each, widest, figures.offering, figures.used, project) for each in found]


def _width(mandate: Mandate, figures: LineFigures) -> tuple[bool, bool, int]:
    amount = mandate.most(figures.offering, figures.used).amount
    return mandate.reaches(figures.offering), amount is None, amount or 0


def bound_reason(
    most: Most, mandate: Mandate, offering: Offering, used: Used | None, holder: str
) -> Reason:
    """One bound of a mandate in words. holder: for what a window holds, as "one project"."""
    is_own = most.link is None or most.link.pk == mandate.delegation.pk
    name = "" if most.link is None else str(most.link.user or most.link.group)
    unit = offering.resource.unit
    words = {
        "whose": _("your remit") if is_own else _("the remit of %(name)s") % {"name": name},
        "left": format_amount(most.amount or 0, unit),
        "written": format_amount(most.written or 0, unit),
        "used": format_amount(most.used, unit),
        "resource": offering.resource.name,
        "zone": offering.zone.name,
        "holder": holder,
        "days": most.bound.window_days if most.bound is not None else 0,
    }
    if most.dimension == "total" and most.refills_at is not None and used is not None:
        words["until"] = short_words(most.refills_at, used.now)
        sentence = _("%(whose)s: %(left)s of %(written)s left until %(until)s, %(used)s given.")
    elif most.dimension == "total":
        sentence = _("%(whose)s: %(left)s of %(written)s in all left, %(used)s given.")
    elif most.dimension == "per_decision":
        sentence = _(
            "%(whose)s: %(written)s a decision for %(holder)s in %(days)s days, %(used)s used, "
            "so %(left)s left."
        )
    else:
        sentence = _("%(whose)s says nothing about %(resource)s in %(zone)s.")
    said = sentence % words
    return Reason(Cause(most.dimension), most.amount, said[:1].upper() + said[1:])


def _of_service(project: Project, offering: Offering) -> list[Reason]:
    """What a service could not hold, whoever granted it; two queries."""
    rows = list(
        Contribution.objects.filter(
            limit__contributions__offering=offering, limit__maximum__isnull=False
        ).select_related("limit__endpoint")
    )
    if not rows:
        return []
    held = dict(
        Account.objects.filter(
            project=project, offering__in={row.offering_id for row in rows}
        ).values_list("offering", "balance")
    )
    limits: dict[int, Limit] = {row.limit_id: row.limit for row in rows}
    found = []
    for limit_id, limit in limits.items():
        feeding = [row for row in rows if row.limit_id == limit_id]
        now = sum(held.get(row.offering_id, 0) * row.factor for row in feeding)
        factor = next(row.factor for row in feeding if row.offering_id == offering.pk)
        room = max((limit.maximum or 0) - now, 0) // factor
        words = {
            "endpoint": limit.endpoint.name, "limit": limit.name,
            "most": format_exact(limit.maximum or 0, limit.unit),
        }  # fmt: skip
        sentence = _("%(limit)s: %(endpoint)s takes no more than %(most)s.") % words
        help_ = _("More could be granted and never be applied; ask for the rest elsewhere.")
        found.append(Reason(Cause.SERVICE, room, sentence, help_))
    return found


def _in_reach(
    of_service: Sequence[Reason], others: Sequence[Reason], figures: LineFigures
) -> list[Reason]:
    """Without what no other bound comes near: where an integer ends says nothing to people."""
    sizes = [each.size for each in (figures.envelope, figures.zone) if each is not None]
    reach = max([*sizes, *(each.room for each in others if each.room is not None)], default=None)
    return [each for each in of_service if reach is None or (each.room or 0) <= reach]


def _of_zone(figures: LineFigures, has_figures: bool) -> list[Reason]:
    """How full the zone is: it warns, as promises beyond capacity may be recorded."""
    if figures.zone is None or figures.zone.size <= 0:
        return []
    free = figures.zone.free
    words = {
        "zone": figures.offering.zone.name,
        "free": format_amount(abs(free), figures.unit),
        "size": format_amount(figures.zone.size, figures.unit),
    }
    if not has_figures:
        word = room_word(figures.zone)
        sentence = _("%(zone)s is oversold.") if free < 0 else _("%(zone)s is not oversold.")
        return [Reason(Cause.ZONE, None, sentence % words, word=word, refuses=False)]
    sentence = (
        _("%(zone)s is oversold: %(free)s more is promised than its %(size)s.")
        if free < 0
        else _("%(zone)s: %(free)s of its %(size)s is not promised yet.")
    )
    return [Reason(Cause.ZONE, max(free, 0), sentence % words, refuses=False)]


def _helped(reason: Reason, figures: LineFigures, funding: Collection[Mandate]) -> Reason:
    """With who can fund the envelope: whoever may give from the next one that has anything."""
    source = figures.next_source
    if source is None:
        said = _("Nobody above has any either: those who operate the site can issue more.")
        return replace(reason, help=said if reason.room == 0 or reason.word == "none" else "")
    people = names(
        each
        for each in funding
        if source.unit is None or source.unit.path.startswith(each.delegation.unit.path)
    )
    words = {
        "people": people, "holder": holder_name(source),
        "free": format_amount(source.balance, figures.unit),
    }  # fmt: skip
    if not people:
        return replace(reason, help=_("Those who operate the site can fund it.") % words)
    if reason.room is None:
        return replace(reason, help=_("%(people)s can fund it from %(holder)s.") % words)
    said = _("%(holder)s has %(free)s more: ask %(people)s to fund it.")
    return replace(reason, help=said % words)


def _passed_on(reason: Reason, offering: Offering, others: Sequence[Mandate], used: Used) -> Reason:
    """With the nearest other decider who may give more than this bound leaves."""
    if reason.room is None:
        return reason
    wider = [
        each
        for each in others
        if each.reaches(offering) and each.most(offering, used).covers(reason.room + 1)
    ]
    nearest = [each for each in wider if each.nearness == wider[0].nearness]
    words = {
        "people": names(nearest),
        "unit": nearest[0].delegation.unit.label if nearest else "",
    }
    if not nearest:
        return replace(reason, help=_("Nobody else may give more now."))
    return replace(reason, help=_("%(people)s for %(unit)s may give more.") % words)


def _deciders(deciding: Sequence[Mandate], project: Project, offering: Offering) -> Reason:
    """Who decides, nearest first, for those to whom no remit is shown."""
    about = [each for each in deciding if each.reaches(offering)]
    if not about:
        words = {"unit": project.unit.label}
        sentence = _("Nobody may decide it for %(unit)s now; those who run the site can help.")
        return Reason(Cause.DECIDERS, None, sentence % words, word="none", refuses=False)
    nearest = [each for each in about if each.nearness == about[0].nearness]
    above = next((each for each in about if each.nearness != about[0].nearness), None)
    words = {"people": names(nearest), "unit": nearest[0].delegation.unit.label}
    sentence = _("%(people)s decides for %(unit)s, within bounds.") % words
    help_ = ""
    if above is not None:
        words = {"people": names([above]), "unit": above.delegation.unit.label}
        help_ = _("What is beyond these goes up to %(people)s for %(unit)s.") % words
    return Reason(Cause.DECIDERS, None, sentence, help_, refuses=False)


def names(mandates: Iterable[Mandate]) -> str:
    """Who holds these, the first three: "Dana or Erin"."""
    said = dict.fromkeys(str(delegate_of(each)) for each in mandates)
    return _(" or ").join(list(said)[:3])
