"""Who does something with a whole project: locked, and asked what they are to it.

An owner does it as theirs; who decides projects for its unit does it under a delegation, which
is kept as proof; an operator does what keeps the cloud in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, NotVisible, Stale
from portal.lib.locks import lock
from projects.actions.units import hold_place
from projects.models import Project, Unit, User
from projects.queries.viewers import Viewer, roles_in, visible_projects
from projects.states import Power, Role
from quotas.queries.authority import Mandate, mandates_of
from quotas.queries.free_holders import interested

from .warrants import Warrant


@dataclass(frozen=True)
class ProjectDesk:
    """A locked project and what the actor is to it. `mandates`: those to decide projects."""

    project: Project
    viewer: Viewer
    roles: frozenset[str]
    mandates: Sequence[Mandate]

    @property
    def is_owner(self) -> bool:
        return Role.OWNER in self.roles

    @property
    def is_manager(self) -> bool:
        return bool(self.roles & {Role.OWNER, Role.MANAGER})

    @property
    def today(self) -> date:
        """The site's day."""
        return self.viewer.site_day

    @property
    def warrant(self) -> Warrant | None:
        """By what the actor decides here; none where they act as its owner or operator."""
        return None if self.is_owner else self.warrant_by(self.mandates, self.project.unit)

    def warrant_by(self, mandates: Sequence[Mandate], unit: Unit) -> Warrant | None:
        """By the nearest of these mandates over a unit; none where there are none."""
        return Warrant(self.viewer, mandates[0], self.project, unit) if mandates else None

    def require(
        self, *, owner: bool = False, manager: bool = False, operator: bool = False
    ) -> None:
        """Raise Forbidden unless the actor is one of these, or decides projects here."""
        if (owner and self.is_owner) or (manager and self.is_manager):
            return
        if self.mandates or (operator and self.viewer.is_operator):
            return
        words = {"project": self.project.name, "unit": self.project.unit.label}
        if owner or manager:
            sentence = _(
                "Only an owner of %(project)s can do that, or who decides projects for %(unit)s."
            )
        else:
            sentence = _("Only who decides projects for %(unit)s can do that.")
        raise Forbidden(sentence % words, unit=self.project.unit.slug)

    def check_version(self, version: int | None) -> None:
        """Raise Stale where the actor saw another version; None: they saw none."""
        if version is not None and version != self.project.version:
            raise Stale(
                _("The project has changed since you opened it. Look again."),
                version=self.project.version,
            )

    def check_state(self, *states: str) -> None:
        """Raise Conflict unless the project is in one of these states."""
        if self.project.state not in states:
            words = {"project": self.project.name, "state": self.project.get_state_display()}
            raise Conflict(
                _("%(project)s is %(state)s; that cannot be done with it now.") % words,
                state=self.project.state,
            )


def renewable_until(now: datetime) -> date:
    """The last day until which an owner extends a project without asking anybody; site time."""
    today = timezone.localdate(now, timezone.get_default_timezone())
    return today + timedelta(days=settings.PROJECT_RENEW_DAYS)


def take_project(
    project: Project, actor: User, now: datetime, *, sees: bool = False, decides: bool = True
) -> ProjectDesk:
    """Lock a project and its place, then ask who the actor is. Raises NotVisible, Forbidden.

    sees: whether the actor knows of it by what they were asked, whatever else they may see.
    decides: whether the actor uses what authority they have; else they act as part of it.
    """
    rows = lock(Project.objects.filter(pk=project.pk).select_related("unit"))
    viewer = Viewer.of(actor, now)
    if not rows or not (sees or visible_projects(viewer).filter(pk=project.pk).exists()):
        raise NotVisible(_("There is no such project."))
    if not actor.is_active:
        raise Forbidden(_("The account of %(name)s is closed.") % {"name": actor})
    hold_place(rows[0])
    return ProjectDesk(
        project=rows[0],
        viewer=viewer,
        roles=roles_in(viewer, rows[0]),
        mandates=deciding_projects(viewer, rows[0], rows[0].unit.path) if decides else [],
    )


def deciding_projects(viewer: Viewer, project: Project, unit_path: str) -> list[Mandate]:
    """The person's mandates to decide about a project in a unit.

    None for who has a part in it, nor through a deputy of somebody who has.
    """
    held = mandates_of(viewer, unit_path, Power.DECIDE_PROJECTS)
    people = {viewer.user.pk, *(each for mandate in held for each in mandate.deputised)}
    barred = interested(people, project, viewer.now) if held else set()
    if viewer.user.pk in barred:
        return []
    return [each for each in held if not barred & set(each.deputised)]
