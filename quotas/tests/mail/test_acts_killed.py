"""Who does something is killed at each write of it, tries again, and it was done once.

A project from its proposal to its end; somebody who leaves; a directory that is read. Every
notice comes as one letter of a real mail server, whoever died on the way to it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from portal.lib.errors import DomainError
from portal.testing.waiting import wait_until
from projects.models import (
    Absence,
    Delegation,
    DirectoryRun,
    Event,
    GroupMembership,
    Membership,
    Notice,
    Project,
    ProjectAct,
    ProjectChange,
    Unit,
    User,
)
from projects.outgoing.letters import write_letters
from projects.states import ProjectState, Role
from quotas.actions.decide import approve
from quotas.actions.delegations import name_deputy
from quotas.actions.directory import sync_directory
from quotas.actions.emptying import empty_closing, end_countdowns
from quotas.actions.leaving import finish_leaving, leave_site
from quotas.actions.lives import close
from quotas.actions.members import set_member
from quotas.actions.orphans import offer_orphans
from quotas.actions.proposing import Proposal, propose
from quotas.actions.wishes import Wish
from quotas.models import Decision, QuotaRequest
from quotas.queries.accounts import audit
from quotas.tests.dying import done_dying
from quotas.tests.mail.acting import post
from quotas.tests.mail.server import MailServer
from quotas.tests.site import NOW, Site, join
from quotas.tests.test_proposing import opens_projects

DAY = timedelta(days=1)
ISSUER = "https://sso.site.example"
Run = Callable[[Callable[[], object]], object]


def undisturbed(work: Callable[[], object]) -> object:
    return work()


@pytest.fixture(params=[undisturbed, done_dying], ids=["undisturbed", "killed at each write"])
def run(request: pytest.FixtureRequest) -> Run:
    """Does a piece of work; both ways must end alike."""
    return request.param


def again(work: Callable[[], object]) -> None:
    """As somebody does who got no answer: it is refused, or changes nothing."""
    count = Event.objects.count()
    try:
        work()
    except DomainError:
        pass
    assert Event.objects.count() == count


def letters(server: MailServer, run: Run) -> Counter[str]:
    """{who: how many letters}, after all that waits was written and sent."""
    run(lambda: write_letters(NOW + 30 * DAY))
    while write_letters(NOW + 30 * DAY):
        pass
    post(NOW + 33 * DAY)
    return Counter(each.recipient.split("@")[0] for each in server.letters)


def told() -> Counter[tuple[str, str]]:
    return Counter(Notice.objects.values_list("person__subject", "event__verb"))


def held(project: Project) -> set[tuple[str, str]]:
    """Who has which role today."""
    rows = Membership.objects.filter(project=project, ends_at__isnull=True)
    return set(rows.values_list("user__subject", "role"))


def test_a_project_is_made_staffed_and_closed_once(
    mailed: Site, server: MailServer, run: Run
) -> None:
    site = mailed
    opens_projects(site, "erin")
    people = {site.bob: Role.MEMBER, site.rita: Role.READER}
    steps: list[Callable[[], object]] = [
        lambda: propose(
            proposal=Proposal("Higgs", "Data of 2026.", site.units["atlas"], users=people),
            wish=Wish({site.vcpu.slug: 8}, "to begin with"), actor=site.mallory, now=NOW,
        ),
        lambda: _approve(site),
        lambda: set_member(
            project=_higgs(), user=site.bob, role=Role.MANAGER, actor=site.mallory, now=NOW + DAY
        ),
        lambda: set_member(
            project=_higgs(), user=site.rita, role=None, actor=site.mallory, now=NOW + DAY
        ),
        lambda: close(project=_higgs(), actor=site.mallory, now=NOW + 2 * DAY),
        lambda: end_countdowns(NOW + 17 * DAY),
    ]  # fmt: skip
    for step in steps:
        run(step)
        again(step)
    empty_closing(NOW + 18 * DAY)

    project = _higgs()
    assert project.state == ProjectState.CLOSED
    assert held(project) == {("mallory", "owner"), ("bob", "manager")}
    assert (QuotaRequest.objects.count(), Decision.objects.count()) == (1, 1)
    acts = ProjectAct.objects.filter(project=project).order_by("pk")
    assert list(acts.values_list("kind", flat=True)) == ["open", "close", "give back", "finish"]
    assert site.envelope(site.vcpu) == 1000
    assert audit() == []
    assert told() == {
        ("mallory", "approved"): 1,
        ("bob", "project opened"): 1, ("rita", "project opened"): 1,
        ("bob", "role given"): 1, ("rita", "role ended"): 1,
        **{(each, f"project {verb}"): 1
           for each in ("mallory", "bob") for verb in ("closing", "closed")},
    }  # fmt: skip
    # What is about one project is gathered into one letter; a request is a thing of its own.
    assert letters(server, run) == {"mallory": 2, "bob": 1, "rita": 1}


def _higgs() -> Project:
    return Project.objects.select_related("unit").get(name="Higgs")


def _approve(site: Site) -> None:
    asked = QuotaRequest.objects.get()
    line = asked.lines.get()
    approve(
        quota_request=asked, granted={line.pk: 8}, seen={line.pk: 0}, version=asked.version,
        actor=site.erin, now=NOW,
    )  # fmt: skip


def test_who_leaves_has_left_with_all_that_they_held(
    mailed: Site, server: MailServer, run: Run
) -> None:
    site = mailed
    Unit.objects.filter(slug="atlas").update(steward=site.mallory)
    join(site.project, site.dana, Role.MANAGER, NOW)
    name_deputy(holder=site.dana, user=site.audrey, starts_at=NOW, ends_at=NOW + 90 * DAY, now=NOW)
    later = NOW + DAY
    for person in (site.dana, site.alice):
        going = partial(leave_site, user=person, actor=None, now=later)
        run(going)
        again(going)
    for sweep in (finish_leaving, offer_orphans):
        run(partial(sweep, later))
        again(partial(sweep, later))

    gone = User.objects.filter(left_at=later, is_active=False)
    assert set(gone.values_list("subject", flat=True)) == {"dana", "alice"}
    assert Absence.objects.count() == 2
    assert held(site.project) == {("bob", "member"), ("rita", "reader")}
    live = Delegation.objects.filter(revoked_at__isnull=True)
    assert set(live.values_list("user__subject", flat=True)) == {"otto", "erin", "audrey"}
    assert not live.filter(is_deputy=True).exists()
    offered = ProjectChange.objects.get()
    assert (offered.to_user, offered.state) == (site.mallory, "open")
    verbs = Counter(Event.objects.filter(at=later).values_list("verb", flat=True))
    assert verbs == {
        "person left": 2, "role ended": 2, "holder left": 1, "revoked": 2, "change asked": 1,
    }  # fmt: skip
    told_later = {each: count for each, count in told().items() if each[1] != "deputy named"}
    assert told_later == {
        ("erin", "holder left"): 1, ("mallory", "change asked"): 1, ("audrey", "revoked"): 1,
    }  # fmt: skip
    assert letters(server, run) == {"erin": 1, "mallory": 1, "audrey": 1}


@pytest.fixture
def slapd(tmp_path: Path, settings: Settings) -> Iterator[Any]:
    """Six people who report to p0, all in one group, and a directory that leads there."""
    from contrib.testing import slapd as names  # its library may be missing

    everybody = [f"p{n}" for n in range(6)]
    entries = {
        names.person_dn(x): names.person(x, manager="" if x == "p0" else "p0") for x in everybody
    }
    entries[names.group_dn("all")] = names.group("all", everybody, "g1")
    settings.DIRECTORY_ISSUER = ISSUER
    with names.Slapd(tmp_path / "slapd", entries) as running:
        wait_until(running.is_up, 10, "slapd answers")
        settings.DIRECTORY = {
            "url": running.url, "people_base": names.PEOPLE, "groups_base": names.GROUPS,
            "bind_dn": names.ROOT, "password": names.PASSWORD, "timeout": 30, "group_id": "ou",
        }  # fmt: skip
        yield names, running


@pytest.mark.needs("slapd")
def test_a_reading_that_is_killed_counts_for_nothing_and_who_left_leaves_once(
    mailed: Site, server: MailServer, slapd: Any, run: Run
) -> None:
    names, running = slapd
    read(0)
    leaver = User.objects.get(issuer=ISSUER, subject="p5")
    Membership.objects.filter(user=mailed.alice).update(user=leaver)
    running.remove(names.person_dn("p5"))
    run(lambda: read(1))
    leaver.refresh_from_db()
    assert leaver.left_at is None
    assert members() == {f"p{n}" for n in range(6)}
    read(2)
    run(lambda: read(3))
    leaver.refresh_from_db()
    assert (leaver.left_at, leaver.is_active) == (NOW + 3 * DAY, False)
    assert members() == {f"p{n}" for n in range(5)}
    run(lambda: offer_orphans(NOW + 3 * DAY))

    assert DirectoryRun.objects.filter(ended_at__isnull=False).count() == 4
    left = Event.objects.filter(subject_kind="user", subject_id=leaver.pk)
    assert Counter(left.values_list("verb", flat=True))["person left"] == 1
    assert Membership.objects.get(user=leaver).ends_at == NOW + 3 * DAY
    assert GroupMembership.objects.filter(user=leaver).count() == 1
    assert ProjectChange.objects.get().to_user == User.objects.get(subject="p0")
    assert letters(server, run)["p0"] == 1


def read(day: int) -> DirectoryRun:
    from projects.directory.opening import open_directory

    with open_directory() as opened:
        return sync_directory(opened, now=NOW + day * DAY)


def members() -> set[str]:
    rows = GroupMembership.objects.filter(group__external_id="g1", ends_at__isnull=True)
    return set(rows.values_list("user__subject", flat=True))
