"""How long requests below a unit wait before deciders are reminded, and before they go up."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.errors import Conflict, Forbidden, Invalid, Stale
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import Unit, User
from projects.queries.viewers import Viewer
from projects.states import Power

MOST_DAYS = 250
STALE_WORDS = gettext_lazy("How long requests wait in %(unit)s was changed meanwhile. Look again.")


def set_waiting(
    *,
    unit: Unit,
    remind_after_days: int | None,
    escalate_after_days: int | None,
    seen: tuple[int | None, int | None] | None = None,
    actor: User,
    now: datetime,
) -> Unit:
    """Set both, in working days, for what is sent below the unit from now on.

    None: as the nearest unit above says; remind 0: never. seen: what was set as the person
    looked; None: whatever it was. For who holds `decide quota` for the unit. Raises Forbidden,
    Conflict, Stale, Invalid.
    """
    with transaction.atomic():
        held = lock(Unit.objects.filter(pk=unit.pk))[0]
        check_may_set(Viewer.of(actor, now), held)
        if held.retired_at is not None:
            raise Conflict(_("%(unit)s is retired already.") % {"unit": held.label})
        before = waiting_set(held)
        if seen is not None and before != seen:
            raise Stale(STALE_WORDS % {"unit": held.label}, remind=before[0], escalate=before[1])
        _check(remind_after_days, escalate_after_days)
        if before == (remind_after_days, escalate_after_days):
            return held
        held.remind_after_days, held.escalate_after_days = remind_after_days, escalate_after_days
        held.save(update_fields=["remind_after_days", "escalate_after_days"])
        record(
            "waiting set", actor=actor, now=now, unit=held, subject_kind="unit",
            subject_id=held.pk, remind=remind_after_days, escalate=escalate_after_days,
        )  # fmt: skip
    return held


def waiting_set(unit: Unit) -> tuple[int | None, int | None]:
    """What a unit itself says: after how many days to remind, and to hand up."""
    return unit.remind_after_days, unit.escalate_after_days


def check_may_set(viewer: Viewer, unit: Unit) -> None:
    """Raise Forbidden unless the person decides for the whole unit."""
    if not viewer.holds(Power.DECIDE_QUOTA, unit.path):
        raise Forbidden(
            _("Who may decide quota for %(unit)s sets how long a request waits there.")
            % {"unit": unit.label},
            unit=unit.slug,
        )


def _check(remind: int | None, escalate: int | None) -> None:
    errors = {}
    if remind is not None and not 0 <= remind <= MOST_DAYS:
        errors["remind_after_days"] = [_("It lies between 0 and %(most)s.") % {"most": MOST_DAYS}]
    if escalate is not None and not 1 <= escalate <= MOST_DAYS:
        errors["escalate_after_days"] = [_("It lies between 1 and %(most)s.") % {"most": MOST_DAYS}]
    if not errors and remind is not None and escalate is not None and remind >= escalate:
        errors["remind_after_days"] = [_("Remind before it goes up, or not at all: 0.")]
    if errors:
        raise Invalid(errors)
