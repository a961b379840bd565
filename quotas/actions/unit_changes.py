"""Moving a unit to another parent, and retiring one: what follows for quota and authority.

Nothing that is promised is lost or made: what a retired unit held goes to its parent, but for
the authority over it, which ends. People need `manage envelopes` on both sides; the operators'
command (`is_command`) needs nothing.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Stale
from portal.lib.locks import lock
from projects.actions import units as tree
from projects.actions.events import record
from projects.actions.projects import place_project
from projects.models import Delegation, Event, Project, Unit, User
from projects.outgoing.notices import tell
from projects.queries.viewers import Viewer
from projects.states import NoticeKind, Power
from quotas.models import Account, Loan, Offering, Policy
from quotas.queries.authority import Mandate, mandates_of
from quotas.queries.envelopes import nearest_above, projects_of_interest
from quotas.queries.unit_changes import Retirement, held_below, move_of, retirement_of
from quotas.states import POLICY_MOVES, PolicyState

from .delegations import holders
from .envelopes import sweep
from .funding import POWER, check_holder, projects_of, received_by, whom_to_ask
from .ledger import open_site_and_pool
from .routing import mark_unit
from .wishes import clean_text


def move_unit(
    *,
    unit: Unit,
    parent: Unit | None,
    seen: str | None = None,
    actor: User | None = None,
    is_command: bool = False,
    now: datetime,
) -> bool:
    """Put a unit with all below it under another parent; False: it stood there already.

    Envelopes and quota stay with their holders; the sizes of the envelopes above follow, as a
    size is what is left plus what lies beneath. seen: `Move.seen` of what the person was shown.
    Raises Forbidden, Conflict, Stale.
    """
    with transaction.atomic():
        tree.take_subtree(unit)
        if parent is not None:
            parent = tree.hold_path(parent)
        if not is_command:
            check_move(Viewer.of(_person(actor), now), unit, parent)
        if seen is not None:
            _check_seen(move_of(unit, parent, now).seen, seen)
        moved = tree.move_unit(unit=unit, parent=parent, actor=actor, now=now)
        if moved:
            mark_unit(unit, now)
    return moved


def retire_unit(
    *,
    unit: Unit,
    seen: str | None = None,
    reason: str = "",
    actor: User | None = None,
    is_command: bool = False,
    now: datetime,
) -> Retirement:
    """Close a unit and hand what it holds to its parent; what was done, as it was foreseen.

    Envelopes are swept to the nearest envelope above or the pool, where what they lent returns
    to as well; projects and sub-units go to the parent; delegations over it end and its rules
    are switched off. Raises Forbidden, Conflict, Stale, Invalid.
    """
    said = clean_text(reason, field="reason", required=False, most=400)
    with transaction.atomic():
        # In the order of ARCHITECTURE.md: projects before units before accounts.
        held = lock(Project.objects.filter(unit=unit))
        tree.take_subtree(unit)
        heir = tree.hold_path(unit.parent) if unit.parent is not None else None
        if not is_command:
            check_retire(Viewer.of(_person(actor), now), unit)
        foreseen = retirement_of(unit, now)
        _check_retirable(foreseen, held)
        if seen is not None:
            _check_seen(foreseen.seen, seen)
        _sweep_envelopes(foreseen, said, actor, now)
        if heir is not None:
            for project in foreseen.projects:
                place_project(project=project, unit=heir, actor=actor, now=now)
        for child in foreseen.children:
            tree.move_unit(unit=child, parent=heir, actor=actor, now=now)
        _end_delegations(unit, foreseen.ended, actor, now)
        _switch_off(foreseen.policies, actor, now)
        tree.retire_unit(unit=unit, actor=actor, now=now)
        if heir is not None:
            mark_unit(heir, now)
    return foreseen


def check_move(viewer: Viewer, unit: Unit, parent: Unit | None) -> None:
    """Raise Forbidden unless the person holds the power over the old and the new parent, and
    gains none over the unit by it."""
    check_holder(viewer, unit)
    if unit.parent is None or parent is None:
        raise Forbidden(_("Only the operators' command puts a unit to the top or takes it away."))
    _check_gain(viewer, unit, parent)
    _check_interest(viewer, unit, [*_over(viewer, unit.parent, unit), *_over(viewer, parent, unit)])


def _check_gain(viewer: Viewer, unit: Unit, parent: Unit) -> None:
    """Whoever decides below the new parent decides for the unit then: nobody brings that about
    for themselves."""
    gained = [
        power
        for power in Power
        if viewer.holds(power, parent.path) and not viewer.holds(power, unit.path)
    ]
    if gained:
        words = {"power": ", ".join(str(each.label) for each in gained), "unit": unit.label}
        raise Forbidden(
            _(
                "It would give you the power to %(power)s for %(unit)s: somebody who holds it "
                "there already must do it."
            )
            % words,
            powers=[each.value for each in gained],
        )


def check_retire(viewer: Viewer, unit: Unit) -> None:
    """Raise Forbidden unless the person holds the power over the parent, which gets it all."""
    check_holder(viewer, unit)
    if unit.parent is None:
        raise Forbidden(_("Only the operators' command retires a unit at the top."))
    mandates = _over(viewer, unit.parent, unit)
    _check_interest(viewer, unit, mandates)
    _check_heirs(viewer, unit, mandates)


def _check_heirs(viewer: Viewer, unit: Unit, mandates: Collection[Mandate]) -> None:
    """What is left goes up: nobody brings it to where a project of theirs draws from."""
    left = Account.objects.filter(unit=unit, balance__gt=0).values_list("offering", flat=True)
    people = {viewer.user.pk}.union(*(each.deputised for each in mandates))
    theirs = projects_of(people, unit, viewer.now)
    if not any(theirs.values()):
        return
    slug = next(iter(received_by(theirs, nearest_above(unit, list(left))).values()), None)
    if slug is not None:
        raise Forbidden(
            _(
                "What %(unit)s has left goes to where %(project)s draws from, in which you, or "
                "somebody you stand in for, hold a role: somebody else must do it."
            )
            % {"unit": unit.label, "project": slug},
            project=slug,
        )


def _over(viewer: Viewer, parent: Unit, unit: Unit) -> list[Mandate]:
    """The person's mandates over a parent that speak of all that the unit's subtree holds."""
    mandates = mandates_of(viewer, parent.path, POWER)
    offerings = list(Offering.objects.filter(pk__in=held_below(unit)))
    found = [each for each in mandates if all(each.reaches(one) for one in offerings)]
    if found:
        return found
    words = {"unit": unit.label, "parent": parent.label}
    sentence = (
        _("Your remit over %(parent)s does not speak of everything that %(unit)s holds.")
        if mandates
        else _("That takes the power to manage the envelopes of %(parent)s, too.")
    )
    raise Forbidden(
        sentence % words, unit=parent.slug, **whom_to_ask(parent.path, viewer.now)
    )  # fmt: skip


def _check_interest(viewer: Viewer, unit: Unit, mandates: Collection[Mandate]) -> None:
    """Where a unit stands says who pays its projects: nobody moves one of their own."""
    people = {viewer.user.pk}.union(*(each.deputised for each in mandates))
    theirs = projects_of_interest(people, unit.path, viewer.now)
    if theirs:
        raise Forbidden(
            _(
                "You, or somebody you stand in for, hold a role in %(project)s, which draws "
                "from another envelope then: somebody else must do it."
            )
            % {"project": theirs[0].slug},
            project=theirs[0].slug,
        )


def _check_retirable(foreseen: Retirement, held: Collection[Project]) -> None:
    unit = foreseen.unit
    if unit.retired_at is not None:
        raise Conflict(_("%(unit)s is retired already.") % {"unit": unit.label}, unit=unit.slug)
    if unit.parent is None and (foreseen.projects or foreseen.children):
        raise Conflict(
            _("Nothing stands above %(unit)s that could take its projects and units: move them.")
            % {"unit": unit.label},
            unit=unit.slug,
        )
    others = Unit.objects.filter(parent__isnull=True, retired_at__isnull=True).exclude(pk=unit.pk)
    if unit.parent is None and not others.exists():
        raise Conflict(_("%(unit)s is the only unit at the top.") % {"unit": unit.label})
    if {each.pk for each in foreseen.projects} != {each.pk for each in held}:
        raise Conflict(_("A project came or went at this moment. Look again."))


def _check_seen(now: str, seen: str) -> None:
    if now != seen:
        raise Stale(_("What this would do has changed since you opened it. Look again."), seen=now)


def _sweep_envelopes(foreseen: Retirement, reason: str, actor: User | None, now: datetime) -> None:
    """What is left goes up, and so does what the unit lent, once it returns."""
    unit = foreseen.unit
    envelopes = list(Account.objects.filter(unit=unit).select_related("offering"))
    ids = [each.offering_id for each in envelopes]
    heirs = {pk: each.pk for pk, each in nearest_above(unit, ids).items()}
    for envelope in envelopes:
        if envelope.offering_id not in heirs:
            heirs[envelope.offering_id] = open_site_and_pool(envelope.offering)[1].pk
    wanted = {*heirs.values(), *(each.pk for each in envelopes)}
    rows = lock(
        Account.objects.filter(pk__in=wanted).select_related(
            "unit", "offering__resource", "offering__zone"
        )
    )
    locked = {each.pk: each for each in rows}
    for envelope in envelopes:
        heir = locked[heirs[envelope.offering_id]]
        Loan.objects.filter(source=envelope, outstanding__gt=0).update(source=heir)
        sweep(envelope=locked[envelope.pk], heir=heir, reason=reason, actor=actor, now=now)


def _end_delegations(
    unit: Unit, ended: Collection[Delegation], actor: User | None, now: datetime
) -> None:
    """Authority over what is no more ends: it is never handed up by a retirement."""
    lock(Delegation.objects.filter(pk__in=[each.pk for each in ended]))
    why = _("%(unit)s was retired.") % {"unit": unit.label}
    Delegation.objects.filter(pk__in=[each.pk for each in ended], revoked_at__isnull=True).update(
        revoked_at=now, revoked_by=actor, revoked_why=why
    )
    for each in ended:
        event: Event = record(
            "revoked", actor=actor, now=now, unit=unit, subject_kind="delegation",
            subject_id=each.pk,
        )  # fmt: skip
        tell(event, holders(each, now), NoticeKind.REVOKED)


def _switch_off(policies: Collection[Policy], actor: User | None, now: datetime) -> None:
    off = POLICY_MOVES[PolicyState.ON, "switch off"]
    for policy in policies:
        Policy.objects.filter(pk=policy.pk, state=PolicyState.ON).update(state=off)
        record(
            "policy switched off", actor=actor, now=now, unit=policy.unit,
            subject_kind="policy", subject_id=policy.pk,
        )  # fmt: skip


def _person(actor: User | None) -> User:
    if actor is None:
        raise Forbidden(_("Somebody must do it, or the operators' command."))
    return actor
