"""Rules and explanations about a project that is asked for: its lines take both powers."""

from datetime import timedelta

import pytest

from projects.models import Project
from projects.queries.viewers import Viewer
from projects.states import Power, ProjectState, Role
from quotas.models import Decision
from quotas.queries.preview import preview
from quotas.queries.proposals import project_to_be, workers_of
from quotas.queries.verifying import verify
from quotas.tests.site import NOW, Site, make_group, make_site
from quotas.tests.test_automatic import few, rule
from quotas.tests.test_proposing import opens_projects, proposed

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def site() -> Site:
    made = make_site(NOW - timedelta(days=1))
    opens_projects(made, "otto", "erin")
    return made


def test_a_rule_opens_a_project_where_its_delegation_may(site: Site) -> None:
    made = rule(site, few(site), by="erin", unit="ep")
    previewed = preview(
        Viewer.of(site.mallory, NOW), project_to_be(site.units["atlas"]), {site.vcpu: 8}
    )
    assert previewed.lines[0].rule is not None
    asked = proposed(site)
    project = Project.objects.get(pk=asked.project_id)
    assert project.state == ProjectState.ACTIVE
    decision = Decision.objects.get(request=asked)
    assert (decision.actor, decision.person) == (None, site.erin)
    assert decision.policy_version is not None
    assert [decision.policy_version] == list(made.versions.all())
    assert list(verify()) == []


def test_a_rule_on_a_delegation_for_quota_alone_leaves_it_to_people(site: Site) -> None:
    assert Power.DECIDE_PROJECTS not in site.delegations["dana"].powers
    rule(site, few(site), by="dana")
    previewed = preview(
        Viewer.of(site.mallory, NOW), project_to_be(site.units["atlas"]), {site.vcpu: 8}
    )
    line = previewed.lines[0]
    assert line.rule is None
    assert line.decider is not None
    assert line.decider.names == (site.erin,)
    asked = proposed(site)
    assert asked.project.state == ProjectState.PROPOSED
    assert not Decision.objects.filter(request=asked).exists()


def test_nobody_is_let_in_by_a_rule_of_their_own_making(site: Site) -> None:
    rule(site, few(site), by="erin", unit="ep")
    asked = proposed(site, users={site.erin: Role.MEMBER})
    assert asked.project.state == ProjectState.PROPOSED


def test_a_preview_passes_over_who_would_work_in_it_also_through_a_group(site: Site) -> None:
    group = make_group("reco", site.erin, since=NOW - timedelta(days=1))
    viewer, place = Viewer.of(site.mallory, NOW), project_to_be(site.units["atlas"])
    for role, names in ((Role.MEMBER, (site.otto,)), (Role.READER, (site.erin,))):
        involved = workers_of({}, {group: role}, NOW)
        found = preview(viewer, place, {site.vcpu: 8}, involved=involved)
        assert found.lines[0].decider is not None
        assert found.lines[0].decider.names == names
