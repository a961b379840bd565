"""Handing authority on, and taking it back: the chain, never the amounts.

Terms are immutable; bounds on amounts are the business of quotas.actions.delegations.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.locks import lock, share
from projects.models import Delegation, Group, Unit, User
from projects.queries.viewers import Viewer, live_delegations
from projects.states import Power

from .events import record
from .units import hold_path

MAX_DEPTH = 20
MAX_PURPOSE = 500
ROOTS_NEEDED = 2


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
    chosen = _check_terms(powers, depth, starts_at, ends_at, purpose)
    with transaction.atomic():
        made = Delegation.objects.create(
            user=user, unit=unit, powers=chosen, depth=depth, purpose=purpose,
            starts_at=starts_at, ends_at=ends_at, created_at=now,
        )  # fmt: skip
        _record("root granted", made, None, now)
    return made


def root_holders(unit: Unit, powers: Collection[Power], now: datetime) -> set[int]:
    """Ids of the people who hold a live root with these powers over the whole of a unit."""
    roots = live_delegations(now).filter(
        parent__isnull=True,
        user__is_active=True,
        unit__in=Unit.objects.above(unit.path),
        powers__contains=list(powers),
    )
    return set(roots.values_list("user", flat=True))


def grant(
    *,
    parent: Delegation,
    grantor: User,
    unit: Unit,
    powers: Collection[Power],
    starts_at: datetime,
    ends_at: datetime | None,
    depth: int,
    user: User | None = None,
    group: Group | None = None,
    purpose: str = "",
    now: datetime,
) -> Delegation:
    """Hand a part of what `grantor` holds by `parent` to a person or a group.

    Raises Forbidden where the grantor does not hold the parent now; Invalid, by field, where
    powers, unit, period or depth go beyond it (facts: dimension, bound).
    """
    if (user is None) == (group is None):
        raise Invalid({"user": [_("Name a person or a group, one of the two.")]})
    chosen = _check_terms(powers, depth, starts_at, ends_at, purpose)
    with transaction.atomic():
        unit = hold_path(unit)
        share(Delegation, parent.chain_ids)
        held = _held(parent, grantor, now)
        _check_within(held, chosen, unit, starts_at, ends_at, depth)
        if user is not None and user.pk == grantor.pk:
            raise Invalid({"user": [_("You hold this already: hand it to somebody else.")]})
        made = Delegation.objects.create(
            parent=held, ancestors=held.chain_ids, grantor=grantor, user=user, group=group,
            unit=unit, powers=chosen, depth=depth, purpose=purpose,
            starts_at=starts_at, ends_at=ends_at, created_at=now,
        )  # fmt: skip
        _record("delegated", made, grantor, now)
    return made


def revoke(*, delegation: Delegation, actor: User | None, now: datetime) -> None:
    """End a delegation, and with it all below it, from `now` on.

    Who made it, or holds a link above it, may do so; no actor: the operator's command.
    Raises Forbidden, and Conflict where it was revoked before.
    """
    with transaction.atomic():
        locked = lock(Delegation.objects.filter(pk=delegation.pk).select_related("unit"))[0]
        if actor is not None and actor.pk != locked.grantor_id:
            held = {each.pk for each in Viewer.of(actor, now).delegations}
            if not held & set(locked.ancestors):
                raise Forbidden(_("Only who handed it on, or somebody above, can take it back."))
        revoked = Delegation.objects.filter(pk=locked.pk, revoked_at__isnull=True).update(
            revoked_at=now, revoked_by=actor
        )
        if not revoked:
            raise Conflict(_("It was revoked already."))
        _record("revoked", locked, actor, now)
    delegation.revoked_at, delegation.revoked_by = now, actor


def _held(parent: Delegation, grantor: User, now: datetime) -> Delegation:
    """The parent as the grantor holds it now, every link above it in force."""
    for each in Viewer.of(grantor, now).delegations:
        if each.pk == parent.pk:
            return each
    raise Forbidden(
        _("You do not hold that delegation now, so you cannot hand it on."), delegation=parent.pk
    )


def _check_terms(
    powers: Collection[Power],
    depth: int,
    starts_at: datetime,
    ends_at: datetime | None,
    purpose: str,
) -> list[Power]:
    """What must hold for any delegation; the powers in their written order."""
    if not powers:
        raise Invalid({"powers": [_("Choose at least one power.")]})
    if not 0 <= depth <= MAX_DEPTH:
        words = {"most": MAX_DEPTH}
        raise Invalid({"depth": [_("It lies between 0 and %(most)s.") % words]})
    if ends_at is not None and ends_at <= starts_at:
        raise Invalid({"ends_at": [_("It must end after it starts.")]})
    if len(purpose) > MAX_PURPOSE:
        words = {"most": MAX_PURPOSE}
        raise Invalid({"purpose": [_("%(most)s characters is the most.") % words]})
    return [power for power in Power if power in set(powers)]


def _check_within(
    parent: Delegation,
    powers: Collection[Power],
    unit: Unit,
    starts_at: datetime,
    ends_at: datetime | None,
    depth: int,
) -> None:
    beyond = [power for power in powers if power not in parent.powers]
    if beyond:
        words = {"power": Power(beyond[0]).label}
        raise _beyond("powers", _("You do not hold the power to %(power)s.") % words, parent.powers)
    if not unit.path.startswith(parent.unit.path):
        places = {"unit": unit.label, "yours": parent.unit.label}
        raise _beyond("unit", _("%(unit)s does not lie in %(yours)s.") % places, parent.unit.slug)
    if unit.retired_at is not None:
        raise Invalid({"unit": [_("%(unit)s is retired.") % {"unit": unit.label}]})
    if depth >= parent.depth:
        if parent.depth == 0:
            sentence = _("Yours cannot be handed on.")
        else:
            most = {"most": parent.depth - 1}
            sentence = _("It can be handed on at most %(most)s more times.") % most
        raise _beyond("depth", sentence, parent.depth - 1)
    if starts_at < parent.starts_at:
        day = parent.starts_at.date().isoformat()
        raise _beyond("starts_at", _("Yours starts on %(day)s.") % {"day": day}, day)
    if parent.ends_at is not None and (ends_at is None or ends_at > parent.ends_at):
        day = parent.ends_at.date().isoformat()
        raise _beyond("ends_at", _("Yours ends on %(day)s: choose an end.") % {"day": day}, day)


def _beyond(dimension: str, sentence: str, bound: object) -> Invalid:
    return Invalid({dimension: [sentence]}, dimension=dimension, bound=bound)


def _record(verb: str, delegation: Delegation, actor: User | None, now: datetime) -> None:
    record(
        verb, actor=actor, now=now, unit=delegation.unit,
        subject_kind="delegation", subject_id=delegation.pk,
    )  # fmt: skip
