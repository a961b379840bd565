"""A site that lives day by day: its projects in the sandbox cloud, its mail on a real server.

The tasks of the schedule are called as workers call them; only their clock is the test's.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pytest
from django.utils import timezone

from contrib.testing.clouds import SandboxSite
from projects.models import Project, ProjectKind, User
from projects.outgoing.letters import write_letters
from projects.states import Role
from quotas import tasks
from quotas.actions.decide import approve
from quotas.actions.requests import submit
from quotas.actions.wishes import Wish
from quotas.delivery import leases
from quotas.models import Loan, ProjectHandle, Target
from quotas.queries.orphans import Orphan, orphan_rows, ownerless, with_last_owner
from quotas.states import TargetState
from quotas.tests.mail.server import MailServer, address
from quotas.tests.site import NOW, Site, join, make_project

DAY = timedelta(days=1)
REGION = "geneva"
CALENDAR = (tasks.sweep_calendar, tasks.sweep_leavers, tasks.sweep_emptying)
# Quick to do on every day, too; but most days they find what they left.
OTHERS = (tasks.sweep_marks, tasks.sweep_routes, tasks.sweep_waiting, tasks.sweep_ends)


def moment(day: int) -> datetime:
    """Noon of a day; 0 is when the site was made."""
    return NOW + day * DAY


def on(day: int) -> date:
    return moment(day).date()


@dataclass
class World:
    site: Site
    cloud: SandboxSite
    server: MailServer
    clock: pytest.MonkeyPatch
    day: int = 0
    # What was not as promised on some day.
    wrong: list[tuple[int, str]] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return moment(self.day)

    def live(self, until: int, happens: dict[int, Callable[["World"], None]]) -> None:
        """Day by day: what people do, then the tasks, on every tenth day twice."""
        assert max(happens) <= until
        while self.day <= until:
            is_eventful = self.day in happens or self.day % 10 == 0
            self._look_at_clock(self.now)
            if self.day in happens:
                happens[self.day](self)
            for now in [self.now, self.now + DAY / 4][: 1 + (self.day % 10 == 0)]:
                self._look_at_clock(now)
                self._work([*CALENDAR, *OTHERS] if is_eventful else CALENDAR)
            self._check(is_thorough=is_eventful)
            self.day += 1

    def _look_at_clock(self, now: datetime) -> None:
        self.clock.setattr(timezone, "now", lambda: now)

    def _work(self, todo: Sequence[Callable[[], None]]) -> None:
        for task in todo:
            task()
        self._deliver()
        while write_letters(timezone.now()):
            pass
        tasks.post_letters()

    def _deliver(self) -> None:
        """What is due, and what waited for that."""
        for _round in range(10):
            ids = leases.due_in_turn(tasks.SWEEP_BATCH)
            if not ids:
                return
            for target_id in ids:
                tasks.apply_target(target_id=target_id)

    # --- what must be so every day

    def _check(self, *, is_thorough: bool) -> None:
        for each in self.orphans():
            if each.offer is None and each.candidates:
                self.wrong.append((self.day, f"{each.project.slug} is offered to nobody"))
        if is_thorough:
            self.wrong += [(self.day, words) for words in self.disagreements()]

    def orphans(self) -> list[Orphan]:
        """The rows of their page, as an operator sees it."""
        now = timezone.now()
        return orphan_rows(list(with_last_owner(ownerless(now), now).select_related("unit")))

    def disagreements(self) -> list[str]:
        """Where Nova enforces something else than the ledger promises, or Keystone's project is
        in another state than ours."""
        found = []
        for handle in ProjectHandle.objects.select_related("project"):
            project, plain = handle.project, self.cloud.plain
            cores = plain.compute_limits(REGION, handle.external_id)["cores"]
            if cores != self.site.quota(self.site.vcpu, project):
                found.append(f"{project.slug}: {cores} cores")
            kept = plain.project(handle.external_id)
            works = project.state == "active" or (
                project.state == "closing" and project.closes_on is not None
            )
            if kept is None or kept["enabled"] is not works:
                found.append(f"{project.slug} is {project.state}, not so in Keystone")
        late = Target.objects.exclude(state=TargetState.APPLIED)
        return found + [f"{each.project.slug} is {each.state}" for each in late]

    # --- what people do

    def person(self, name: str, supervisor: str = "") -> User:
        made = User.objects.create(
            subject=name, name=name.capitalize(), password="!", mail=address(name),
            supervisor=self.site.people.get(supervisor),
        )  # fmt: skip
        self.site.people[name] = made
        return made

    def project(
        self, slug: str, owner: str, *, unit: str = "atlas", ends: int | None = None,
        is_personal: bool = False,
    ) -> Project:  # fmt: skip
        """One that stands; the shared sandbox knows it by a name of its own."""
        made = make_project(self.site, slug, unit, NOW)
        Project.objects.filter(pk=made.pk).update(
            name=f"{slug}-{uuid.uuid4().hex[:8]}", ends_on=None if ends is None else on(ends),
            kind=ProjectKind.PERSONAL if is_personal else ProjectKind.SHARED,
        )  # fmt: skip
        join(made, self.site.people[owner], Role.OWNER, NOW)
        return self.get(slug)

    def get(self, slug: str) -> Project:
        return Project.objects.select_related("unit").get(slug=slug)

    def give(self, slug: str, wanted: int, *, until: int | None = None) -> None:
        """Bob or who owns it asks for vCPUs, and Erin grants; what is more is lent until then."""
        project, vcpu = self.get(slug), self.site.vcpu
        owner = project.memberships.get(role=Role.OWNER, ends_at=None).user
        assert owner is not None
        wish = Wish({vcpu.slug: wanted}, "work", until_on=None if until is None else on(until))
        asked = submit(project=project, wish=wish, actor=owner, now=self.now)
        line = asked.lines.get()
        approve(
            quota_request=asked, granted={line.pk: wanted}, seen={line.pk: line.balance_seen},
            version=asked.version, actor=self.site.erin, now=self.now,
        )  # fmt: skip

    def use(self, slug: str, cores: int) -> None:
        """So much is in use from now on, and a worker looks."""
        handle = ProjectHandle.objects.get(project__slug=slug)
        self.cloud.set_instances(REGION, handle.external_id, cores, ram=0)
        target = Target.objects.get(project__slug=slug, endpoint__slug="nova-geneva")
        Target.objects.filter(pk=target.pk).update(looked_at=None)
        tasks.observe_target(target_id=target.pk)

    def lent(self, slug: str) -> int:
        """What is outstanding of the project's loans."""
        return sum(
            Loan.objects.filter(account__project__slug=slug).values_list("outstanding", flat=True)
        )
