"""Who is offered the projects of a unit whose owners have left: named by who decides them."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Invalid, Stale
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import Unit, User
from projects.queries.viewers import Viewer
from projects.states import Power

NOBODY = "x"


def set_steward(
    *, unit: Unit, person: User | None, seen: str | None = None, actor: User, now: datetime
) -> Unit:
    """Name the unit's steward; None: as the nearest unit above says.

    seen: the `steward_version` that the actor looked at; None: whoever it was. For who holds
    `decide projects` for the unit. Raises Forbidden, Conflict, Stale, Invalid.
    """
    with transaction.atomic():
        held = lock(Unit.objects.filter(pk=unit.pk))[0]
        check_may_name(Viewer.of(actor, now), held)
        if held.retired_at is not None:
            raise Conflict(_("%(unit)s is retired already.") % {"unit": held.label})
        if seen is not None and seen != steward_version(held):
            sentence = _("Somebody else was named for %(unit)s meanwhile. Look again.")
            raise Stale(sentence % {"unit": held.label})
        if person is not None and not person.is_here:
            raise Invalid({"person": [_("%(name)s is not here any more.") % {"name": person}]})
        if held.steward_id != (person.pk if person else None):
            held.steward = person
            held.save(update_fields=["steward"])
            record(
                "steward named", actor=actor, now=now, unit=held, subject_kind="unit",
                subject_id=held.pk, person=person.pk if person else None,
            )  # fmt: skip
    return held


def steward_version(unit: Unit) -> str:
    """Whom the unit itself names, as a word: it changes with every other person."""
    return str(unit.steward.public_id) if unit.steward else NOBODY


def check_may_name(viewer: Viewer, unit: Unit) -> None:
    """Raise Forbidden unless the person decides projects for the whole unit."""
    if not viewer.holds(Power.DECIDE_PROJECTS, unit.path):
        raise Forbidden(
            _("Who decides projects for %(unit)s names who gets those of people who leave.")
            % {"unit": unit.label},
            unit=unit.slug,
        )
