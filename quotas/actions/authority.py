"""Asking the rules inside the lock: may this person decide this line, and so much?"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from portal.lib.errors import Conflict, Forbidden, NotVisible
from portal.lib.moments import short_words
from projects.models import Project, User
from projects.queries.viewers import Viewer, visible_projects
from projects.states import ProjectState
from quotas.models import Offering, QuotaRequest, RequestLine
from quotas.queries.authority import Mandate, delegate_of
from quotas.queries.bounds import Most, Used
from quotas.queries.deciders import deciders_of
from quotas.queries.free_holders import interested
from quotas.rules import asked_by


class UsedUp(Conflict):
    """What a bound still leaves is less than this adds; it goes up.

    Facts: bound ("per_decision" or "total"), written, used, left, asked, holder (whose bound it
    is), delegation, offering, line, request; once it was routed anew also `waits_for`.
    """

    code = "used_up"


def barred(
    viewer: Viewer,
    quota_request: QuotaRequest,
    mandates: Collection[Mandate],
    with_role: Collection[int] | None = None,
) -> list[Mandate]:
    """The mandates by which the person may decide for the project; one at least.

    with_role: who of all these holds a role above reader in it, if that is known already. Not
    those in the stead of somebody who has an interest in it. Raises NotVisible, Forbidden.
    """
    project = quota_request.project
    is_hidden = not mandates and not visible_projects(viewer).filter(pk=project.pk).exists()
    if is_hidden or quota_request.submitted_at is None:
        raise NotVisible(_("There is no such request."))
    if with_role is None:
        people = {viewer.user.pk, *(each for mandate in mandates for each in mandate.deputised)}
        with_role = interested(people, project, viewer.now)
    asked = asked_by(quota_request, viewer.now)
    if viewer.user.pk in with_role:
        raise Forbidden(
            _("You hold a role in %(project)s: somebody else must decide.")
            % {"project": project.name},
            project=project.slug,
        )
    if viewer.user.pk in asked:
        raise Forbidden(_("You had a part in asking for this: somebody else must decide."))
    if not mandates:
        sentence = (
            _("You hold no delegation that lets you decide quota and projects for %(unit)s.")
            if project.state == ProjectState.PROPOSED
            else _("You hold no delegation that lets you decide quota for %(unit)s.")
        )
        raise Forbidden(sentence % {"unit": project.unit.label}, unit=project.unit.slug)
    interests = {*with_role, *asked}
    free = [each for each in mandates if not interests & set(each.deputised)]
    if not free:
        raise _deputy_of_interested(mandates, with_role, asked, project)
    return free


def _deputy_of_interested(
    mandates: Collection[Mandate],
    with_role: Collection[int],
    asked: Collection[int],
    project: Project,
) -> Forbidden:
    """Names the one in whose stead the person would decide, and why that one must not."""
    grantors = [
        link.grantor
        for mandate in mandates
        for link in mandate.chain
        if link.grantor is not None and link.grantor_id in mandate.deputised
    ]
    person = next(each for each in grantors if each.pk in with_role or each.pk in asked)
    words = {"person": person, "project": project.name}
    sentence = (
        _(
            "You stand in for %(person)s, who holds a role in %(project)s: somebody else must "
            "decide."
        )
        if person.pk in with_role
        else _(
            "You stand in for %(person)s, who had a part in asking for this: somebody else must "
            "decide."
        )
    )
    return Forbidden(sentence % words, project=project.slug)


def reaching(mandates: Collection[Mandate], line: RequestLine) -> list[Mandate]:
    """The mandates, one at least, that say anything about the line; raises Forbidden."""
    found = [each for each in mandates if each.reaches(line.offering)]
    if not found:
        raise Forbidden(
            _(
                "Your remit says nothing about %(resource)s in %(zone)s: leave the line to "
                "somebody above you."
            )
            % _words(line.offering),
            offering=line.offering.slug,
            bound="offering",
        )
    return found


def choose_mandate(
    mandates: Collection[Mandate], line: RequestLine, increase: int, used: Used
) -> Mandate:
    """The nearest mandate that allows the increase with what is consumed by now.

    Raises Forbidden where a bound as written is too low, UsedUp where only what is left of it
    is; both tell which one, and whom to ask.
    """
    about = reaching(mandates, line)
    for mandate in about:
        if mandate.allows(line.offering, increase, used):
            return mandate
    would = [each for each in about if each.allows(line.offering, increase)]
    if would:
        raise _used_up(_widest(would, line.offering, used), line, increase, used)
    raise _beyond(_widest(about, line.offering, None), line, increase, used.now)


def _widest(
    mandates: Sequence[Mandate], offering: Offering, used: Used | None
) -> tuple[Mandate, Most]:
    found = [(each, each.most(offering, used)) for each in mandates]
    return max(found, key=lambda each: each[1].amount or 0)


def _beyond(
    widest: tuple[Mandate, Most], line: RequestLine, increase: int, now: datetime
) -> Forbidden:
    _mandate, most = widest
    able = names_of(_able(line, increase, now))
    words = {
        **_words(line.offering),
        "most": format_amount(most.amount or 0, line.offering.resource.unit),
        "asked": format_amount(increase, line.offering.resource.unit),
        "able": ", ".join(able) or _("somebody above you"),
    }
    sentence = (
        _(
            "Your remit allows %(most)s of %(resource)s in all; this one adds %(asked)s. Grant "
            "less, or leave the line to %(able)s."
        )
        if most.dimension == "total"
        else _(
            "Your remit allows %(most)s of %(resource)s in %(zone)s per decision; this one adds "
            "%(asked)s. Grant less, or leave the line to %(able)s."
        )
    )
    return Forbidden(
        sentence % words,
        offering=line.offering.slug, bound=most.dimension, most=most.amount, asked=increase,
        able=able,
    )  # fmt: skip


def _able(line: RequestLine, increase: int, now: datetime) -> list[Mandate]:
    """The nearest mandates of anybody that allow it now; none: nobody's do."""
    deciders = deciders_of([line], now)[line.pk]
    able = [each for each in deciders.free if each.allows(line.offering, increase, deciders.used)]
    return [each for each in able if each.nearness == able[0].nearness]


def _used_up(widest: tuple[Mandate, Most], line: RequestLine, increase: int, used: Used) -> UsedUp:
    mandate, most = widest
    unit = line.offering.resource.unit
    is_own = most.link is None or most.link.pk == mandate.delegation.pk
    holder = _holder(most)
    words = {
        **_words(line.offering),
        "whose": _("your remit") if is_own else _("the remit of %(holder)s") % {"holder": holder},
        "written": format_amount(most.written or 0, unit),
        "used": format_amount(most.used, unit),
        "left": format_amount(most.amount or 0, unit),
        "asked": format_amount(increase, unit),
        "days": most.bound.window_days if most.bound else 0,
        "until": short_words(most.refills_at, used.now) if most.refills_at else "",
    }
    return UsedUp(
        _used_up_sentence(most) % words,
        **most.facts, asked=increase, offering=line.offering.slug, holder=holder, line=line.pk,
        request=line.request_id,
    )  # fmt: skip


def _used_up_sentence(most: Most) -> str:
    if most.dimension == "per_decision":
        return _(
            "Of the %(written)s of %(resource)s in %(zone)s that %(whose)s allows for one project "
            "in %(days)s days, %(used)s are given: %(left)s are left, and this adds %(asked)s."
        )
    if most.refills_at is not None:
        return _(
            "Of the %(written)s of %(resource)s that %(whose)s allows until %(until)s, %(used)s "
            "are given: %(left)s are left, and this adds %(asked)s."
        )
    return _(
        "Of the %(written)s of %(resource)s that %(whose)s allows in all, %(used)s are given: "
        "%(left)s are left, and this adds %(asked)s."
    )


def _holder(most: Most) -> str:
    if most.link is None:
        return ""
    return str(most.link.user or most.link.group)


def names_of(mandates: Iterable[Mandate]) -> list[str]:
    """Who holds these, as people call them, each once."""
    holders: dict[tuple[Any, ...], str] = {}
    for mandate in mandates:
        holder = delegate_of(mandate)
        holders.setdefault((isinstance(holder, User), holder.pk), str(holder))
    return list(holders.values())


def _words(offering: Offering) -> dict[str, str]:
    return {"resource": offering.resource.name, "zone": offering.zone.name}
