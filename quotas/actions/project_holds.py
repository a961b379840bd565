"""An operator keeps a project from ending: with a reason, until a day or until released."""

from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden
from portal.lib.locks import lock
from projects.actions.project_acts import act
from projects.models import Project, ProjectHold, User
from projects.states import ProjectActKind, ProjectState

from .lives import MAX_REASON, tell_people
from .one_by_one import one_of_many
from .project_desk import ProjectDesk, take_project
from .wishes import clean_text

BATCH = 100


def hold(
    *, project: Project, reason: str, until_on: date | None = None, actor: User, now: datetime
) -> ProjectHold:
    """Keep it from ending. Raises Forbidden, Conflict where it is held already, Invalid."""
    with transaction.atomic():
        desk = _desk(project, actor, now)
        desk.check_state(ProjectState.ACTIVE, ProjectState.SUSPENDED)
        said = clean_text(reason, field="reason", required=True, most=MAX_REASON)
        try:
            with transaction.atomic():
                held = ProjectHold.objects.create(
                    project=desk.project, reason=said, until_on=until_on, made_by=actor, made_at=now
                )
        except IntegrityError as error:
            raise Conflict(_("Somebody holds it already: release that first.")) from error
        act(
            desk.project, ProjectActKind.HOLD, actor=actor, now=now, reason=said,
            data={"until": until_on},
        )  # fmt: skip
        tell_people("project held", desk.project, actor, now)
    return held


def release(*, project: Project, actor: User, now: datetime) -> None:
    """Let it end when its day comes. Raises Conflict where nobody holds it."""
    with transaction.atomic():
        desk = _desk(project, actor, now)
        _release(desk.project, actor, now)


def release_over(now: datetime, today: date) -> int:
    """Release what was held until a day that is over; how many."""
    over = ProjectHold.objects.filter(released_at__isnull=True, until_on__lt=today)
    ids = list(over.order_by("pk").values_list("project", flat=True)[:BATCH])
    for pk in ids:
        with one_of_many("project", pk):
            project = lock(Project.objects.filter(pk=pk).select_related("unit"))[0]
            # Released, or held until another day, while we waited.
            if over.filter(project=pk).exists():
                _release(project, None, now)
    return len(ids)


def _release(project: Project, actor: User | None, now: datetime) -> None:
    ended = ProjectHold.objects.filter(project=project, released_at__isnull=True).update(
        released_at=now, released_by=actor
    )
    if not ended:
        raise Conflict(_("Nobody holds it."))
    act(project, ProjectActKind.RELEASE, actor=actor, now=now)
    tell_people("project released", project, actor, now)


def _desk(project: Project, actor: User, now: datetime) -> ProjectDesk:
    desk = take_project(project, actor, now)
    if not desk.viewer.is_operator:
        raise Forbidden(_("Only an operator keeps a project from ending."))
    return desk
