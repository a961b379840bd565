"""The verdict on one change of an envelope: by which mandate it is done, or why it is not."""

from collections.abc import Collection

from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from portal.lib.errors import Conflict, DomainError, Forbidden, Invalid
from quotas.models import Offering
from quotas.queries.authority import Mandate, usable
from quotas.queries.bounds import Most
from quotas.queries.envelopes import Standing, rest_of

from .funding import POWER, Purse, check_holder, source_name, what_of, whom_to_ask
from .ledger import no_room

HOLDERS_SAID = 10


def judge(purse: Purse, offering: Offering, change: int) -> Mandate:
    """The mandate by which the envelope of an offering is changed by so much; 0: declared.

    Raises Forbidden, Conflict, NoRoom or Invalid, each with its figures.
    """
    standing = purse.standings[offering.pk]
    if change == 0:
        return _declarer(purse, standing)
    # A service account brings nothing into its place from outside.
    held = purse.mandates if purse.viewer.reaches(standing.source_path) else ()
    mandates = usable(held, standing.source_path, POWER)
    if not mandates or (standing.source_slug is None and not purse.holds_pool):
        raise _beyond_place(purse, standing)
    mandates = _disinterested(purse, mandates, standing, change)
    mandate = _allowed(purse, mandates, offering, change)
    if change > 0:
        _check_room(standing, change)
    else:
        _check_left(purse, standing, -change)
    return mandate


def _declarer(purse: Purse, standing: Standing) -> Mandate:
    if standing.account is not None:
        raise Invalid({
            f"changes.{standing.offering.slug}": [
                _("The envelope of %(what)s is declared already: say how much it is to change.")
                % {"what": what_of(standing.offering)}
            ]
        })  # fmt: skip
    check_holder(purse.viewer, purse.unit)
    return _allowed(purse, purse.mandates, standing.offering, 0)


def _disinterested(
    purse: Purse, mandates: Collection[Mandate], standing: Standing, change: int
) -> list[Mandate]:
    own, offering = purse.viewer.user.pk, standing.offering
    interest = purse.interest if change > 0 else purse.received
    bars = [
        next(
            (
                slug
                for person in (own, *each.deputised)
                if (slug := interest.get((person, offering.pk))) is not None
            ),
            "",
        )
        for each in mandates
    ]
    free = [each for each, slug in zip(mandates, bars, strict=True) if not slug]
    if not free:
        words = {"project": bars[0], "source": source_name(standing)}
        sentence = (
            _(
                "%(project)s draws from this envelope, and you, or somebody you stand in for, "
                "hold a role in it: somebody else must fund it."
            )
            if change > 0
            else _(
                "%(source)s gets it back, from which %(project)s draws, and you, or somebody you "
                "stand in for, hold a role in that: somebody else must take it back."
            )
        )
        raise Forbidden(sentence % words, offering=offering.slug, project=bars[0])
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
            % {"what": what_of(offering)},
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
        "what": what_of(offering),
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
    words = {"source": source_name(standing), "unit": purse.unit.label}
    return Forbidden(
        _(
            "What %(unit)s gets is taken from %(source)s: that takes the power to manage the "
            "envelopes there, too."
        )
        % words,
        offering=standing.offering.slug, source=standing.source_slug,
        **whom_to_ask(
            standing.source_path if standing.source_slug else None, purse.viewer.now
        ),
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
        sentence = _("%(unit)s has no envelope of %(what)s: there is nothing to take back.") % {
            "unit": purse.unit.label, "what": what_of(standing.offering),
        }  # fmt: skip
        raise Invalid({f"changes.{standing.offering.slug}": [sentence]})
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
