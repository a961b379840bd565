"""Revoking a delegation while what was handed on below it goes on under another one.

Terms are immutable, so each of these is made again, parents before children, with `replaces`
set: by the same grantors, but for the uppermost, which the person who takes over hands on now.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Stale
from portal.lib.locks import lock, share
from projects.actions import delegations as chain
from projects.actions.delegations import Terms
from projects.models import Delegation, Unit, User, ancestor_paths
from projects.outgoing.notices import tell
from projects.queries.viewers import Viewer
from projects.rules import may_revoke
from projects.states import NoticeKind, Power
from quotas.models import BoundUse, DelegationBound, Policy
from quotas.queries.bounds import period_of
from quotas.queries.hanging import below_of, seen_of

from .bounds import Bound, problems_of, trimmed
from .delegations import hand_on, holders
from .routing import mark_unit


@dataclass
class Move:
    """What becomes of one delegation: it fits as it is, or trimmed, or `why_not`.

    `beyond`: what of its terms lies beyond the new parent's, in words. terms, bounds: as it
    would be made, trimmed where something lies beyond.
    """

    old: Delegation
    grantor: User | None
    terms: Terms
    bounds: list[Bound]
    beyond: list[str] = field(default_factory=list)
    why_not: str = ""

    @property
    def fits(self) -> bool:
        return not self.beyond and not self.why_not

    @property
    def can_be_trimmed(self) -> bool:
        return bool(self.beyond) and not self.why_not


@dataclass(frozen=True)
class Reissued:
    """What was made again, and what ended."""

    made: list[Delegation]
    left_out: list[Move]


def revoke_seen(*, delegation: Delegation, actor: User, why: str, seen: str, now: datetime) -> None:
    """Revoke, if what hangs from it is still what the person saw.

    Raises Forbidden, Conflict, Invalid, and Stale.
    """
    with transaction.atomic():
        _hold(delegation, actor, seen, now)
        _end(delegation, actor, why, (), now)


def plan(*, delegation: Delegation, parent: Delegation, actor: User, now: datetime) -> list[Move]:
    """What would become of everything below, parents before children; nothing is stored."""
    below = below_of(delegation, now)
    own = _bounds_of([delegation.pk, parent.pk, *(each.pk for each in below)])
    moves: dict[int, Move] = {}
    for old in below:
        above = moves.get(old.parent_id or 0)
        if above is not None:
            moves[old.pk] = _move(old, old.grantor, _as_parent(above), above.bounds, own, now)
            if above.why_not:
                moves[old.pk].why_not = _("What it hangs from is left out.")
        else:
            moves[old.pk] = _move(old, actor, parent, own[parent.pk], own, now)
            if old.is_deputy:
                words = {"person": old.grantor}
                moves[old.pk].why_not = _("It stands in for %(person)s.") % words
    return list(moves.values())


def reissue(
    *,
    delegation: Delegation,
    parent: Delegation,
    actor: User,
    trim: Collection[int] = (),
    why: str = "",
    seen: str,
    now: datetime,
) -> Reissued:
    """Revoke a delegation and hand on what lies below it anew, from `parent`, which is one's own.

    trim: ids of those that may be made with what fits; others that do not fit end, and all below
    them. What is consumed of totals goes along, and policies go on. Raises Forbidden, Conflict,
    Invalid, and Stale where what hangs from it is not what the person saw.
    """
    with transaction.atomic():
        _hold_units(delegation, now)
        chain.hold([delegation, parent])
        _hold(delegation, actor, seen, now)
        held = chain.held_by(parent, actor, now)
        if held.pk == delegation.pk or delegation.pk in held.ancestors:
            raise Conflict(_("It cannot go on under itself: choose another delegation of yours."))
        moves = plan(delegation=delegation, parent=held, actor=actor, now=now)
        done = Reissued([], [])
        made: dict[int, Delegation] = {delegation.pk: held}
        for move in moves:
            above = made.get(move.old.parent_id or 0)
            is_taken = move.fits or (move.can_be_trimmed and move.old.pk in trim)
            if above is None or not is_taken:
                done.left_out.append(move)
                continue
            made[move.old.pk] = _make_again(move, above, actor, now)
            done.made.append(made[move.old.pk])
        _end(delegation, actor, why, [each.replaces_id for each in done.made], now)
    return done


def _hold(delegation: Delegation, actor: User, seen: str, now: datetime) -> None:
    """Lock it, and ask again: whether the person may, and whether it is what they saw."""
    locked = lock(Delegation.objects.filter(pk=delegation.pk).select_related("unit"))[0]
    if not may_revoke(Viewer.of(actor, now), locked):
        raise Forbidden(_("Only who handed it on, or somebody above, can take it back."))
    if locked.revoked_at is not None:
        raise Conflict(_("It was revoked already."))
    fresh = seen_of(locked, now)
    if seen != fresh:
        raise Stale(_("What hangs from %(name)s has changed.") % {"name": locked}, seen=fresh)


def _hold_units(delegation: Delegation, now: datetime) -> None:
    """Units come before delegations in the order of locks."""
    paths = {each.unit.path for each in below_of(delegation, now)}
    above = {path for each in paths for path in ancestor_paths(each)}
    share(Unit, Unit.objects.filter(path__in=above).values_list("pk", flat=True))


def _end(
    delegation: Delegation,
    actor: User,
    why: str,
    kept: Collection[int | None],
    now: datetime,
) -> None:
    """Revoke it and tell whoever loses something; kept: ids of those that go on elsewhere."""
    losing = [each for each in below_of(delegation, now) if each.pk not in kept]
    people = {each.user_id for each in losing if each.user_id is not None}
    event = chain.revoke(delegation=delegation, actor=actor, why=why, now=now)
    tell(event, {*holders(delegation, now), *people}, NoticeKind.REVOKED)
    mark_unit(delegation.unit, now)


def _move(
    old: Delegation,
    grantor: User | None,
    parent: Delegation,
    held: Sequence[Bound],
    own: dict[int, list[Bound]],
    now: datetime,
) -> Move:
    terms = Terms(
        unit=old.unit,
        powers=[Power(each) for each in old.powers],
        starts_at=max(now, old.starts_at, parent.starts_at),
        ends_at=old.ends_at,
        depth=old.depth,
        user=old.user,
        group=old.group,
        purpose=old.purpose,
        is_deputy=old.is_deputy,
    )
    move = Move(old, grantor, terms, own[old.pk])
    if grantor is None:  # pragma: no cover - only a root has none, and it hangs from nothing
        raise AssertionError("below a delegation nothing is a root")
    beyond = chain.beyond_parent(parent, terms, old.unit)
    problems = problems_of(move.bounds, terms.powers, held)
    move.beyond = [each.sentence for each in beyond] + [each.sentence for each in problems]
    if beyond:
        move.terms = _within(terms, parent)
    if problems:
        move.bounds = trimmed(move.bounds, held) or []
    errors, __ = chain.check(parent, grantor, move.terms, now)
    still = problems_of(move.bounds, move.terms.powers, held)
    sentences = [each for found in errors.values() for each in found]
    sentences += [each.sentence for each in still]
    move.why_not = sentences[0] if sentences else ""
    return move


def _within(terms: Terms, parent: Delegation) -> Terms:
    """The terms with what lies beyond the parent's taken off; a unit elsewhere stays wrong."""
    ends = [each for each in (terms.ends_at, parent.ends_at) if each is not None]
    return replace(
        terms,
        powers=[power for power in terms.powers if power in parent.powers],
        depth=max(min(terms.depth, parent.depth - 1), 0),
        ends_at=min(ends) if ends else None,
    )


def _as_parent(move: Move) -> Delegation:
    """The row that a move would make, as far as its children's terms are compared with it."""
    terms = move.terms
    return Delegation(
        unit=terms.unit, powers=list(terms.powers), depth=terms.depth,
        starts_at=terms.starts_at, ends_at=terms.ends_at,
    )  # fmt: skip


def _make_again(move: Move, parent: Delegation, actor: User, now: datetime) -> Delegation:
    assert move.grantor is not None  # noqa: S101 - `_move` refuses it
    made = hand_on(
        parent=parent, grantor=move.grantor, terms=move.terms, bounds=move.bounds,
        replaces=move.old, actor=actor, now=now,
    )  # fmt: skip
    _carry_over(move.old, made, now)
    Policy.objects.filter(delegation=move.old).update(delegation=made)
    return made


def _carry_over(old: Delegation, made: Delegation, now: datetime) -> None:
    """What is consumed of totals in their period of now is consumed of the new ones too."""
    uses = BoundUse.objects.filter(bound__delegation=old).select_related(
        "bound__resource", "bound__zone"
    )
    spent = [each for each in uses if each.period == period_of(old, each.bound, now)]
    rows = made.bounds.filter(total__isnull=False).select_related("resource", "zone")
    carried: list[BoundUse] = []
    for row in rows:
        by_power: dict[str, int] = {}
        for use in spent:
            if Bound.of(use.bound).covers(row.resource, row.zone):
                by_power[use.power] = max(by_power.get(use.power, 0), use.used)
        most = row.total or 0
        carried += [
            BoundUse(bound=row, power=power, most=most, used=min(used, most))
            for power, used in by_power.items()
        ]
    BoundUse.objects.bulk_create(carried)


def _bounds_of(ids: Collection[int]) -> dict[int, list[Bound]]:
    found: dict[int, list[Bound]] = {each: [] for each in ids}
    rows = DelegationBound.objects.filter(delegation__in=ids).order_by("pk")
    for row in rows.select_related("resource", "zone__region"):
        found[row.delegation_id].append(Bound.of(row))
    return found
