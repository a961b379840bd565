"""Handing authority on, and taking it back: the chain, never the amounts.

Terms are immutable; bounds on amounts are the business of quotas.actions.delegations.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.locks import lock, share_rows
from portal.lib.moments import full_day_words, last_day
from projects.models import Delegation, Event, Group, Unit, User
from projects.queries.viewers import Place, Viewer, live_delegations
from projects.rules import may_revoke
from projects.states import Power

from .events import record
from .units import hold_path

MAX_DEPTH = 20
MAX_PURPOSE = 500
MAX_WHY = 500
ROOTS_NEEDED = 2
# Far beyond what anybody means, and far from where dates end: periods are added to them.
LATEST = datetime(3000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Terms:
    """What is handed on, and to whom: a person or a group, one of the two.

    A deputy stands in for the grantor: a person, for a time that ends.
    """

    unit: Unit
    powers: Collection[Power]
    starts_at: datetime
    ends_at: datetime | None
    depth: int
    user: User | None = None
    group: Group | None = None
    purpose: str = ""
    is_deputy: bool = False


@dataclass(frozen=True)
class Beyond:
    """One term that goes beyond what the grantor has: which, how far one may go, in words."""

    dimension: str
    sentence: str
    bound: object


def grant_root(
    *,
    user: User,
    unit: Unit,
    powers: Collection[Power],
    depth: int,
    starts_at: datetime,
    ends_at: datetime | None,
    now: datetime,
    purpose: str = "",
) -> Delegation:
    """Make a delegation that stands on nobody's authority: the operator's command alone.

    Raises Invalid. `root_holders` says afterwards whether there are enough of them.
    """
    if errors := _wrong_terms(powers, depth, starts_at, ends_at, purpose):
        raise Invalid(errors)
    with transaction.atomic():
        made = Delegation.objects.create(
            user=user, unit=unit, powers=in_order(powers), depth=depth, purpose=purpose,
            starts_at=starts_at, ends_at=ends_at, created_at=now,
        )  # fmt: skip
        _record("root granted", made, None, now)
    return made


def root_holders(unit: Unit, powers: Collection[Power], now: datetime) -> set[int]:
    """Ids of the people who hold a live root with these powers over the whole of a unit."""
    return set(_roots_over(unit, powers, now).values_list("user", flat=True))


def few_roots_at(unit: Unit, powers: Collection[Power], now: datetime) -> datetime | None:
    """The first moment from `now` on at which fewer than two people hold such a root; or None.

    It can only become so as one ends: those moments are looked at, and `now`.
    """
    roots = _roots_over(unit, powers, None).exclude(ends_at__lte=now)
    periods = list(roots.values_list("user", "starts_at", "ends_at"))
    moments = {now, *(each[2] for each in periods if each[2] is not None)}
    for moment in sorted(moments):
        people = {
            user
            for user, starts, ends in periods
            if starts <= moment and (ends is None or ends > moment)
        }
        if len(people) < ROOTS_NEEDED:
            return moment
    return None


def _roots_over(
    unit: Unit, powers: Collection[Power], now: datetime | None
) -> QuerySet[Delegation]:
    """Roots of active people with these powers over the whole of a unit; now: those in force."""
    live = Delegation.objects.filter(revoked_at__isnull=True) if now is None else (
        live_delegations(now)
    )  # fmt: skip
    return live.filter(
        parent__isnull=True,
        user__is_active=True,
        unit__in=Unit.objects.above(unit.path),
        powers__contains=list(powers),
    )


def grant(
    *,
    parent: Delegation,
    grantor: User,
    terms: Terms,
    replaces: Delegation | None = None,
    actor: User | None = None,
    now: datetime,
) -> Delegation:
    """Hand a part of what `grantor` holds by `parent` to a person or a group.

    actor: who does it, where that is not the grantor: what was handed on below somebody is
    made again when the link above is replaced. Raises Forbidden where the grantor does not hold
    the parent now; Invalid, with every field at once, where terms go beyond it (facts of the
    first: dimension, bound).
    """
    with transaction.atomic():
        unit = hold_path(terms.unit)
        if hold([parent]):
            raise _not_held(parent)
        held = held_by(parent, grantor, now) if actor is None else reread(parent)
        errors, beyond = check(held, grantor, terms, now, unit)
        if errors:
            raise Invalid(errors, **facts_of(beyond))
        made = unstored(held, grantor, replace(terms, unit=unit), now)
        made.replaces = replaces
        made.predecessors = [*replaces.predecessors, replaces.pk] if replaces else []
        made.save(force_insert=True)
        _record("delegated", made, actor or grantor, now)
    return made


def unstored(parent: Delegation, grantor: User, terms: Terms, now: datetime) -> Delegation:
    """The row that these terms mean."""
    return Delegation(
        parent=parent, ancestors=parent.chain_ids, grantor=grantor, user=terms.user,
        group=terms.group, unit=terms.unit, powers=in_order(terms.powers), depth=terms.depth,
        purpose=terms.purpose, starts_at=terms.starts_at, ends_at=terms.ends_at,
        is_deputy=terms.is_deputy, created_at=now,
    )  # fmt: skip


def check(
    parent: Delegation, grantor: User, terms: Terms, now: datetime, unit: Unit | None = None
) -> tuple[dict[str, list[str]], list[Beyond]]:
    """Everything that is wrong with handing this on: the sentences by field, and what of it
    lies beyond the parent. unit: the terms' own, as it stands inside the lock."""
    errors = _wrong_terms(terms.powers, terms.depth, terms.starts_at, terms.ends_at, terms.purpose)
    errors |= _wrong_delegate(grantor, terms)
    if terms.starts_at < now:
        # Nobody held then what is handed on today: the past is what decisions are proved by.
        errors["starts_at"] = [_("It cannot start before now.")]
    beyond = beyond_parent(parent, terms, unit or terms.unit)
    for each in beyond:
        errors.setdefault(each.dimension, [each.sentence])
    place = Place.of(grantor)
    if place is not None and place.clip(terms.unit.path) != terms.unit.path:
        errors.setdefault("unit", [_("It lies outside of where this service account acts.")])
    if (unit or terms.unit).retired_at is not None:
        words = {"unit": (unit or terms.unit).label}
        errors.setdefault("unit", [_("%(unit)s is retired.") % words])
    return errors, [each for each in beyond if each.sentence in errors[each.dimension]]


def revoke(*, delegation: Delegation, actor: User | None, why: str = "", now: datetime) -> Event:
    """End a delegation, and with it all below it, from `now` on; the event of it.

    Who made it, or holds a link above it, may do so; no actor: the operator's command.
    Raises Forbidden, Invalid, and Conflict where it was revoked before.
    """
    if len(why) > MAX_WHY:
        words = {"most": MAX_WHY}
        raise Invalid({"reason": [_("%(most)s characters is the most.") % words]})
    if not _can_be_seen(why):
        raise Invalid({"reason": [_("It holds characters that cannot be seen. Type it anew.")]})
    with transaction.atomic():
        locked = lock(Delegation.objects.filter(pk=delegation.pk).select_related("unit"))[0]
        if actor is not None and not may_revoke(Viewer.of(actor, now), locked):
            raise Forbidden(_("Only who handed it on, or somebody above, can take it back."))
        revoked = Delegation.objects.filter(pk=locked.pk, revoked_at__isnull=True).update(
            revoked_at=now, revoked_by=actor, revoked_why=why
        )
        if not revoked:
            raise Conflict(_("It was revoked already."))
        event = _record("revoked", locked, actor, now)
    delegation.revoked_at, delegation.revoked_by, delegation.revoked_why = now, actor, why
    return event


def held_by(parent: Delegation, grantor: User, now: datetime) -> Delegation:
    """The parent as the grantor holds it now, every link above it in force; or Forbidden."""
    for each in Viewer.of(grantor, now).delegations:
        if each.pk == parent.pk:
            return each
    raise _not_held(parent)


def hold(delegations: Collection[Delegation]) -> list[Delegation]:
    """Take these, and hold every link above them, all in one order; those that are revoked.

    Taken, as two people might hand on the same at the same moment. One may have been revoked
    while we waited, after `now`.
    """
    own = {each.pk for each in delegations}
    chains = sorted({pk for each in delegations for pk in each.chain_ids})
    held: list[Delegation] = []
    for is_own, ids in groupby(chains, key=own.__contains__):
        rows = Delegation.objects.filter(pk__in=list(ids)).only("pk", "revoked_at")
        held += lock(rows) if is_own else share_rows(rows)
    return [each for each in held if each.revoked_at is not None]


def cannot_be_handed_on(parent: Delegation) -> Forbidden:
    """What its holder is told, and whom to ask, where nothing of it may be handed on."""
    words = {"name": parent, "unit": parent.unit.label, "who": parent.grantor or _("an operator")}
    sentence = _("%(name)s for %(unit)s cannot be handed on: ask %(who)s to hand on from theirs.")
    return Forbidden(sentence % words, delegation=parent.pk)


def _not_held(parent: Delegation) -> Forbidden:
    return Forbidden(
        _("You do not hold that delegation now, so you cannot hand it on."), delegation=parent.pk
    )


def reread(delegation: Delegation) -> Delegation:
    """The row as it is now, with its unit."""
    return Delegation.objects.select_related("unit").get(pk=delegation.pk)


def in_order(powers: Collection[str]) -> list[Power]:
    """The powers in their written order, each once."""
    return [power for power in Power if power in set(powers)]


def _wrong_terms(
    powers: Collection[Power],
    depth: int,
    starts_at: datetime,
    ends_at: datetime | None,
    purpose: str,
) -> dict[str, list[str]]:
    """What must hold for any delegation."""
    errors: dict[str, list[str]] = {}
    if not powers:
        errors["powers"] = [_("Choose at least one power.")]
    if not 0 <= depth <= MAX_DEPTH:
        errors["depth"] = [_("It lies between 0 and %(most)s.") % {"most": MAX_DEPTH}]
    for name, moment in (("starts_at", starts_at), ("ends_at", ends_at)):
        if moment is not None and moment > LATEST:
            errors[name] = [_("It lies too far ahead: before the year %(year)s.") % {"year": 3000}]
    if ends_at is not None and ends_at <= starts_at:
        errors.setdefault("ends_at", [_("It must end after it starts.")])
    if len(purpose) > MAX_PURPOSE:
        errors["purpose"] = [_("%(most)s characters is the most.") % {"most": MAX_PURPOSE}]
    if not _can_be_seen(purpose):
        errors["purpose"] = [_("It holds characters that cannot be seen. Type it anew.")]
    return errors


def _can_be_seen(text: str) -> bool:
    """Whether it holds nothing that hides or turns round what is read, but for breaks of lines."""
    return text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable()


def _wrong_delegate(grantor: User, terms: Terms) -> dict[str, list[str]]:
    if (terms.user is None) == (terms.group is None):
        return {"user": [_("Name a person or a group, one of the two.")]}
    if terms.user is None:
        if terms.is_deputy:
            return {"user": [_("A deputy is a person, not a group.")]}
        return {}
    if terms.user.pk == grantor.pk:
        return {"user": [_("You hold this already: hand it to somebody else.")]}
    if not terms.user.is_active:
        return {"user": [_("The account of %(name)s is closed.") % {"name": terms.user}]}
    return {}


def beyond_parent(parent: Delegation, terms: Terms, unit: Unit) -> list[Beyond]:
    """Each term that goes beyond the parent's own, with the bound; amounts are not its matter."""
    found = []
    beyond = [power for power in in_order(terms.powers) if power not in parent.powers]
    if beyond:
        words = {"power": ", ".join(str(each.label) for each in beyond)}
        sentence = _("You do not hold the power to %(power)s.") % words
        found.append(Beyond("powers", sentence, parent.powers))
    if not unit.path.startswith(parent.unit.path):
        places = {"unit": unit.label, "yours": parent.unit.label}
        sentence = _("%(unit)s does not lie in %(yours)s.") % places
        found.append(Beyond("unit", sentence, parent.unit.slug))
    if terms.depth >= parent.depth:
        most = {"most": parent.depth - 1}
        sentence = (
            _("It can be handed on at most %(most)s more times.") % most
            if parent.depth
            else _("Yours cannot be handed on.")
        )
        found.append(Beyond("depth", sentence, parent.depth - 1))
    if terms.starts_at < parent.starts_at:
        day = _day(parent.starts_at)
        found.append(Beyond("starts_at", _("Yours starts on %(day)s.") % {"day": day}, day))
    if parent.ends_at is not None and (terms.ends_at is None or terms.ends_at > parent.ends_at):
        words = {"day": full_day_words(last_day(parent.ends_at))}
        sentence = _("Your last day is %(day)s: choose an end.") % words
        found.append(Beyond("ends_at", sentence, _day(parent.ends_at)))
    return found


def facts_of(beyond: Sequence[Beyond]) -> dict[str, Any]:
    """How far one may go in the first of them."""
    return {"dimension": beyond[0].dimension, "bound": beyond[0].bound} if beyond else {}


def _day(moment: datetime) -> str:
    return timezone.localtime(moment).date().isoformat()


def _record(verb: str, delegation: Delegation, actor: User | None, now: datetime) -> Event:
    return record(
        verb, actor=actor, now=now, unit=delegation.unit,
        subject_kind="delegation", subject_id=delegation.pk,
    )  # fmt: skip
