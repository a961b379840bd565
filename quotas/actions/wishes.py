"""What a wish must look like before it is stored: one place for the form and the API."""

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.amounts import MAX_AMOUNT, format_amount
from portal.lib.errors import Invalid
from quotas.models import Offering
from quotas.queries.ask import names_that_can_be

MAX_TEXT = 2000
MAX_LINES = 200
MAX_DAYS = 3660


@dataclass(frozen=True)
class Wish:
    """What somebody wants for a project.

    wanted: {offering slug: absolute limit in base units}; until_on: the last day it is
    wanted, None for good.
    """

    wanted: Mapping[str, int]
    reason: str
    until_on: date | None = None
    all_or_nothing: bool = False


def clean_text(text: str, *, field: str, required: bool, most: int = MAX_TEXT) -> str:
    """A text for people: trimmed, of at most `most` characters, without control characters."""
    cleaned = text.replace("\r\n", "\n").strip()
    if required and not cleaned:
        raise Invalid({field: [_("Write a sentence: the other side reads it.")]})
    if len(cleaned) > most:
        words = {"count": len(cleaned), "most": most}
        raise Invalid(
            {field: [_("%(count)s characters are too many; %(most)s is the most.") % words]}
        )
    if any(unicodedata.category(each) in {"Cc", "Cs"} and each not in "\n\t" for each in cleaned):
        raise Invalid({field: [_("It holds control characters. Type it anew.")]})
    return cleaned


def check_wish(
    wish: Wish,
    *,
    balances: Mapping[int, int],
    now: datetime,
    offerings: Sequence[Offering] | None = None,
) -> dict[Offering, int]:
    """Raise Invalid with every error of a wish, or return {offering: wanted}.

    balances: {offering id: the project's quota now}; offerings: those that it names, if they
    were read already. The fields of the errors are `lines`, `lines.<offering slug>`, `reason` and
    `until_on`.
    """
    errors: dict[str, list[str]] = {}
    offerings = _known_offerings(wish.wanted, errors, offerings)
    for offering in offerings:
        sentence = _amount_error(wish.wanted[offering.slug], offering, balances.get(offering.pk, 0))
        if sentence:
            errors[f"lines.{offering.slug}"] = [sentence]
    try:
        clean_text(wish.reason, field="reason", required=True)
    except Invalid as error:
        errors.update(error.errors)
    check_until(wish.until_on, errors, now)
    if errors:
        raise Invalid(errors)
    return {offering: wish.wanted[offering.slug] for offering in offerings}


def check_lines(wanted: Mapping[str, int]) -> dict[Offering, int]:
    """The lines of a wish that is only tried: {offering: wanted}; raises Invalid.

    Unlike in a wish to be sent, a line may ask for what is there already.
    """
    errors: dict[str, list[str]] = {}
    offerings = _known_offerings(wanted, errors)
    for offering in offerings:
        sentence = _amount_error(wanted[offering.slug], offering, balance=-1)
        if sentence:
            errors[f"lines.{offering.slug}"] = [sentence]
    if errors:
        raise Invalid(errors)
    return {offering: wanted[offering.slug] for offering in offerings}


def _known_offerings(
    wanted: Mapping[str, int],
    errors: dict[str, list[str]],
    offerings: Sequence[Offering] | None = None,
) -> list[Offering]:
    if not wanted:
        errors["lines"] = [_("Change at least one amount.")]
    if len(wanted) > MAX_LINES:
        errors["lines"] = [_("A request has at most %(most)s lines.") % {"most": MAX_LINES}]
        return []
    if offerings is None:
        rows = Offering.objects.filter(slug__in=names_that_can_be(wanted))
        offerings = list(rows.select_related("resource", "zone__region"))
    known = {offering.slug for offering in offerings if offering.retired_at is None}
    for slug in wanted:
        if slug not in known:
            errors[f"lines.{slug[:125]}"] = [
                _("There is no such offering; the catalogue lists what can be asked for.")
            ]
    return [offering for offering in offerings if offering.slug in known]


def _amount_error(amount: int, offering: Offering, balance: int) -> str:
    resource = offering.resource
    words = {
        "resource": resource.name,
        "zone": offering.zone.name,
        "step": format_amount(resource.step, resource.unit),
        "most": format_amount(MAX_AMOUNT, resource.unit),
        "quota": format_amount(balance, resource.quota_unit),
    }
    if amount < 0:
        return _("%(resource)s in %(zone)s cannot be below zero; 0 is the least.") % words
    if resource.is_access and amount > 1:
        return _("%(resource)s in %(zone)s is granted or not: ask for 1 or 0.") % words
    if amount > MAX_AMOUNT:
        return _("%(resource)s in %(zone)s: %(most)s is the most that can be counted.") % words
    if amount % resource.step:
        return _("%(resource)s in %(zone)s is given in steps of %(step)s.") % words
    if amount == balance and resource.is_access:
        return _("%(resource)s in %(zone)s is %(quota)s already.") % words
    if amount == balance:
        return _("%(resource)s in %(zone)s is %(quota)s already; ask for another amount.") % words
    return ""


def check_until(until_on: date | None, errors: dict[str, list[str]], now: datetime) -> None:
    """Add to the errors what is wrong with the last day of a loan."""
    if until_on is None:
        return
    # The site's day, whatever zone the reader has: the loan ends by it.
    today = timezone.localdate(now, timezone.get_default_timezone())
    if until_on < today:
        errors["until_on"] = [_("That day is over; choose today or a later day.")]
    elif until_on > today + timedelta(days=MAX_DAYS):
        errors["until_on"] = [_("Ten years is the longest; leave it empty if it stays.")]


def check_known(ids: Collection[int], known: Collection[int]) -> None:
    """Raise Invalid where a line is named that is not one of the request's."""
    strange = sorted(set(ids) - set(known))
    if strange:
        raise Invalid({"lines": [_("Line %(id)s is not of this request.") % {"id": strange[0]}]})
