"""May this person move so much between an envelope and what pays it? Asked with and without locks.

To fund or take back one holds `manage envelopes` for the envelope and for its source (of the
pool: for every top unit, as it is theirs together); to declare one, for the unit. Nobody moves
anything into an envelope from which a project of theirs draws, be it by taking back.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from portal.lib.errors import Conflict, Forbidden, Invalid, Stale
from portal.lib.locks import share
from projects.models import Delegation, Project, Unit, ancestor_paths
from projects.queries.viewers import Viewer
from projects.states import Power
from quotas.models import Account, Offering
from quotas.queries.authority import Mandate, delegate_of, mandates_for, mandates_of
from quotas.queries.bounds import Used
from quotas.queries.consumption import used_by
from quotas.queries.envelopes import (
    Standing,
    drawing_among,
    projects_of_interest,
    standings,
)

from .consuming import Totals, hold_totals
from .ledger import check_amount, holder_name

POWER = Power.MANAGE_ENVELOPES
MAX_CHANGES = 500
NAMES_SAID = 3
# {(person id, offering id): slug of a project in which they hold a role above reader, and which
# draws from an envelope directly}.
Interest = Mapping[tuple[int, int], str]


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

    interest: of projects that draw from the envelope, received: from what pays it, which gets
    back what is taken.
    """

    viewer: Viewer
    unit: Unit
    standings: Mapping[int, Standing]
    mandates: tuple[Mandate, ...]
    holds_pool: bool
    used: Used
    interest: Interest
    received: Interest

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
    theirs = projects_of(people, unit, viewer.now)
    found = standings(unit, offerings)
    return Purse(
        viewer=viewer,
        unit=unit,
        standings=found,
        mandates=tuple(mandates),
        holds_pool=all(viewer.holds(POWER, path) for path in _tops()),
        used=used_by(mandates, unit, offerings, viewer.now, POWER),
        interest=_drawn(theirs, unit, [each.pk for each in offerings]),
        received=received_by(theirs, {pk: each.source for pk, each in found.items()}),
    )


def projects_of(people: Collection[int], unit: Unit, now: datetime) -> dict[int, list[Project]]:
    """{person id: projects in which they hold a role above reader} of the unit's whole tree."""
    top = ancestor_paths(unit.path)[0]
    return {each: projects_of_interest([each], top, now) for each in people}


def received_by(
    theirs: Mapping[int, Collection[Project]], sources: Mapping[int, Account | None]
) -> Interest:
    """Who has an interest in what these units get. sources: by offerings' ids; not the pool,
    which is nobody's own."""
    units = {each.unit.pk: each.unit for each in sources.values() if each and each.unit}
    found: dict[tuple[int, int], str] = {}
    for unit in units.values():
        ids = [pk for pk, each in sources.items() if each and each.unit_id == unit.pk]
        found |= _drawn(theirs, unit, ids)
    return found


def _drawn(
    theirs: Mapping[int, Collection[Project]], unit: Unit, offering_ids: Collection[int]
) -> dict[tuple[int, int], str]:
    return {
        (person, pk): drawing[0].slug
        for person, projects in theirs.items()
        for pk, drawing in drawing_among(
            [each for each in projects if each.unit.path.startswith(unit.path)], unit, offering_ids
        ).items()
        if drawing
    }


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
        "what": what_of(first.offering),
        "left": format_amount(first.left or 0, resource.unit),
        "source": source_name(first),
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


def whom_to_ask(path: str | None, now: datetime) -> dict[str, str]:
    """{"who": names} of those nearest who hold the power at a path; None: for the pool."""
    if path is None:
        over = [{delegate_of(each) for each in mandates_for(top, POWER, now)} for top in _tops()]
        found = set.intersection(*over) if over else set()
    else:
        mandates = mandates_for(path, POWER, now)
        found = {delegate_of(each) for each in mandates if each.nearness == mandates[0].nearness}
    names = sorted(str(each) for each in found)
    return {"who": ", ".join(names[:NAMES_SAID])} if names else {}


def _tops() -> list[str]:
    tops = Unit.objects.filter(parent__isnull=True, retired_at__isnull=True)
    return list(tops.values_list("path", flat=True))


def source_name(standing: Standing) -> str:
    return holder_name(standing.source) if standing.source is not None else str(_("the pool"))


def what_of(offering: Offering) -> str:
    return _("%(resource)s in %(zone)s") % {
        "resource": offering.resource.name, "zone": offering.zone.name,
    }  # fmt: skip
