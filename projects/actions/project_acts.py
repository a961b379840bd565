"""Writing down what was done with a project, and moving it from state to state."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from portal.lib.locks import share_rows
from projects.models import Delegation, Project, ProjectAct, User
from projects.states import PROJECT_MOVES, ProjectActKind, ProjectState


def act(
    project: Project,
    kind: ProjectActKind,
    *,
    actor: User | None,
    now: datetime,
    reason: str = "",
    delegation: Delegation | None = None,
    snapshot: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> ProjectAct:
    """Write an act down. actor: None, the calendar; data: ids, days and figures.

    A delegation that it rests on is held, with its chain, as it is until the transaction ends;
    raises Conflict where it was revoked while the actor waited for locks.
    """
    if delegation is not None:
        hold_authority([delegation])
    return ProjectAct.objects.create(
        project=project,
        kind=kind,
        actor=actor,
        delegation=delegation,
        reason=reason,
        data={name: _plain(value) for name, value in (data or {}).items()},
        snapshot=dict(snapshot or {}),
        at=now,
    )


def hold_authority(delegations: Iterable[Delegation]) -> None:
    """Hold what somebody acts by, with all links above, as it is until the transaction ends.

    Raises Conflict where a link was revoked while the actor waited for locks.
    """
    ids = {pk for each in delegations for pk in each.chain_ids}
    links = Delegation.objects.filter(pk__in=ids).only("pk", "revoked_at")
    if any(link.revoked_at is not None for link in share_rows(links)):
        raise Conflict(_("Somebody else was first. Look again."))


def move_project(project: Project, verb: str, **changes: Any) -> None:
    """Move a project by compare-and-set, with other columns; raises Conflict, naming its state.

    project: locked; it is brought up to date.
    """
    after = PROJECT_MOVES.get((ProjectState(project.state), verb))
    moved = 0
    if after is not None:
        rows = Project.objects.filter(pk=project.pk, state=project.state)
        moved = rows.update(state=after, version=F("version") + 1, **changes)
    if not moved:
        project.refresh_from_db(fields=["state"])
        words = {"project": project.name, "state": project.get_state_display()}
        raise Conflict(_("%(project)s is %(state)s; that cannot be done with it now.") % words)
    project.refresh_from_db(fields=["state", "version", *changes])


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
