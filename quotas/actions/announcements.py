"""Writing to the people of projects: an announcement is made, changed, scheduled and withdrawn.

Operators alone do it. Whom it reaches is asked as each slice of people is told (announcing.py),
so that who joined or left between the preview and that moment counts as they are then.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Forbidden, Invalid, NotVisible, Stale
from portal.lib.locks import lock
from portal.lib.plain import one_line
from projects.actions.events import record
from projects.models import User
from projects.queries.viewers import Viewer
from projects.rules import may_operate
from projects.states import Role
from quotas.models import Announcement, Zone
from quotas.queries.announcements import Audience, reach_of, zones_called
from quotas.states import AnnouncedTo

from .announcing import begin, check_move, move
from .wishes import clean_text

# Further ahead nobody knows which projects and zones there are.
MOST_AHEAD = timedelta(days=366)


@dataclass(frozen=True)
class Words:
    """What an announcement says and to whom. zones: as "geneva.compute-a"; roles: of Role.

    banner_until: until when it stands on top of its readers' pages; None: it does not.
    """

    subject: str
    text: str
    zones: Collection[str]
    who: str
    roles: Collection[str]
    banner_until: datetime | None = None


def make(*, words: Words, actor: User, now: datetime) -> Announcement:
    """Keep a draft. Raises Forbidden, and Invalid by field."""
    with transaction.atomic():
        check_operator(Viewer.of(actor, now))
        values, zones = _checked(words, now)
        made = Announcement.objects.create(**values, made_by=actor, made_at=now)
        made.zones.set(zones)
        record(
            "announcement made", actor=actor, now=now, subject_kind="announcement",
            subject_id=made.pk,
        )  # fmt: skip
    return made


def change(
    *, announcement: Announcement, words: Words, version: int, actor: User, now: datetime
) -> Announcement:
    """Let it say something else, or reach others, before anybody is told.

    Raises Forbidden, Invalid, Conflict once it is being sent, Stale.
    """
    with transaction.atomic():
        check_operator(Viewer.of(actor, now))
        held = _take(announcement, version)
        values, zones = _checked(words, now)
        if held.starts_at is not None:
            _check_banner(held.starts_at, words.banner_until)
        move(held, "change", **values, version=held.version + 1)
        held.zones.set(zones)
        record(
            "announcement changed", actor=actor, now=now, subject_kind="announcement",
            subject_id=held.pk,
        )  # fmt: skip
    return held


def schedule(
    *,
    announcement: Announcement,
    starts_at: datetime | None,
    version: int,
    actor: User,
    now: datetime,
) -> Announcement:
    """Have it sent at a moment, or at once (None), in the name of the actor.

    Raises Forbidden, Stale, Conflict, and Invalid for a moment that is over or too far ahead,
    for a banner that would be over by then, and where it would reach nobody now.
    """
    with transaction.atomic():
        check_operator(Viewer.of(actor, now))
        held = _take(announcement, version)
        at = starts_at or now
        if starts_at is not None and not now < starts_at <= now + MOST_AHEAD:
            raise Invalid({"starts_at": [_("Choose a moment to come, within a year.")]})
        _check_banner(at, held.banner_until)
        check_move(held, "schedule")
        if reach_of(Audience.of(held), now, actor).count == 0:
            raise Invalid({"zones": [_("It would reach nobody: choose other zones or roles.")]})
        move(held, "schedule", starts_at=at, sender=actor, version=held.version + 1)
        record(
            "announcement scheduled", actor=actor, now=now, subject_kind="announcement",
            subject_id=held.pk, starts_at=at.isoformat(),
        )  # fmt: skip
        if starts_at is None:
            begin(held, actor, now)
    return held


def withdraw(
    *, announcement: Announcement, version: int | None = None, actor: User, now: datetime
) -> Announcement:
    """Show it to nobody any more, and tell nobody else; letters that are out stay out.

    Raises Forbidden, Stale, and Conflict where it is withdrawn already.
    """
    with transaction.atomic():
        check_operator(Viewer.of(actor, now))
        held = _take(announcement, version)
        move(held, "withdraw", version=held.version + 1)
        record(
            "announcement withdrawn", actor=actor, now=now, subject_kind="announcement",
            subject_id=held.pk,
        )  # fmt: skip
    return held


def check_operator(viewer: Viewer) -> None:
    """Raise Forbidden unless the person operates the cloud."""
    if not may_operate(viewer):
        raise Forbidden(_("Announcements are made by those who operate the cloud."))


def check_words(words: Words, now: datetime) -> Audience:
    """To whom these words would go; raises Invalid as `make` does."""
    values, zones = _checked(words, now)
    return Audience(frozenset(each.pk for each in zones), values["who"], frozenset(values["roles"]))


def check_audience(words: Words) -> Audience:
    """As `check_words`, of whom alone: the words may still be missing."""
    errors: dict[str, list[str]] = {}
    zones = _audience(words, errors)
    if errors:
        raise Invalid(errors)
    return Audience(frozenset(each.pk for each in zones), words.who, frozenset(words.roles))


def _checked(words: Words, now: datetime) -> tuple[dict[str, Any], list[Zone]]:
    """The values of its row, and its zones; raises Invalid with every error."""
    errors: dict[str, list[str]] = {}
    said: dict[str, str] = {}
    for name, most in (("subject", Announcement.MAX_SUBJECT), ("text", Announcement.MAX_TEXT)):
        try:
            said[name] = clean_text(getattr(words, name), field=name, required=True, most=most)
        except Invalid as error:
            errors |= error.errors
    if "subject" in said:
        # It stands in the subject of a mail.
        said["subject"] = one_line(said["subject"])
        if not said["subject"]:
            errors["subject"] = [_("Nothing of it can be seen. Type it anew.")]
    zones = _audience(words, errors)
    until = words.banner_until
    # As far beyond the last moment at which it could be sent.
    if until is not None and not now < until <= now + 2 * MOST_AHEAD:
        errors["banner_until"] = [
            _("It must lie in the future, within two years; leave it empty for no banner.")
        ]
    if errors:
        raise Invalid(errors)
    roles = [each.value for each in Role if each in words.roles]
    values = {"who": words.who, "roles": roles, "banner_until": words.banner_until}
    return said | values, zones


def _audience(words: Words, errors: dict[str, list[str]]) -> list[Zone]:
    """The zones that are named; adds to the errors what is wrong with whom it reaches."""
    found = zones_called(words.zones)
    unknown = sorted(set(words.zones) - set(found))
    if not words.zones:
        errors["zones"] = [_("Choose at least one zone.")]
    elif unknown:
        errors["zones"] = [_("There is no zone %(name)s.") % {"name": one_line(unknown[0], 80)}]
    if not words.roles:
        errors["roles"] = [_("Choose at least one role.")]
    elif set(words.roles) - set(Role.values):
        errors["roles"] = [_("There is no such role.")]
    if words.who not in AnnouncedTo.values:
        errors["who"] = [_("Choose whom it reaches.")]
    return list(found.values())


def _check_banner(starts_at: datetime, until: datetime | None) -> None:
    if until is not None and until <= starts_at:
        raise Invalid({"banner_until": [_("The banner would be over before anybody is told.")]})


def _take(announcement: Announcement, version: int | None) -> Announcement:
    """The announcement, locked, as it was seen. Raises NotVisible, Stale."""
    held = next(iter(lock(Announcement.objects.filter(pk=announcement.pk))), None)
    if held is None:
        raise NotVisible(_("There is no such announcement."))
    if version is not None and held.version != version:
        raise Stale(
            _("Somebody else changed it meanwhile. Look at it once more."), version=held.version
        )
    return held
