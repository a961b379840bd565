"""What a person wants by mail, and when their digest comes."""

from collections.abc import Mapping

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Forbidden, Invalid
from projects.models import DigestHour, MailChoice, User
from projects.queries.viewers import Place
from projects.states import MailWay, NoticeKind


def set_mail_choices(*, ways: Mapping[str, str], digest_hour: int | None, actor: User) -> None:
    """Remember how the person wants which kind of notice by mail; all at once.

    ways: {kind: way}; a kind that is not in it, or "", has its default again, and so has the
    hour without one. Raises Invalid, and Forbidden for a service account, which has no mail.
    Not an act on anything of the site, so no event is written.
    """
    if Place.of(actor) is not None:
        raise Forbidden(_("A service account gets no mail: this is for people."))
    _check(ways, digest_hour)
    with transaction.atomic():
        # One of two that save at once goes first; the other's choices hold.
        User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        MailChoice.objects.filter(person=actor).delete()
        MailChoice.objects.bulk_create(
            [MailChoice(person=actor, kind=kind, way=way) for kind, way in ways.items() if way]
        )
        DigestHour.objects.filter(person=actor).delete()
        if digest_hour is not None:
            DigestHour.objects.create(person=actor, hour=digest_hour)


def _check(ways: Mapping[str, str], digest_hour: int | None) -> None:
    errors: dict[str, list[str]] = {}
    for kind, way in ways.items():
        if kind not in NoticeKind.values:
            errors[f"kinds.{kind[:60]}"] = [_("There is no such kind of notice.")]
        elif way and way not in MailWay.values:
            errors[f"kinds.{kind}"] = [_("Choose at once, digest or off.")]
    if digest_hour is not None and not 0 <= digest_hour <= 23:
        errors["digest_hour"] = [_("An hour of the day is 0 to 23.")]
    if errors:
        raise Invalid(errors)
