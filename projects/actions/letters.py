"""What an operator does with a letter that was not sent, or perhaps not."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden
from portal.lib.wake import wake_after_commit
from projects.models import Letter, User
from projects.queries.mail import NOT_WELL
from projects.states import LetterState

from .events import record

MAIL_TASK = "quotas.tasks.post_letters"


def send_again(*, letter: Letter, actor: User, now: datetime) -> Letter:
    """Have a letter sent that was refused, given up, or perhaps sent: the reader may get it twice.

    Raises Forbidden for all but operators, Conflict for a letter that is sent or under way.
    """
    if not actor.is_operator:
        raise Forbidden(_("Only operators can have a letter sent again."))
    with transaction.atomic():
        moved = Letter.objects.filter(pk=letter.pk, state__in=NOT_WELL).update(
            state=LetterState.DUE, due_at=now, next_try_at=now, try_count=0, lease=None,
            lease_until=None, ended_at=None,
        )  # fmt: skip
        if not moved:
            letter.refresh_from_db()
            state = LetterState(letter.state).label
            raise Conflict(_("This letter is not to be sent again: %(state)s.") % {"state": state})
        record(
            "letter sent again", actor=actor, now=now, subject_kind="letter", subject_id=letter.pk
        )
        wake_after_commit(MAIL_TASK)
    letter.refresh_from_db()
    return letter
