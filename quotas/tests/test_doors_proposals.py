"""What is done to a project that is asked for, through both doors: equal rows, equal refusals."""

from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from projects.models import Project, ProjectAct
from projects.states import Role
from quotas.actions.decide import return_
from quotas.actions.proposing import Proposal, propose
from quotas.actions.wishes import Wish
from quotas.models import QuotaRequest
from quotas.tests.doors import DONE, DOORS, Act
from quotas.tests.site import Site
from quotas.tests.test_doors import rows
from quotas.tests.test_proposing import opens_projects

pytestmark = pytest.mark.django_db
VCPU = "geneva.compute-a.vcpu"


@pytest.fixture
def site(site_today: Site) -> Site:
    opens_projects(site_today, "otto", "erin")
    return site_today


def proposed(site: Site, *, is_returned: bool = False) -> QuotaRequest:
    """Mallory's, with Bob as a manager and Rita as a reader."""
    now = timezone.now()
    asked = propose(
        proposal=Proposal(
            name="Higgs", purpose="Run 4", unit=site.units["atlas"],
            users={site.bob: Role.MANAGER, site.rita: Role.READER},
        ),
        wish=Wish({VCPU: 8}, ""), actor=site.mallory, now=now,
    )  # fmt: skip
    if is_returned:
        return_(
            quota_request=asked, line_ids=[asked.lines.get().pk], question="Why?",
            version=asked.version, actor=site.erin, now=now,
        )  # fmt: skip
    asked.refresh_from_db()
    return asked


def left_by(site: Site, door: str, act: Act, asked: QuotaRequest) -> tuple[int, Any]:
    """(status, rows) after the act, which is taken back."""
    with transaction.atomic():
        status = DOORS[door](site, act, asked)
        found = rows(site) | {
            "projects": list(
                Project.objects.order_by("pk").values_list("name", "state", "version")
            ),
            "acts": list(ProjectAct.objects.order_by("pk").values_list("kind", "actor")),
        }
        transaction.set_rollback(True)
    return status, found


ACTS = [
    (DONE, Act("amend", "mallory", {VCPU: 4})),
    (DONE, Act("amend", "bob", {VCPU: 4})),
    (403, Act("amend", "rita", {VCPU: 4})),
    (404, Act("amend", "alice", {VCPU: 4})),
    (412, Act("amend", "mallory", {VCPU: 4}, version=99)),
    (DONE, Act("answer", "mallory", text="For run 4.")),
    (DONE, Act("answer", "bob", {VCPU: 2}, text="For run 4.")),
    (403, Act("answer", "rita", text="For run 4.")),
    (DONE, Act("withdraw", "mallory")),
    (403, Act("withdraw", "rita")),
    (DONE, Act("comment", "bob")),
    (DONE, Act("approve", "erin")),
    (DONE, Act("decline", "otto")),
    (403, Act("approve", "dana")),
    (403, Act("approve", "bob")),
]


@pytest.mark.parametrize(("status", "act"), ACTS, ids=lambda each: str(each)[:60])
def test_both_doors_leave_the_same(site: Site, status: int, act: Act) -> None:
    asked = proposed(site, is_returned=act.verb == "answer")
    before = left_by(site, "page", Act("watch", "mallory"), asked)[1]
    page, api = (left_by(site, door, act, asked) for door in DOORS)
    assert page == api
    assert page[0] == status
    if status == DONE:
        assert page[1] != before
