"""Who is offered the projects of a unit whose owners have left: named by who decides them."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import Unit, User
from projects.queries.viewers import Viewer
from projects.states import Power


def set_steward(*, unit: Unit, person: User | None, actor: User, now: datetime) -> Unit:
    """Name the unit's steward; None: as the nearest unit above says.

    For who holds `decide projects` for the unit. Raises Forbidden, Conflict, Invalid.
    """
    with transaction.atomic():
        held = lock(Unit.objects.filter(pk=unit.pk))[0]
        check_may_name(Viewer.of(actor, now), held)
        if held.retired_at is not None:
            raise Conflict(_("%(unit)s is retired already.") % {"unit": held.label})
        if person is not None and (not person.is_active or person.left_at is not None):
            raise Invalid({"person": [_("%(name)s is not here any more.") % {"name": person}]})
        if held.steward_id != (person.pk if person else None):
            held.steward = person
            held.save(update_fields=["steward"])
            record(
                "steward named", actor=actor, now=now, unit=held, subject_kind="unit",
                subject_id=held.pk, person=person.pk if person else None,
            )  # fmt: skip
    return held


def check_may_name(viewer: Viewer, unit: Unit) -> None:
    """Raise Forbidden unless the person decides projects for the whole unit."""
    if not viewer.holds(Power.DECIDE_PROJECTS, unit.path):
        raise Forbidden(
            _("Who decides projects for %(unit)s names who gets those of people who leave.")
            % {"unit": unit.label},
            unit=unit.slug,
        )
