"""What becomes of the authority of somebody who left.

Their deputies stop at once. What they held ends, unless others hold something by it: then it
stays, used by nobody, as a link of their chains, until whoever granted it reissues or revokes it.
"""

from datetime import datetime

from projects.actions.events import record
from projects.models import Delegation, Event, User
from projects.outgoing.notices import tell
from projects.queries.viewers import live_delegations
from projects.states import NoticeKind
from quotas.queries.left_authority import deputies_named_by, relied_upon, unended

from .delegations import revoke
from .routing import mark_unit


def end_authority(user: User, now: datetime) -> None:
    """Revoke what they held and nobody relies upon, and tell the grantors of all of it, once."""
    for each in deputies_named_by(user, now).order_by("-pk"):
        revoke(delegation=each, actor=None, now=now)
    own = unended(now).filter(user=user).select_related("unit")
    # From the leaves up, as one of theirs may hang from another.
    for each in sorted(own, key=lambda each: len(each.ancestors), reverse=True):
        goes_on = Delegation.objects.filter(relied_upon(now), pk=each.pk).exists()
        _tell_once(each, user.left_at or now, now, goes_on=goes_on)
        if goes_on:
            mark_unit(each.unit, now)
        else:
            revoke(delegation=each, actor=None, now=now)


def _tell_once(delegation: Delegation, since: datetime, now: datetime, *, goes_on: bool) -> None:
    """Tell its grantor; of a root, the operators and whoever holds another root."""
    said = Event.objects.filter(
        verb="holder left", subject_kind="delegation", subject_id=delegation.pk, at__gte=since
    )
    if said.exists():
        return
    event = record(
        "holder left", actor=None, now=now, unit=delegation.unit, subject_kind="delegation",
        subject_id=delegation.pk, goes_on=goes_on,
    )  # fmt: skip
    if delegation.grantor_id is not None:
        tell(event, [delegation.grantor_id], NoticeKind.LEFT)
        return
    roots = live_delegations(now).filter(parent__isnull=True, user__is_active=True)
    operators = User.objects.filter(is_operator=True, is_active=True)
    others = {*roots.values_list("user", flat=True), *operators.values_list("pk", flat=True)}
    tell(event, others - {delegation.user_id}, NoticeKind.LEFT)
