"""Four worker processes share two endpoints and a thousand targets through the database alone."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from django.db.models import Max, Min
from django.utils import timezone

from contrib.sandbox.control import RunningSandbox
from portal.testing.figures import FIGURES
from portal.testing.processes import RunningSite, running_site
from portal.testing.servers import DatabaseCopy
from portal.testing.waiting import wait_until
from projects.models import Project
from quotas.models import Account, CallSlot, Endpoint, ProjectHandle, Target
from quotas.states import TargetState
from quotas.tests.site import Site

KEYSTONE, NOVA = "keystone", "nova-geneva"
# Less than there are worker processes, so that the bound is what holds them back.
AT_ONCE = {KEYSTONE: 3, NOVA: 2}
CORES = 7


@pytest.fixture
def running(
    committed_site: Site, database_copy: DatabaseCopy, sandbox: RunningSandbox
) -> Iterator[RunningSite]:
    Target.objects.all().delete()
    for slug, count in AT_ONCE.items():
        Endpoint.objects.filter(slug=slug).update(concurrency=count)
    # Hints come one from the other; the sweep is not hurried, so that its part is as in production.
    with running_site(database_copy, sandbox.clouds_yaml, SWEEP_SECONDS="2") as site:
        yield site


def add_projects(site: Site, name: str, count: int) -> list[int]:
    """So many projects with quota and a target at each of the two endpoints; their ids."""
    now = timezone.now()
    projects = Project.objects.bulk_create(
        Project(
            slug=f"{name}-{number}", name=f"{name}-{number}", unit=site.units["atlas"],
            created_at=now,
        )
        for number in range(count)
    )  # fmt: skip
    Account.objects.bulk_create(
        Account(offering=site.vcpu, project=project, holder="project", balance=CORES)
        for project in projects
    )
    Target.objects.bulk_create(
        Target(project=project, endpoint=site.endpoints[slug], next_try_at=now)
        for project in projects
        for slug in AT_ONCE
    )
    return [project.pk for project in projects]


def wait_until_applied(ids: list[int], running: RunningSite, seconds: float) -> float:
    """Wait for all targets of these projects; how many were applied a second."""
    targets = Target.objects.filter(project__in=ids)

    # Asked of all targets, as that is cheap: those of before are applied already.
    unapplied = Target.objects.exclude(state=TargetState.APPLIED)
    try:
        wait_until(lambda: not unapplied.exists(), seconds, "all targets are applied", every=0.25)
    except AssertionError as error:
        states = Counter(targets.values_list("endpoint__slug", "state", "error_words"))
        raise AssertionError(f"{error}\n{states}\n{running.log('worker-0')}") from None
    span = targets.aggregate(first=Min("applied_at"), last=Max("applied_at"))
    return targets.count() / float((span["last"] - span["first"]).total_seconds())


def start_workers(running: RunningSite, numbers: range) -> None:
    # Nothing is looked at but by those who write.
    names = [f"worker-{number}" for number in numbers]
    workers = {name: running.start_worker(1, name=name, queues="apply,notify") for name in names}

    def is_ready(name: str) -> bool:
        assert workers[name].is_running, running.log(name)
        return " ready." in running.log(name, most=1_000_000)

    for name in names:
        wait_until(partial(is_ready, name), 120, f"{name} is ready")


def test_each_write_happens_once_and_no_endpoint_gets_more_calls_than_it_may(
    running: RunningSite,
    committed_site: Site,
    sandbox: RunningSandbox,
    record_property: Callable[[str, object], None],
) -> None:
    running.start_beat()
    start_workers(running, range(1))
    alone = wait_until_applied(add_projects(committed_site, "alone", 20), running, 120)
    start_workers(running, range(1, 4))
    sandbox.forget_calls()

    ids = add_projects(committed_site, "shared", 500)
    together = wait_until_applied(ids, running, 300)

    made = [call["body"]["project"]["name"] for call in sandbox.calls(method="POST")
            if call["path"].endswith("/projects")]  # fmt: skip
    assert Counter(made) == Counter(f"shared-{number}" for number in range(500))
    written = Counter(
        call["path"].rsplit("/", 1)[-1] for call in sandbox.calls(service="compute", method="PUT")
    )
    handles = ProjectHandle.objects.filter(project__in=ids).values_list("external_id", flat=True)
    assert written == Counter(handles)
    assert {
        sandbox.limits(handle, "geneva", "compute")["cores"] for handle in handles[:20]
    } == {CORES}  # fmt: skip
    most = sandbox.most_in_flight()
    assert 1 < most["identity", None] <= AT_ONCE[KEYSTONE]
    assert 1 < most["compute", "geneva"] <= AT_ONCE[NOVA]
    assert not CallSlot.objects.filter(holder__isnull=False).exists()
    record_property(
        FIGURES,
        f"1,000 targets at two endpoints: four workers {1000 / together:.1f} s "
        f"({together:.1f} a second), one worker {alone:.1f} a second; at most "
        f"{most['identity', None]} and {most['compute', 'geneva']} calls at once",
    )
