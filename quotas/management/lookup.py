"""What commands are told on the command line, turned into rows or one clear sentence."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Self

from django.core.management import CommandError
from django.db import transaction
from django.utils import timezone

from portal.lib.amounts import AmountError, parse_amount
from portal.lib.errors import DomainError
from projects.models import Unit, User
from projects.states import Power
from quotas.models import Offering, Zone


class Sentences:
    """Turns an error of the domain into a command's error, which is one sentence."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, DomainError):
            raise CommandError(error.sentence) from error


def person(subject: str, issuer: str = "") -> User:
    """The active person of that subject; `issuer` is needed only where several know it."""
    found = User.objects.filter(subject=subject)
    if issuer:
        found = found.filter(issuer=issuer)
    people = list(found[:2])
    if not people:
        raise CommandError(
            f"Nobody is known as {subject!r}. Load them with load_catalogue, or let them sign in "
            "once."
        )
    if len(people) > 1:
        raise CommandError(
            f"Several people are known as {subject!r}: say --issuer, for example "
            f"--issuer {people[0].issuer}."
        )
    if not people[0].is_active:
        raise CommandError(f"The account of {subject!r} is not active.")
    return people[0]


def unit(slug: str) -> Unit:
    """The living unit of that slug, or of a path such as "EP/ATLAS"."""
    name = slug.rstrip("/").rpartition("/")[2].lower()
    found = Unit.objects.filter(slug=name).first()
    if found is None or ("/" in slug and f"{slug.rstrip('/').lower()}/" != found.path):
        known = ", ".join(Unit.objects.order_by("path").values_list("slug", flat=True)[:12])
        raise CommandError(f"There is no unit {slug!r}; there is {known or 'none'}.")
    if found.retired_at is not None:
        raise CommandError(f"{found.label} is retired.")
    return found


def zone(name: str) -> Zone:
    """The zone of a name such as "geneva.compute-a"."""
    region, __, slug = name.partition(".")
    found = Zone.objects.filter(region__slug=region, slug=slug).first()
    if found is None:
        zones = Zone.objects.select_related("region")[:12]
        known = ", ".join(f"{each.region.slug}.{each.slug}" for each in zones)
        raise CommandError(f"There is no zone {name!r}; there is {known or 'none'}.")
    return found


def amounts(pairs: list[str]) -> dict[Offering, int]:
    """{offering: base units} of pairs like "geneva.compute-a.vcpu=512".

    "*" stands for any part of a name: "geneva.compute-*.vcpu=512".
    """
    offerings = list(
        Offering.objects.filter(retired_at__isnull=True).select_related("resource", "zone")
    )
    found: dict[Offering, int] = {}
    for pair in pairs:
        pattern, equals, text = pair.partition("=")
        if not equals:
            raise CommandError(f"{pair!r} must be OFFERING=AMOUNT, like geneva.compute-a.vcpu=512.")
        matching = [each for each in offerings if fnmatchcase(each.slug, pattern)]
        if not matching:
            raise CommandError(f"No offering is called {pattern!r}; the catalogue lists them.")
        for offering in matching:
            if offering in found:
                raise CommandError(f"{offering.slug} is named twice.")
            found[offering] = _amount(text, offering)
    return found


def _amount(text: str, offering: Offering) -> int:
    resource = offering.resource
    if text.lstrip().startswith(("+", "-", "\N{MINUS SIGN}")):
        raise CommandError(f"{offering.slug}: write the amount without a sign.")
    try:
        amount = parse_amount(text, unit=resource.unit, current=0, step=resource.step)
    except AmountError as error:
        raise CommandError(f"{offering.slug}: {error.sentence}") from error
    if amount == 0:
        raise CommandError(f"{offering.slug}: 0 moves nothing; name an amount above it.")
    return amount


def end_of_day(text: str, now: datetime) -> datetime:
    """The moment at which a day such as "2027-03-31" is over, in the site's zone."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no day; write it like 2027-03-31.") from None
    end = timezone.make_aware(
        datetime.combine(day + timedelta(days=1), time.min), timezone.get_default_timezone()
    )
    if end <= now:
        raise CommandError(f"{text} is over already.")
    return end


def dry(is_dry: bool) -> None:
    """Inside a transaction: take everything back at its end if this was only a rehearsal."""
    if is_dry:
        transaction.set_rollback(True)


def too_few_words(unit: Unit, too_few: Mapping[Power, datetime]) -> list[str]:
    """From when on too few people hold the root of a unit, a sentence for each day."""
    days: dict[date, list[str]] = {}
    for power, when in too_few.items():
        days.setdefault(timezone.localtime(when).date(), []).append(power.value)
    return [
        f"From {day} on fewer than two people hold the root of {unit.label} for: "
        f"{', '.join(powers)}."
        for day, powers in sorted(days.items())
    ]
