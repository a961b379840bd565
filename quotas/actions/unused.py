"""Finding quota that is not used, for the lists; and asking a project's owners to return it."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden
from portal.lib.moments import minute_words
from projects.actions.events import record
from projects.actions.project_acts import act
from projects.models import Project, ProjectAct, User
from projects.outgoing.notices import tell_all_of
from projects.queries.viewers import Viewer
from projects.rules import may_decide_in
from projects.states import NoticeKind, ProjectActKind
from quotas.models import UnusedQuota
from quotas.queries.unused import WORKS, Unused, unused_of
from quotas.queries.unused_lists import asked_back_at, may_be_asked_at

from .calendar import managers_of
from .lives import MAX_REASON
from .nudge import TooSoon
from .project_desk import take_project
from .wishes import clean_text

BATCH = 100


def find_unused(now: datetime, after: int = 0, most: int = BATCH) -> int:
    """Look at the next projects by id; the last one's id, 0 at the end.

    What is found stands for lists until they are looked at again.
    """
    rows = Project.objects.filter(pk__gt=after).order_by("pk")
    projects = list(rows.only("pk", "state")[:most])
    found = [each for parts in unused_of(projects, now).values() for each in parts]
    with transaction.atomic():
        UnusedQuota.objects.filter(account__project__in=projects).exclude(
            account__in=[each.account for each in found]
        ).delete()
        UnusedQuota.objects.bulk_create(
            [_row(each, now) for each in sorted(found, key=lambda each: each.account.pk)],
            update_conflicts=True,
            unique_fields=["account"],
            update_fields=[
                "balance", "amount", "limit", "peak", "peak_on", "day_count", "promised",
                "found_at",
            ],
        )  # fmt: skip
    return projects[-1].pk if len(projects) == most else 0


def _row(unused: Unused, now: datetime) -> UnusedQuota:
    seen = unused.evidence
    return UnusedQuota(
        account=unused.account, balance=unused.account.balance, amount=unused.amount,
        limit=seen.limit, peak=seen.peak, peak_on=seen.peak_on, day_count=seen.day_count,
        promised=seen.promised, found_at=now,
    )  # fmt: skip


def may_ask_back(viewer: Viewer, project: Project) -> bool:
    """Operators, and who decides quota for the project's unit."""
    return viewer.is_operator or may_decide_in(viewer, project)


def check_asks_back(viewer: Viewer, project: Project) -> None:
    """Raise Forbidden unless the person may ask: asked before any lock, and again under it."""
    if not may_ask_back(viewer, project):
        words = {"unit": project.unit.label}
        sentence = _("Operators can do that, and who decides quota for %(unit)s.") % words
        raise Forbidden(sentence, unit=project.unit.slug)


def ask_back(*, project: Project, reason: str = "", actor: User, now: datetime) -> ProjectAct:
    """Ask a project's owners and managers to return what they do not use.

    Raises NotVisible, Forbidden, Conflict where nothing is unused, TooSoon, Invalid.
    """
    with transaction.atomic():
        desk = take_project(project, actor, now, decides=False)
        check_asks_back(desk.viewer, desk.project)
        desk.check_state(*WORKS)
        if not unused_of([desk.project], now):
            raise Conflict(_("Nothing is known of it that it does not use."))
        again_at = may_be_asked_at(asked_back_at(desk.project))
        if again_at is not None and now < again_at:
            words = {"at": minute_words(again_at)}
            raise TooSoon(
                _("They were asked lately: you can ask again from %(at)s on.") % words,
                at=again_at.isoformat(),
            )
        said = clean_text(reason, field="reason", required=False, most=MAX_REASON)
        done = act(desk.project, ProjectActKind.ASK_BACK, actor=actor, now=now, reason=said)
        event = record(
            "return asked", actor=actor, now=now, project=desk.project, unit=desk.project.unit,
            subject_kind="project", subject_id=desk.project.pk, act=done.pk,
        )  # fmt: skip
        tell_all_of(event, managers_of(desk.project, now), NoticeKind.UNUSED)
    return done
