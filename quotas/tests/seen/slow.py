"""Who sees what, by reading everything and asking of each row by itself: slow and plain."""

from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Any

from projects.models import (
    Delegation,
    Event,
    GroupMembership,
    Membership,
    Project,
    Unit,
    User,
)
from projects.queries.viewers import SEE_DELEGATIONS, SEE_PROJECTS
from projects.states import ROLES_ABOVE_READER, Power
from quotas.models import Account, Assignment, Holder, QuotaRequest, RequestLine
from quotas.states import LineState


class Slow:
    """Everything there is, at one moment."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        rows = Delegation.objects.select_related("unit")
        self.delegations: dict[int, Delegation] = {each.pk: each for each in rows}
        self.projects = list(Project.objects.select_related("unit").order_by("pk"))
        self.lines = list(
            RequestLine.objects.select_related("request", "project__unit").order_by("pk")
        )
        self.requests = list(QuotaRequest.objects.select_related("project__unit").order_by("pk"))
        self.events = list(Event.objects.select_related("project__unit", "unit").order_by("pk"))
        self.members = [
            (each.group_id, each.user_id)
            for each in GroupMembership.objects.all()
            if self.holds(each)
        ]
        self.roles = [each for each in Membership.objects.all() if self.holds(each)]
        self.assignments = [each for each in Assignment.objects.all() if self.holds(each)]
        self.tops = set(
            Unit.objects.filter(parent=None, retired_at=None).values_list("pk", flat=True)
        )

    def holds(self, row: Any) -> bool:
        return row.starts_at <= self.now and (row.ends_at is None or self.now < row.ends_at)

    def names(self, row: Any, user: User) -> bool:
        return row.user_id == user.pk or (row.group_id, user.pk) in self.members

    @cached_property
    def live(self) -> set[int]:
        return {pk for pk, each in self.delegations.items() if self._is_live(each)}

    def _is_live(self, delegation: Delegation) -> bool:
        for link in (self.delegations[pk] for pk in delegation.chain_ids):
            if not self.holds(link):
                return False
            if link.revoked_at is not None and link.revoked_at <= self.now:
                return False
            if not delegation.unit.path.startswith(link.unit.path):
                return False
            if link.is_deputy:
                above = self.delegations[link.parent_id or 0]
                if link.grantor_id != above.user_id and (
                    (above.group_id, link.grantor_id) not in self.members
                ):
                    return False
        return True

    def held(self, user: User) -> list[Delegation]:
        return [self.delegations[pk] for pk in self.live if self.names(self.delegations[pk], user)]

    def mandates(self, user: User, path: str) -> set[int]:
        """By which they decide for that unit: every link has the power, and reaches it."""
        chains = [
            [self.delegations[pk] for pk in each.chain_ids]
            for each in self.held(user)
            if path.startswith(each.unit.path)
        ]
        return {
            chain[-1].pk
            for chain in chains
            if all(Power.DECIDE_QUOTA in link.powers for link in chain)
        }

    def sees_all(self, user: User) -> bool:
        audited = {each.unit_id for each in self.held(user) if Power.AUDIT in each.powers}
        return user.is_operator or bool(audited and self.tops <= audited)

    def is_over(self, user: User, path: str, powers: Iterable[Power]) -> bool:
        """Whether they hold one of the powers for that unit, or see everything anyway."""
        return self.sees_all(user) or any(
            path.startswith(each.unit.path) and set(powers) & set(each.powers)
            for each in self.held(user)
        )

    def sees_project(self, user: User, project: Project) -> bool:
        is_in = any(each.project_id == project.pk and self.names(each, user) for each in self.roles)
        return is_in or self.is_over(user, project.unit.path, SEE_PROJECTS)

    def visible_projects(self, user: User) -> set[int]:
        return {each.pk for each in self.projects if self.sees_project(user, each)}

    def visible_requests(self, user: User) -> set[int]:
        return {
            each.pk
            for each in self.requests
            if self.sees_project(user, each.project)
            and (each.submitted_at is not None or each.requester_id == user.pk)
        }

    def visible_events(self, user: User) -> set[int]:
        return {
            each.pk
            for each in self.events
            if self.sees_all(user)
            or each.actor_id == user.pk
            or (each.project is not None and self.sees_project(user, each.project))
            or (each.unit is not None and self.is_over(user, each.unit.path, SEE_PROJECTS))
        }

    def visible_delegations(self, user: User) -> set[int]:
        return {
            pk
            for pk, each in self.delegations.items()
            if self.names(each, user)
            or each.grantor_id == user.pk
            or self.is_over(user, each.unit.path, SEE_DELEGATIONS)
        }

    def waiting_lines(self, user: User) -> list[RequestLine]:
        """Open lines that are assigned to the person, who has no part in them."""
        return [line for line in self.lines if self._waits_for(line, user)]

    def _waits_for(self, line: RequestLine, user: User) -> bool:
        if line.state != LineState.OPEN:
            return False
        if user.pk in (line.request.requester_id, line.request.asked_by_id):
            return False
        if any(
            each.project_id == line.project_id
            and each.role in ROLES_ABOVE_READER
            and self.names(each, user)
            for each in self.roles
        ):
            return False
        return any(
            each.line_id == line.pk and each.delegation_id in self.live and self.names(each, user)
            for each in self.assignments
        )

    def fill(self, account: Account, accounts: Iterable[Account]) -> tuple[int, int]:
        """(what lies below an envelope or the pool, that and what is left in it)."""
        same = [each for each in accounts if each.offering_id == account.offering_id]
        if account.holder == Holder.POOL:
            below = [each for each in same if each.holder in (Holder.UNIT, Holder.PROJECT)]
        else:
            top = account.unit.path if account.unit else ""
            below = [
                each for each in same if each.pk != account.pk and _path_of(each).startswith(top)
            ]
        beneath = sum(each.balance for each in below)
        return beneath, beneath + account.balance


def _path_of(account: Account) -> str:
    if account.unit is not None:
        return account.unit.path
    return account.project.unit.path if account.project is not None else ""
