"""May this person move so much between an envelope and what pays it? Asked with and without locks.

To fund or take back one holds `manage envelopes` for the envelope and for its source; to
declare one, for the unit. Nobody funds an envelope from which a project of theirs draws.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, Stale
from portal.lib.locks import share
from projects.models import Delegation, Unit, User
from projects.queries.viewers import Viewer
from projects.states import Power
from quotas.models import Offering
from quotas.queries.authority import Mandate, delegate_of, mandates_for, mandates_of, usable
from quotas.queries.bounds import Most, Used
from quotas.queries.consumption import used_by
from quotas.queries.envelopes import (
    Standing,
    drawing_among,
    projects_of_interest,
    rest_of,
    standings,
)

from .consuming import Totals, hold_totals
from .ledger import check_amount, holder_name, no_room

POWER = Power.MANAGE_ENVELOPES
MAX_CHANGES = 500
NAMES_SAID = 3
HOLDERS_SAID = 10


@dataclass(frozen=True)
class Seen:
    """What somebody saw of an envelope as they changed it; amounts in base units.

    left: None where it was not declared; promised: what lay beneath; source: the slug of the
    unit that pays, None for the pool.
    """

    left: int | None
    promised: int
    source: str | None
    source_left: int

    @classmethod
    def of(cls, standing: Standing) -> "Seen":
        return cls(standing.left, standing.promised, standing.source_slug, standing.source_left)

    @property
    def size(self) -> int:
        return self.promised + (self.left or 0)

    @property
    def figures(self) -> dict[str, Any]:
        """As JSON values, as the API takes them."""
        return {
            "left": self.left, "promised": self.promised, "source": self.source,
            "source_left": self.source_left,
        }  # fmt: skip


@dataclass(frozen=True)
class Purse:
    """What a change of a unit's envelopes is judged by: the figures, and the person's remit.

    interest: {(person id, offering id): slug of a project in which they hold a role above
    reader and which draws from the envelope directly}.
    """

    viewer: Viewer
    unit: Unit
    standings: Mapping[int, Standing]
    mandates: tuple[Mandate, ...]
    used: Used
    interest: Mapping[tuple[int, int], str]

    def plus(self, mandate: Mandate, offering: Offering, increase: int) -> "Purse":
        """With an increase that was judged before: several share a total."""
        used = self.used.plus(mandate.bounds_on(offering), offering, increase)
        return replace(self, used=used)


def look(viewer: Viewer, unit: Unit, offerings: Collection[Offering]) -> Purse:
    """Everything that a change of these envelopes is judged by, as it is now."""
    mandates = mandates_of(viewer, unit.path, POWER)
    return _purse(viewer, unit, offerings, mandates)


def look_locked(purse: Purse, now: datetime) -> tuple[Purse, Totals]:
    """The same once more, with delegations and totals held: a link may have been revoked.

    The caller has locked the unit and the accounts.
    """
    held = {link.pk for mandate in purse.mandates for link in mandate.chain}
    share(Delegation, held)
    viewer = Viewer.of(purse.viewer.user, now)
    mandates = [
        each
        for each in mandates_of(viewer, purse.unit.path, POWER)
        if all(link.pk in held and link.revoked_at is None for link in each.chain)
    ]
    offerings = [each.offering for each in purse.standings.values()]
    totals = hold_totals(mandates, offerings, now, POWER)
    return _purse(viewer, purse.unit, offerings, mandates), totals


def _purse(
    viewer: Viewer, unit: Unit, offerings: Collection[Offering], mandates: Collection[Mandate]
) -> Purse:
    people = {viewer.user.pk}.union(*(each.deputised for each in mandates))
    ids = [each.pk for each in offerings]
    interest = {
        (person, pk): projects[0].slug
        for person in people
        for pk, projects in drawing_among(
            projects_of_interest([person], unit, viewer.now), unit, ids
        ).items()
        if projects
    }
    return Purse(
        viewer=viewer,
        unit=unit,
        standings=standings(unit, offerings),
        mandates=tuple(mandates),
        used=used_by(mandates, unit, offerings, viewer.now, POWER),
        interest=interest,
    )


def check_holder(viewer: Viewer, unit: Unit) -> None:
    """Raise Forbidden unless the person holds `manage envelopes` for the unit at all."""
    if not viewer.holds(POWER, unit.path):
        raise Forbidden(
            _("You hold no delegation that lets you manage the envelopes of %(unit)s.")
            % {"unit": unit.label},
            unit=unit.slug, **whom_to_ask(unit.path, viewer.now),
        )  # fmt: skip


def check_living(unit: Unit) -> None:
    if unit.retired_at is not None:
        raise Conflict(
            _("%(unit)s is retired; fund a living unit.") % {"unit": unit.label}, unit=unit.slug
        )


def check_changes(changes: Mapping[str, int], offerings: Mapping[str, Offering]) -> None:
    """Raise Invalid, with every error, where a change names no offering or is off its step."""
    errors: dict[str, list[str]] = {}
    if not changes:
        errors["changes"] = [_("Nothing is changed yet: write an amount beside an offering.")]
    if len(changes) > MAX_CHANGES:
        errors["changes"] = [_("%(most)s at once are the most.") % {"most": MAX_CHANGES}]
    for slug, change in changes.items():
        if slug not in offerings:
            errors[f"changes.{slug}"] = [_("There is no such offering.")]
        elif change:
            try:
                check_amount(abs(change), offerings[slug])
            except Invalid as error:
                errors[f"changes.{slug}"] = error.errors["amount"]
    if errors:
        raise Invalid(errors)


def check_seen(purse: Purse, seen: Mapping[str, Seen]) -> None:
    """Raise Stale, with the figures of now, where one differs from what the person saw."""
    moved = {
        each.offering.slug: each
        for each in purse.standings.values()
        if seen.get(each.offering.slug) != Seen.of(each)
    }
    if not moved:
        return
    first = next(iter(moved.values()))
    resource = first.offering.resource
    words = {
        "what": _what(first.offering),
        "left": format_amount(first.left or 0, resource.unit),
        "source": _source_name(first),
        "source_left": format_amount(first.source_left, resource.unit),
    }
    raise Stale(
        _(
            "Of %(what)s the envelope has %(left)s left by now, and %(source)s %(source_left)s. "
            "Nothing of yours was booked; look again."
        )
        % words,
        figures={slug: Seen.of(each).figures for slug, each in moved.items()},
    )


def judge(purse: Purse, offering: Offering, change: int) -> Mandate:
    """The mandate by which the envelope of an offering is changed by so much; 0: declared.

    Raises Forbidden, Conflict, NoRoom or Invalid, each with its figures.
    """
    standing = purse.standings[offering.pk]
    if change == 0:
        return _declarer(purse, standing)
    mandates = usable(purse.mandates, standing.source_path, POWER)
    if not mandates:
        raise _beyond_place(purse, standing)
    if change > 0:
        mandates = _disinterested(purse, mandates, offering)
    mandate = _allowed(purse, mandates, offering, change)
    if change > 0:
        _check_room(standing, change)
    else:
        _check_left(purse, standing, -change)
    return mandate


def refusal_of(purse: Purse, offering: Offering, change: int) -> DomainError | None:
    """Why `judge` would refuse the change now; None: it would not."""
    try:
        judge(purse, offering, change)
    except DomainError as error:
        return error
    return None


def _declarer(purse: Purse, standing: Standing) -> Mandate:
    if standing.account is not None:
        raise Invalid({
            f"changes.{standing.offering.slug}": [
                _("The envelope of %(what)s is declared already: say how much it is to change.")
                % {"what": _what(standing.offering)}
            ]
        })  # fmt: skip
    check_holder(purse.viewer, purse.unit)
    return _allowed(purse, purse.mandates, standing.offering, 0)


def _disinterested(
    purse: Purse, mandates: Collection[Mandate], offering: Offering
) -> list[Mandate]:
    own = purse.viewer.user.pk
    bars = [
        next(
            (
                slug
                for person in (own, *each.deputised)
                if (slug := purse.interest.get((person, offering.pk))) is not None
            ),
            "",
        )
        for each in mandates
    ]
    free = [each for each, slug in zip(mandates, bars, strict=True) if not slug]
    if not free:
        raise Forbidden(
            _(
                "%(project)s draws from this envelope, and you, or somebody you stand in for, "
                "hold a role in it: somebody else must fund it."
            )
            % {"project": bars[0]},
            offering=offering.slug, project=bars[0],
        )  # fmt: skip
    return free


def _allowed(
    purse: Purse, mandates: Collection[Mandate], offering: Offering, change: int
) -> Mandate:
    about = [each for each in mandates if each.reaches(offering)]
    for mandate in about:
        if mandate.allows(offering, change, purse.used):
            return mandate
    if not about:
        raise Forbidden(
            _("Your remit says nothing about %(what)s: somebody above you can do it.")
            % {"what": _what(offering)},
            offering=offering.slug, bound="bounds",
        )  # fmt: skip
    widest = max(
        (each.most(offering, purse.used) for each in about), key=lambda most: most.amount or 0
    )
    raise _beyond_bound(offering, change, widest)


def _beyond_bound(offering: Offering, change: int, most: Most) -> DomainError:
    unit = offering.resource.unit
    words = {
        "most": format_amount(most.amount or 0, unit),
        "written": format_amount(most.written or 0, unit),
        "asked": format_amount(change, unit),
        "what": _what(offering),
    }
    facts = {**most.facts, "offering": offering.slug, "most": most.amount, "asked": change}
    facts["unit"] = unit
    if most.dimension == "total":
        sentence = _(
            "%(most)s of the total of %(written)s is left of %(what)s; this adds %(asked)s. "
            "Fund less, or leave it to somebody above you."
        )
        return Conflict(sentence % words, **facts)
    sentence = _(
        "Your remit allows %(most)s more of %(what)s for this envelope now; this adds %(asked)s. "
        "Fund less, or leave it to somebody above you."
    )
    return Forbidden(sentence % words, **facts)


def _beyond_place(purse: Purse, standing: Standing) -> Forbidden:
    check_holder(purse.viewer, purse.unit)
    words = {"source": _source_name(standing), "unit": purse.unit.label}
    return Forbidden(
        _(
            "What %(unit)s gets is taken from %(source)s: that takes the power to manage the "
            "envelopes there, too."
        )
        % words,
        offering=standing.offering.slug, source=standing.source_slug,
        **whom_to_ask(standing.source_path, purse.viewer.now),
    )  # fmt: skip


def _check_room(standing: Standing, change: int) -> None:
    if standing.offering.retired_at is not None:
        raise Conflict(
            _("This is no longer offered; what is there can be taken back."),
            offering=standing.offering.slug,
        )
    if standing.source is None:
        raise Conflict(
            _("Nothing of this was ever issued to the pool; the operators can do that."),
            offering=standing.offering.slug,
        )
    if standing.source.balance < change:
        raise no_room(standing.source, change)


def _check_left(purse: Purse, standing: Standing, amount: int) -> None:
    """Raise NoRoom with what is left, and where the rest is."""
    if standing.account is None:
        raise Conflict(
            _("%(unit)s has no envelope of %(what)s: there is nothing to take back.")
            % {"unit": purse.unit.label, "what": _what(standing.offering)},
            offering=standing.offering.slug,
        )
    if standing.account.balance >= amount:
        return
    error = no_room(standing.account, amount)
    rest = rest_of(purse.viewer, purse.unit, standing.offering)
    error.facts["promised"] = rest.total
    error.facts["held"] = [
        {"kind": each.kind, "slug": each.slug, "amount": each.amount}
        for each in rest.holders[:HOLDERS_SAID]
    ]
    error.facts["held_by_others"] = rest.total - sum(
        each.amount for each in rest.holders[:HOLDERS_SAID]
    )
    raise error


def whom_to_ask(path: str, now: datetime) -> dict[str, str]:
    """Whom to ask: {"who": names} of those nearest who hold the power there."""
    found = mandates_for(path, POWER, now)
    nearest = [each for each in found if each.nearness == found[0].nearness]
    names = sorted({str(delegate_of(each)) for each in nearest})
    return {"who": ", ".join(names[:NAMES_SAID])} if names else {}


def _source_name(standing: Standing) -> str:
    return holder_name(standing.source) if standing.source is not None else str(_("the pool"))


def _what(offering: Offering) -> str:
    return _("%(resource)s in %(zone)s") % {
        "resource": offering.resource.name, "zone": offering.zone.name,
    }  # fmt: skip


def person_of(mandate: Mandate, actor: User) -> int:
    """Whose word it is: of a deputy the person they stand in for, at the end of the line."""
    return mandate.deputised[-1] if mandate.deputised else actor.pk
