"""A new project: asked for together with its quota, opened by the first grant, else dropped."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from portal.lib.errors import Conflict, Forbidden, Invalid
from projects.models import Event, Membership, Notice, Project, ProjectAct
from projects.queries.viewers import Viewer, visible_projects
from projects.states import Power, ProjectActKind, ProjectState, Role
from quotas.actions.decide import approve, decline
from quotas.actions.opening import rename
from quotas.actions.proposing import Proposal, propose
from quotas.actions.requests import withdraw
from quotas.actions.wishes import Wish
from quotas.models import Assignment, QuotaRequest, Target

from .site import NOW, Site, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    made = make_site()
    opens_projects(made, "otto", "erin")
    return made


def opens_projects(site: Site, *names: str) -> None:
    """Let the delegations of these people, who decide quota, hold `decide projects` too."""
    for name in names:
        held = site.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])


def proposed(site: Site, **changes: object) -> QuotaRequest:
    """Mallory, a stranger so far, asks for a project in ATLAS."""
    values = {
        "name": "Higgs Reco", "purpose": "Reconstruction of 2026 data.",
        "unit": site.units["atlas"], "users": {site.bob: Role.MEMBER},
    } | changes  # fmt: skip
    wish = Wish({site.vcpu.slug: 8, site.space.slug: 10 * 2**30}, "to begin with")
    return propose(proposal=Proposal(**values), wish=wish, actor=site.mallory, now=NOW)  # type: ignore[arg-type]  # as above


def grant(site: Site, asked: QuotaRequest, *names: str, who: str = "erin") -> None:
    lines = [line for line in asked.lines.all() if not names or line.offering.slug in names]
    asked.refresh_from_db()
    approve(
        quota_request=asked, granted={line.pk: line.wanted for line in lines},
        seen={line.pk: 0 for line in lines}, version=asked.version,
        actor=site.people[who], now=NOW + timedelta(hours=1),
    )  # fmt: skip


def test_a_proposed_project_waits_with_its_people_and_has_nothing_in_any_cloud(site: Site) -> None:
    asked = proposed(site)
    project = asked.project
    assert (project.state, project.slug, project.name) == ("proposed", "higgs-reco", "Higgs Reco")
    held = Membership.objects.filter(project=project).values_list("user__subject", "role")
    assert sorted(held) == [("bob", "member"), ("mallory", "owner")]
    assert not Target.objects.filter(project=project).exists()
    assert visible_projects(Viewer.of(site.mallory, NOW)).filter(pk=project.pk).exists()


def test_the_first_grant_opens_it_with_the_decision_as_proof(site: Site) -> None:
    asked = proposed(site)
    waits_for = {each.delegation for each in Assignment.objects.filter(line__request=asked)}
    assert waits_for
    assert all(Power.DECIDE_PROJECTS in each.powers for each in waits_for)
    grant(site, asked, site.vcpu.slug)
    project = Project.objects.get(pk=asked.project_id)
    assert project.state == ProjectState.ACTIVE
    assert site.quota(site.vcpu, project) == 8
    assert Target.objects.filter(project=project).count() == len(site.endpoints)
    act = ProjectAct.objects.get(project=project, kind=ProjectActKind.OPEN)
    assert act.actor == site.erin
    assert act.snapshot == {"decision": asked.decisions.get().pk}
    assert Notice.objects.filter(person=site.bob, event__verb="project opened").count() == 1
    # The rest is an ordinary request of an active project by now.
    grant(site, asked, site.space.slug)
    call_command("verify_decisions")


def test_who_decides_quota_alone_opens_no_project(site: Site) -> None:
    asked = proposed(site)
    lines = list(asked.lines.all())
    assert Power.DECIDE_PROJECTS not in site.delegations["dana"].powers
    with pytest.raises(Forbidden, match="decide quota and projects"):
        approve(
            quota_request=asked, granted={line.pk: line.wanted for line in lines},
            seen={line.pk: 0 for line in lines}, version=asked.version,
            actor=site.dana, now=NOW,
        )  # fmt: skip
    assert Project.objects.get(pk=asked.project_id).state == ProjectState.PROPOSED


@pytest.mark.parametrize("how", ["declined", "withdrawn"])
def test_what_nobody_grants_is_dropped_and_its_name_is_free(site: Site, how: str) -> None:
    asked = proposed(site)
    if how == "declined":
        decline(
            quota_request=asked, line_ids=[line.pk for line in asked.lines.all()],
            reason="There is one already.", version=asked.version, actor=site.erin, now=NOW,
        )  # fmt: skip
    else:
        withdraw(quota_request=asked, actor=site.mallory, now=NOW)
    project = Project.objects.get(pk=asked.project_id)
    assert project.state == ProjectState.DROPPED
    assert project.slug == f"higgs-reco-{project.pk}"
    again = proposed(site)
    assert (again.project.slug, again.project.name) == ("higgs-reco", "Higgs Reco")
    assert Event.objects.filter(verb="project dropped").count() == 1
    call_command("verify_decisions")


def test_a_name_that_a_project_has_in_any_case_is_refused_with_all_else_that_is_wrong(
    site: Site,
) -> None:
    with pytest.raises(Invalid) as refusal:
        proposed(
            site, name=site.project.name.upper(), purpose=" ", ends_on=NOW.date() - timedelta(1)
        )
    assert set(refusal.value.errors) == {"name", "purpose", "ends_on"}
    assert not Project.objects.filter(state=ProjectState.PROPOSED).exists()


def test_somebody_who_asks_for_too_many_is_told_how_many_wait(site: Site, settings: object) -> None:
    settings.PROPOSALS_AT_ONCE = 1  # type: ignore[attr-defined]  # pytest-django's own
    proposed(site)
    with pytest.raises(Conflict, match="1 project that you asked for waits"):
        proposed(site, name="Another")


def test_nobody_opens_a_project_in_which_they_are_to_work(site: Site) -> None:
    asked = proposed(site, users={site.erin: Role.MEMBER})
    with pytest.raises(Forbidden, match="role"):
        grant(site, asked)


def test_a_proposed_project_can_be_renamed_and_a_standing_one_not(site: Site) -> None:
    project = proposed(site).project
    rename(project=project, name="Higgs 2026", version=project.version, actor=site.mallory, now=NOW)
    assert project.name == "Higgs 2026"
    with pytest.raises(Conflict, match="know atlas-reco by this name"):
        rename(project=site.project, name="x", version=1, actor=site.alice, now=NOW)
