"""Making the people's half of a file so: units, people, groups, projects.

A group's list of members is complete where it is given; a project's roles are only added and
changed, and end where the file says `former`: owners give roles too. Who is not in the file
stays as they are.
"""

from datetime import datetime
from functools import lru_cache

from django.conf import settings
from django.contrib.auth.hashers import make_password

from portal.lib.locks import lock
from projects.actions import people as people_actions
from projects.actions import projects as project_actions
from projects.actions import units as unit_actions
from projects.models import (
    LOCAL_ISSUER,
    Group,
    Membership,
    Project,
    ProjectKind,
    Unit,
    User,
)
from projects.states import Role
from quotas.actions import unit_changes
from quotas.actions.routing import mark_places
from quotas.models import Account, RequestLine
from quotas.states import PENDING

from . import site as said
from .changes import ADDED, CHANGED, RETIRED, Changes
from .document import nearest
from .problems import Problems

RoleKey = tuple[str, str, bool]  # issuer, subject or external id, is it a group


class PeopleLoader:
    """One load. `new_projects` are those that need targets afterwards."""

    def __init__(
        self, site: said.Site, changes: Changes, problems: Problems, actor: User | None,
        now: datetime,
    ) -> None:  # fmt: skip
        self.site = site
        self.changes = changes
        self.problems = problems
        self.actor = actor
        self.now = now
        self.new_projects: list[Project] = []
        self.roles_changed: set[int] = set()  # ids of projects
        self.people: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.units: dict[str, Unit] = {
            each.slug: each for each in Unit.objects.select_related("parent")
        }
        self.projects: dict[str, Project] = {}

    def load(self) -> None:
        # The lock order: projects come before the units that they are in.
        self._lock_projects_that_change()
        self._units()
        self.problems.refuse()  # without its units nothing below can be judged
        self._people()
        self._groups()
        self._projects()
        mark_places(projects=self.roles_changed, now=self.now)

    # --- Units -------------------------------------------------------------------------

    def _units(self) -> None:
        for slug in self._top_down():
            each = self.site.units[slug]
            held = self.units.get(slug)
            parent = self.units.get(each.parent)
            if parent is not None:
                parent.refresh_from_db()  # it may have moved just now, with its path
            if held is None:
                self.units[slug] = unit_actions.make_unit(
                    slug=slug, name=each.name, parent=parent, actor=self.actor, now=self.now
                )
                self.changes.add(ADDED, "unit", self.units[slug].label)
                continue
            if held.name != each.name:
                self.changes.add(CHANGED, "unit", held.label, f"name {held.name!r} → {each.name!r}")
                unit_actions.rename_unit(unit=held, name=each.name, actor=self.actor, now=self.now)
            if held.parent_id != (parent.pk if parent else None):
                held.refresh_from_db()
                before = held.label
                unit_changes.move_unit(
                    unit=held, parent=parent, actor=self.actor, is_command=True, now=self.now
                )
                self.changes.add(CHANGED, "unit", before, f"moves to {held.label}")

    def _top_down(self) -> list[str]:
        """The file's units, each after its parent; a problem for each that cannot be placed."""
        parents = {
            slug: unit.parent.slug if unit.parent else ""
            for slug, unit in ((each.slug, each) for each in Unit.objects.select_related("parent"))
        } | {slug: each.parent for slug, each in self.site.units.items()}
        depths: dict[str, int] = {}
        for slug, each in self.site.units.items():
            held = self.units.get(slug)
            if held is not None and held.retired_at is not None:
                self.problems.add(each.line, f"{slug} is retired and cannot be used again.")
            elif each.parent and each.parent not in parents:
                self.problems.add(
                    each.line,
                    f"{slug} stands below {each.parent}, which is no unit"
                    f"{nearest(each.parent, parents)}",
                )
            elif (depth := _depth(slug, parents)) is None:
                self.problems.add(each.line, f"{slug} stands below itself, through its parents.")
            else:
                depths[slug] = depth
        if self.problems.found:
            return []
        return sorted(depths, key=lambda slug: depths[slug])

    # --- People and groups --------------------------------------------------------------

    def _people(self) -> None:
        subjects = [each.subject for each in self.site.people.values()]
        held = {
            (each.issuer, each.subject): each for each in User.objects.filter(subject__in=subjects)
        }
        for each in self.site.people.values():
            if each.password and not self._may_have_password(each):
                continue
            user = held.get((each.issuer, each.subject))
            if user is None:
                user = people_actions.make_user(
                    subject=each.subject, issuer=each.issuer, name=each.name, mail=each.mail,
                    password=_hashed(each.password) if each.password else "",
                )  # fmt: skip
                self.changes.add(ADDED, "person", each.subject)
            elif (user.name, user.mail) != (each.name, each.mail):
                people_actions.change_user(user=user, name=each.name, mail=each.mail)
                self.changes.add(CHANGED, "person", each.subject, "name or mail")
            self.people[each.handle] = user

    def _may_have_password(self, each: said.Person) -> bool:
        if each.issuer != LOCAL_ISSUER:
            self.problems.add(
                each.line, f"{each.subject} signs in at {each.issuer}, so no password is kept here."
            )
            return False
        if not settings.LOCAL_ACCOUNTS:
            self.problems.add(
                each.line, f"{each.subject} has a password, but this site has no local accounts."
            )
            return False
        return True

    def _groups(self) -> None:
        ids = [each.external_id for each in self.site.groups.values()]
        held = {
            (each.issuer, each.external_id): each
            for each in Group.objects.filter(external_id__in=ids)
        }
        for each in self.site.groups.values():
            group = held.get((each.issuer, each.external_id))
            if group is None:
                group = people_actions.make_group(
                    external_id=each.external_id, issuer=each.issuer, name=each.name, now=self.now
                )
                self.changes.add(
                    ADDED, "group", each.external_id, f"{len(each.members or ())} members"
                )
                self._set_members(each, group)
            elif group.name != each.name:
                people_actions.rename_group(group=group, name=each.name, now=self.now)
                self.changes.add(CHANGED, "group", each.external_id, "name")
            self.groups[each.handle] = group
            if each.members is not None:
                change = self._set_members(each, group)
                if change.joined or change.left:
                    how = f"{len(change.joined)} join, {len(change.left)} leave"
                    self.changes.add(CHANGED, "members of group", each.external_id, how)

    def _set_members(self, each: said.Group, group: Group) -> people_actions.MembersChange:
        users = [self.people[handle] for handle in each.members or () if handle in self.people]
        return people_actions.set_group_members(group=group, users=users, now=self.now)

    # --- Projects -----------------------------------------------------------------------

    def _lock_projects_that_change(self) -> None:
        held = {
            each.slug: each
            for each in Project.objects.filter(slug__in=self.site.projects).select_related("unit")
        }
        roles = self._roles_held(list(held.values()))
        changing = [
            project.pk
            for slug, project in held.items()
            if self._differs(self.site.projects[slug], project, roles.get(project.pk, {}))
        ]
        locked = {
            each.slug: each
            for each in lock(Project.objects.filter(pk__in=changing).select_related("unit"))
        }
        self.projects = held | locked
        self.changing = set(locked)

    def _roles_held(self, projects: list[Project]) -> dict[int, dict[RoleKey, str]]:
        found: dict[int, dict[RoleKey, str]] = {}
        rows = Membership.objects.filter(project__in=projects, ends_at__isnull=True)
        for row in rows.select_related("user", "group"):
            key = (
                (row.user.issuer, row.user.subject, False)
                if row.user
                else (row.group.issuer, row.group.external_id, True)
                if row.group
                else ("", "", False)
            )
            found.setdefault(row.project_id, {})[key] = row.role
        return found

    def _differs(self, each: said.Project, project: Project, roles: dict[RoleKey, str]) -> bool:
        wanted = {self._role_key(role): role.role for role in each.roles}
        return (
            (project.unit.slug, project.description, project.name, project.kind)
            != (each.unit, each.description, each.name, each.kind)
        ) or any(roles.get(key, "") != role for key, role in wanted.items())

    def _role_key(self, role: said.Role) -> RoleKey:
        if role.is_group:
            group = self.site.groups[role.holder]
            return (group.issuer, group.external_id, True)
        person = self.site.people[role.holder]
        return (person.issuer, person.subject, False)

    def _projects(self) -> None:
        names = dict(
            Project.objects.filter(
                name__in=[each.name for each in self.site.projects.values()]
            ).values_list("name", "slug")
        )
        for each in self.site.projects.values():
            unit = self.units.get(each.unit)
            if unit is None:
                self.problems.add(
                    each.line,
                    f"{each.slug} is in {each.unit}, which is no unit"
                    f"{nearest(each.unit, self.units)}",
                )
            elif names.get(each.name, each.slug) != each.slug:
                self.problems.add(each.line, f"{each.name} is the name of {names[each.name]}.")
            elif each.slug not in self.projects:
                self._make(each, unit)
            elif each.slug in self.changing:
                self._change(each, self.projects[each.slug], unit)

    def _make(self, each: said.Project, unit: Unit) -> None:
        if unit.retired_at is not None:
            self.problems.add(each.line, f"{each.slug} is in {each.unit}, which is retired.")
            return
        project = project_actions.make_project(
            slug=each.slug, name=each.name, unit=unit, description=each.description,
            kind=ProjectKind(each.kind), actor=self.actor, now=self.now,
        )  # fmt: skip
        self.new_projects.append(project)
        roles = [f"{role.holder} {role.role}" for role in each.roles if role.role]
        self.changes.add(ADDED, "project", each.slug, f"in {unit.label}, {', '.join(roles)}")
        self._set_roles(each, project)

    def _change(self, each: said.Project, project: Project, unit: Unit) -> None:
        if (project.name, project.kind) != (each.name, each.kind):
            self.problems.add(
                each.line, f"{each.slug} is called {project.name}, {project.kind}: that stays."
            )
            return
        if project.unit_id != unit.pk:
            self._move(each, project, unit)
        if project.description != each.description:
            project_actions.describe_project(
                project=project, description=each.description, actor=self.actor, now=self.now
            )
            self.changes.add(CHANGED, "project", each.slug, "description")
        for role in self._set_roles(each, project):
            sign = CHANGED if role.role else RETIRED
            how = f"{role.holder} {role.role or 'no longer'}"
            self.changes.add(sign, "role in", each.slug, how)

    def _move(self, each: said.Project, project: Project, unit: Unit) -> None:
        has_quota = Account.objects.filter(project=project, balance__gt=0).exists()
        if has_quota or RequestLine.objects.filter(project=project, state__in=PENDING).exists():
            what = "holds quota" if has_quota else "has an open request"
            self.problems.add(
                each.line,
                f"{each.slug} {what} in {project.unit.label}, so it cannot be put into "
                f"{unit.label} by a file.",
            )
            return
        before = project.unit.label
        project_actions.place_project(project=project, unit=unit, actor=self.actor, now=self.now)
        self.changes.add(CHANGED, "project", each.slug, f"{before} → {unit.label}")

    def _set_roles(self, each: said.Project, project: Project) -> list[said.Role]:
        """Give and end roles as the file says; returns those that were not so before."""
        changed = []
        for role in each.roles:
            user = None if role.is_group else self.people.get(role.holder)
            group = self.groups.get(role.holder) if role.is_group else None
            if user is None and group is None:
                continue  # a person who was refused
            if project_actions.set_role(
                project=project, user=user, group=group,
                role=Role(role.role) if role.role else None, actor=self.actor, now=self.now,
            ):  # fmt: skip
                changed.append(role)
                self.roles_changed.add(project.pk)
        return changed


def _depth(slug: str, parents: dict[str, str]) -> int | None:
    """How many units stand above; None in a circle."""
    depth, above = 0, parents.get(slug, "")
    while above:
        depth, above = depth + 1, parents.get(above, "")
        if depth > len(parents):
            return None
    return depth


@lru_cache(maxsize=64)
def _hashed(password: str) -> str:
    """One hash for people whom the file gives the same password: it stands there in clear."""
    return make_password(password)
