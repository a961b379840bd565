"""The link in each mail that turns off its kinds of mail, signed: it needs no sign-in, no form.

What it opens is only that: whoever has the link, as a mailing list that the mail went to, can
turn these kinds off for the person, and see or do nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from projects.models import MailChoice, User
from projects.states import MailWay, NoticeKind


class LinkBroken(Exception):
    """It was not made here, or cut off by a mail program."""


@dataclass(frozen=True)
class Stop:
    """Whose mail of which kinds a link turns off."""

    person: User
    kinds: tuple[str, ...]


def stop_url(person: User, kinds: Iterable[str]) -> str:
    """The link for a mail that tells of these kinds."""
    text = _signer().sign_object([person.public_id.hex, sorted(kinds)])
    return settings.SITE_URL + reverse("mail_stop", args=[text])


def read_stop(text: str) -> Stop:
    """What a link says; raises LinkBroken."""
    try:
        public_id, kinds = _signer().unsign_object(text)
        person = User.objects.filter(public_id=public_id).first()
    except (BadSignature, ValueError):
        raise LinkBroken from None
    if person is None:
        raise LinkBroken
    return Stop(person, tuple(each for each in kinds if each in NoticeKind.values))


def stop(found: Stop) -> None:
    """Turn them off; once or many times is the same."""
    MailChoice.objects.bulk_create(
        [MailChoice(person=found.person, kind=each, way=MailWay.OFF) for each in found.kinds],
        update_conflicts=True,
        unique_fields=["person", "kind"],
        update_fields=["way"],
    )


def _signer() -> Signer:
    return Signer(salt="remit.mail.stop")
