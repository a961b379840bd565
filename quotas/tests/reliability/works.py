"""A site on which real workers work, behind the fault proxy: pieces of work, and who does them."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from django.db.models.functions import Now
from django.test import override_settings
from django.utils import timezone

from contrib.sandbox.bench_client import Pause
from contrib.testing.clouds import FaultySite
from portal.lib.servers.process import Child
from portal.testing.processes import RunningSite, running_site
from portal.testing.servers import DatabaseCopy
from portal.testing.waiting import wait_until
from projects.models import Letter, Project, User
from projects.outgoing.letters import write_letters
from projects.states import LetterState, Role
from quotas.actions import decide, requests
from quotas.actions.proposing import Proposal, propose
from quotas.actions.wishes import Wish
from quotas.models import Delivery, Endpoint, HolderHandle, Offering, ProjectHandle, Target
from quotas.states import TargetState
from quotas.tests.mail.acting import check_letters, post, untold
from quotas.tests.mail.server import HOST, MailServer, address, serving
from quotas.tests.reliability.scenes import CINDER, KEYSTONE, NOVA, set_scene
from quotas.tests.reliability.steps import Step
from quotas.tests.site import CAST, GIB, NOW, Site, join, make_project, make_site
from quotas.tests.test_proposing import opens_projects

VCPU, GIBIBYTES = 16, 10
SETTINGS = {
    "LEASE_SECONDS": "4",
    "CALL_TIMEOUT_SECONDS": "3",
    # Dead workers keep theirs for a while.
    "ENDPOINT_CONCURRENCY": "100",
    "SWEEP_SECONDS": "0.3",
}
# A worker that is held, stopped or killed would otherwise lose its lease before we are ready.
PATIENT = {"LEASE_SECONDS": "200", "CALL_TIMEOUT_SECONDS": "150"}
MAIL = {"SITE_URL": "https://remit.example.org", "DEFAULT_FROM_EMAIL": "remit@example.org"}
# Not `observe`: who only looks calls, too. Not `mail`: the test sends it at the end.
QUEUES = "apply,notify"


@dataclass
class Works:
    site: Site
    cloud: FaultySite
    region: str
    running: RunningSite
    server: MailServer
    # Alice's and Rita's ids in Keystone.
    people: dict[str, str] = field(default_factory=dict)

    def worker(self, name: str, concurrency: int, *, is_patient: bool = False) -> Child:
        return self.running.start_worker(
            concurrency, name=name, queues=QUEUES, settings=PATIENT if is_patient else {}
        )

    def wait_for(self, predicate: Callable[[], object], what: str, seconds: float = 60) -> None:
        """A failure shows the rows and the last words of the workers."""
        try:
            wait_until(predicate, seconds, what)
        except AssertionError as error:
            rows = list(
                Target.objects.order_by("pk").values_list(
                    "project__slug", "endpoint__slug", "state", "error_code", "error_words"
                )
            )
            logs = [self.running.log(name)[-1500:] for name in ("victim", "saviour")]
            raise AssertionError(f"{error}\n{rows}\n{logs}") from None

    def end_leases(self) -> None:
        """As if the time of every lease had passed."""
        Target.objects.filter(state=TargetState.LEASED).update(lease_until=Now())

    def send_letters(self) -> None:
        """All that anybody was told: each thing in one letter, which the server got once."""
        later = timezone.now() + timedelta(days=3)
        self.wait_for(lambda: write_letters(later) == 0 and not untold(), "all is in letters")
        # What waits for more to be gathered, or for a server that was away, is due in time.
        moments = (later + timedelta(minutes=10 * number) for number in count(1))
        due = Letter.objects.filter(state=LetterState.DUE)
        self.wait_for(lambda: post(next(moments)) == 0 and not due.exists(), "letters are sent")
        check_letters(self.server)

    def let_time_pass(self) -> None:
        """As if what is dirty had been left alone for long enough."""
        Target.objects.filter(state=TargetState.DIRTY).update(dirty_until=Now(), next_try_at=Now())


@dataclass
class Piece:
    """A project of its own with quota granted, whose work goes on at one endpoint or at all."""

    works: Works
    project: Project
    endpoint: str

    def target(self, endpoint: str = "") -> Target:
        return Target.objects.get(project=self.project, endpoint__slug=endpoint or self.endpoint)

    def deliveries(self) -> list[Delivery]:
        return list(Delivery.objects.filter(target__project=self.project).order_by("pk"))

    @property
    def tag(self) -> str:
        return self.project.tag

    @property
    def in_keystone(self) -> list[dict[str, Any]]:
        """Keystone's projects with our tag."""
        return self.works.cloud.plain.projects_with(self.tag)

    @property
    def external_id(self) -> str:
        return ProjectHandle.objects.get(project=self.project).external_id

    def grant(self, offering: Offering, amount: int) -> None:
        """Alice or Bob asks, Dana approves."""
        site = self.works.site
        owner = site.alice if self.endpoint == KEYSTONE else site.bob
        asked = requests.submit(
            project=self.project, wish=Wish({offering.slug: amount}, "work"), actor=owner, now=NOW
        )
        line = asked.lines.get()
        decide.approve(
            quota_request=asked,
            granted={line.pk: amount},
            seen={line.pk: site.quota(offering, self.project)},
            version=asked.version,
            actor=site.dana,
            now=NOW,
        )

    def cores(self) -> int:
        plain = self.works.cloud.plain
        return plain.compute_limits(self.works.region, self.external_id)["cores"]

    def gibibytes(self) -> int:
        plain = self.works.cloud.plain
        return plain.volume_limits(self.works.region, self.external_id)["gigabytes"]

    def roles(self) -> set[tuple[str, str]]:
        """(user, role) as Keystone has them, by id."""
        path = f"/role_assignments?scope.project.id={self.external_id}"
        rows = self.works.cloud.plain.done("GET", "identity", path)["role_assignments"]
        return {(row["user"]["id"], row["role"]["id"]) for row in rows}

    def hold(self, when: str, step: Step) -> Pause:
        """Hold this step of it, once: before it is done, or after, before it is answered."""
        match: dict[str, Any] = {"path": step.path, "skip": step.nth}
        if "{id}" in step.path:
            (found,) = self.in_keystone
            match["path"] = step.path.format(id=found["id"])
        elif step.name == "make":
            match["body"] = self.tag
        elif step.name == "find by tag":
            match["path"] += f".*{self.tag.split(':')[-1]}"
        return self.works.cloud.proxy.pause(
            when, service=step.service, method=step.method, count=1, **match
        )


def new_piece(works: Works, endpoint: str) -> Piece:
    """Due at once. At Keystone it is all of a project, whose owner has a handle; at another
    endpoint it is nothing but that."""
    slug = f"p-{uuid.uuid4().hex[:10]}"
    if endpoint == KEYSTONE:
        return Piece(works, _asked_for(works.site, slug), endpoint)
    site = works.site
    project = make_project(site, slug, "atlas", NOW)
    join(project, site.bob, Role.OWNER, NOW)
    piece = Piece(works, project, endpoint)
    piece.grant(*{NOVA: (site.vcpu, VCPU), CINDER: (site.space, GIBIBYTES * GIB)}[endpoint])
    keep = (KEYSTONE, endpoint)
    Target.objects.filter(project=project).exclude(endpoint__slug__in=keep).delete()
    return piece


def _asked_for(site: Site, name: str) -> Project:
    """A project as people get one: Alice asks for it with its quota, and Dana opens it."""
    wanted = {site.vcpu.slug: VCPU, site.space.slug: GIBIBYTES * GIB}
    asked = propose(
        proposal=Proposal(name, "work", site.units["atlas"], users={site.rita: Role.READER}),
        wish=Wish(wanted, "work"), actor=site.alice, now=NOW,
    )  # fmt: skip
    lines = list(asked.lines.all())
    decide.approve(
        quota_request=asked, granted={each.pk: each.wanted for each in lines},
        seen={each.pk: 0 for each in lines}, version=asked.version, actor=site.dana, now=NOW,
    )  # fmt: skip
    return Project.objects.select_related("unit").get(pk=asked.project_id)


@contextmanager
def working(cloud: FaultySite, region: str, copy: DatabaseCopy) -> Iterator[Works]:
    """The site stands and its clock (beat) runs; workers are for the test to start.

    Its people have addresses, and the workers write letters, which the test sends.
    """
    cloud.proxy.reset()
    site = make_site(NOW)
    opens_projects(site, "otto", "erin", "dana")
    for name in CAST:
        User.objects.filter(subject=name).update(mail=address(name))
    set_scene(site, cloud, region)
    Target.objects.all().delete()
    Endpoint.objects.filter(slug=KEYSTONE).update(options={"role": "member"})
    with (
        serving() as server,
        override_settings(EMAIL_HOST=HOST, EMAIL_PORT=server.port, **MAIL),
        running_site(
            copy,
            cloud.clouds_yaml,
            EMAIL_HOST=HOST,
            EMAIL_PORT=str(server.port),
            **MAIL,
            **SETTINGS,
        ) as running,
    ):
        works = Works(site, cloud, region, running, server)
        for name in ("alice", "rita"):
            user = {"name": f"{name}-{uuid.uuid4().hex[:8]}", "domain_id": "default"}
            made = cloud.plain.done("POST", "identity", "/users", {"user": user})["user"]
            works.people[name] = made["id"]
            HolderHandle.objects.create(
                user=site.people[name],
                identity=Endpoint.objects.get(slug=KEYSTONE),
                external_id=made["id"],
            )
        running.start_beat()
        yield works
    cloud.proxy.reset()
