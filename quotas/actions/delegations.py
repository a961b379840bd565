"""Handing authority on together with its bounds: a part of one's own, deputies; and back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, DomainError, Invalid
from projects.actions import delegations as chain
from projects.actions.delegations import Terms
from projects.actions.units import hold_path
from projects.models import Delegation, Event, Group, GroupMembership, Unit, User
from projects.outgoing.notices import tell
from projects.queries.viewers import Viewer
from projects.states import NoticeKind, Power
from quotas.queries.twins import row_of, twin_of

from .bounds import UNBOUNDED, Bound, Problem, held_bounds, problems_of, store, unstored
from .routing import mark_delegation, mark_unit

__all__ = (
    "UNBOUNDED", "Bound", "Terms", "delegate", "hand_on", "name_deputy", "revoke",
)  # fmt: skip


def delegate(
    *,
    parent: Delegation,
    grantor: User,
    unit: Unit,
    powers: Collection[Power],
    starts_at: datetime,
    ends_at: datetime | None,
    depth: int,
    bounds: Sequence[Bound],
    user: User | None = None,
    group: Group | None = None,
    purpose: str = "",
    now: datetime,
) -> Delegation:
    """Hand a part of one's authority on: `hand_on` with terms named one by one."""
    terms = Terms(unit, powers, starts_at, ends_at, depth, user, group, purpose)
    return hand_on(parent=parent, grantor=grantor, terms=terms, bounds=bounds, now=now)


def hand_on(
    *,
    parent: Delegation,
    grantor: User,
    terms: Terms,
    bounds: Sequence[Bound],
    replaces: Delegation | None = None,
    actor: User | None = None,
    now: datetime,
) -> Delegation:
    """Hand a part of one's authority on, with bounds that lie within one's own.

    Raises Forbidden where the grantor does not hold the parent now, or cannot hand it on;
    Invalid with everything that is wrong by field; rows of bounds are "bounds.0", "bounds.1", …
    (facts of the first that goes beyond the parent: dimension, bound); Conflict where the same is
    handed on already (facts: delegation). Bounds of powers to repair name zones; what they say of
    amounts does not matter. What waits below is routed anew. actor: see `chain.grant`; what
    `replaces` another is never refused as its twin.
    """
    with transaction.atomic():
        held = chain.held_by(parent, grantor, now) if actor is None else chain.reread(parent)
        refused = _wrong(held, grantor, terms, bounds, now)
        if refused is not None:
            raise refused
        made = chain.grant(
            parent=held, grantor=grantor, terms=terms, replaces=replaces, actor=actor, now=now
        )
        # Now that the parent is held: whoever was first is seen.
        if replaces is None and (refused := _handed_on_already(made, bounds, now)):
            raise refused
        store(made, bounds)
        _tell_of_new(made, now)
        mark_delegation(made, now)
    return made


def examine(
    *, parent: Delegation, grantor: User, terms: Terms, bounds: Sequence[Bound], now: datetime
) -> DomainError | None:
    """Everything that handing this on would be refused for, without a lock; None: nothing."""
    refused = _wrong(parent, grantor, terms, bounds, now)
    wanted = chain.unstored(parent, grantor, terms, now)
    return refused or _handed_on_already(wanted, bounds, now)


def _wrong(
    parent: Delegation, grantor: User, terms: Terms, bounds: Sequence[Bound], now: datetime
) -> DomainError | None:
    if parent.depth == 0:
        return chain.cannot_be_handed_on(parent)
    errors, beyond = chain.check(parent, grantor, terms, now)
    problems = problems_of(bounds, terms.powers, held_bounds(parent))
    for each in problems:
        errors.setdefault(each.name, []).append(each.sentence)
    if not errors:
        return None
    return Invalid(errors, **_facts(beyond, problems))


def _handed_on_already(
    wanted: Delegation, bounds: Sequence[Bound], now: datetime
) -> Conflict | None:
    """What a form that is sent twice is told; two of the same would give twice as much."""
    twin = twin_of(wanted, [row_of(each) for each in unstored(wanted, bounds)], now)
    if twin is None:
        return None
    words = {"who": wanted.user or wanted.group, "name": twin}
    sentence = _(
        "%(who)s holds exactly this already, by %(name)s. Leave it at that, or revoke "
        "%(name)s and hand on other terms."
    )
    return Conflict(sentence % words, delegation=twin.pk)


@dataclass(frozen=True)
class NotDeputised:
    """A delegation for which nobody can stand in, and what to do about it."""

    delegation: Delegation
    sentence: str


@dataclass(frozen=True)
class Deputies:
    """What a deputy was given, and what could not be."""

    made: list[Delegation]
    left_out: list[NotDeputised]


def name_deputy(
    *,
    holder: User,
    user: User,
    starts_at: datetime,
    ends_at: datetime | None,
    delegations: Collection[int] | None = None,
    purpose: str = "",
    now: datetime,
) -> Deputies:
    """Let somebody stand in for `holder` for a time: with all terms, one hand-on fewer.

    delegations: ids of the holder's own; None: all. One that ends earlier is shared until then.
    Raises Invalid; Conflict with the way out where nobody can stand in for any of them.
    """
    if ends_at is None:
        raise Invalid({"ends_at": [_("A deputy stands in for a time: choose the last day.")]})
    viewer = Viewer.of(holder, now)
    mine = [
        each
        for each in viewer.delegations
        if (delegations is None or each.pk in delegations) and viewer.reaches(each.unit.path)
    ]
    deputies = Deputies([], [])
    with transaction.atomic():
        for each in mine:
            hold_path(each.unit)
        chain.hold(mine)
        for each in mine:
            obstacle = _no_deputy(each, holder, user, starts_at, ends_at)
            if obstacle:
                deputies.left_out.append(NotDeputised(each, obstacle))
                continue
            terms = _deputy_terms(each, user, starts_at, ends_at, purpose)
            made = hand_on(
                parent=each, grantor=holder, terms=terms, bounds=held_bounds(each), now=now
            )
            deputies.made.append(made)
    if not deputies.made:
        raise _nobody_deputises(deputies.left_out)
    return deputies


def revoke(*, delegation: Delegation, actor: User | None, why: str = "", now: datetime) -> None:
    """Take a delegation back and route what waited for it to whoever is nearest now.

    Raises what projects.actions.delegations.revoke raises.
    """
    with transaction.atomic():
        below = _people_below(delegation, now)
        event = chain.revoke(delegation=delegation, actor=actor, why=why, now=now)
        tell(event, [*holders(delegation, now), *below], NoticeKind.REVOKED)
        mark_unit(delegation.unit, now)


def holders(delegation: Delegation, now: datetime) -> list[int]:
    """Ids of the people who hold a delegation: its person, or whoever is in its group."""
    if delegation.user_id is not None:
        return [delegation.user_id]
    members = GroupMembership.objects.live(now).filter(group=delegation.group_id)
    return list(members.values_list("user", flat=True))


def _people_below(delegation: Delegation, now: datetime) -> list[int]:
    """Ids of the people who hold something that was handed on below, not through groups."""
    below = Delegation.objects.live(now).filter(
        ancestors__contains=[delegation.pk], revoked_at__isnull=True, user__isnull=False
    )
    return list(below.values_list("user", flat=True))


def _tell_of_new(made: Delegation, now: datetime) -> None:
    event = Event.objects.filter(subject_kind="delegation", subject_id=made.pk).latest("pk")
    kind = NoticeKind.DEPUTY if made.is_deputy else NoticeKind.DELEGATED
    tell(event, holders(made, now), kind)


def _no_deputy(
    mine: Delegation, holder: User, user: User, starts_at: datetime, ends_at: datetime
) -> str:
    """Why nobody, or not this person, can stand in by a delegation; "": nothing in the way."""
    words = {"name": mine, "unit": mine.unit.label, "grantor": mine.grantor or _("an operator")}
    if mine.depth == 0:
        return (
            _("%(name)s for %(unit)s cannot be handed on: ask %(grantor)s to name a deputy.")
            % words
        )
    if mine.ends_at is not None and mine.ends_at <= starts_at:
        return _("%(name)s for %(unit)s ends before: ask %(grantor)s for a new one.") % words
    # Of a group's delegation somebody else in it may have the same deputy.
    same = mine.children.filter(
        is_deputy=True, grantor=holder, user=user, revoked_at__isnull=True,
        starts_at__lt=ends_at, ends_at__gt=starts_at,
    )  # fmt: skip
    if same.exists():
        words["user"] = user
        return _("%(user)s is deputy for %(unit)s at that time already.") % words
    return ""


def _deputy_terms(
    mine: Delegation, user: User, starts_at: datetime, ends_at: datetime, purpose: str
) -> Terms:
    return Terms(
        unit=mine.unit,
        powers=[Power(each) for each in mine.powers],
        starts_at=starts_at,
        ends_at=ends_at if mine.ends_at is None else min(ends_at, mine.ends_at),
        depth=mine.depth - 1,
        user=user,
        purpose=purpose,
        is_deputy=True,
    )


def _nobody_deputises(left_out: Sequence[NotDeputised]) -> Conflict:
    if not left_out:
        return Conflict(_("You hold no delegation now, so there is nothing to stand in for."))
    return Conflict(
        " ".join(each.sentence for each in left_out),
        delegations=[each.delegation.pk for each in left_out],
    )


def _facts(beyond: Sequence[chain.Beyond], problems: Sequence[Problem]) -> dict[str, Any]:
    """How far one may go in what is beyond the parent first."""
    if beyond:
        return chain.facts_of(beyond)
    first = next((each for each in problems if each.dimension), None)
    return {"dimension": first.dimension, "bound": first.bound} if first else {}
