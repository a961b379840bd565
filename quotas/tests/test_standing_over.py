"""What somebody holds over some projects is what they hold, as far as it is over these."""

import pytest

from projects.models import Delegation, Project
from projects.queries.viewers import Viewer, visible_projects
from projects.states import Power
from quotas.queries.authority import mandates_of
from quotas.queries.standing_over import standing_over
from quotas.tests.site import CAST, NOW, Site, make_group, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def elsewhere(site: Site) -> Project:
    """A project of a unit beside those that Erin and Dana decide in."""
    project = make_project(site, "it-mail", "it", NOW)
    group = make_group("desk", site.dana, site.mallory)
    for slug in ("it", "atlas"):
        Delegation.objects.create(
            parent=site.delegations["otto"], ancestors=site.delegations["otto"].chain_ids,
            grantor=site.otto, group=group, powers=[Power.DECIDE_QUOTA], unit=site.units[slug],
            starts_at=NOW, created_at=NOW,
        )  # fmt: skip
    return project


@pytest.mark.parametrize("name", CAST)
def test_of_each_project_it_is_what_the_whole_of_it_says(
    site: Site, elsewhere: Project, name: str
) -> None:
    person, viewer = site.people[name], Viewer.of(site.people[name], NOW)
    for projects in ([site.project], [elsewhere], [site.project, elsewhere]):
        standing = standing_over(person, projects, NOW)
        for project in projects:
            whole = mandates_of(viewer, project.unit.path, Power.DECIDE_QUOTA)
            assert [each.delegation.pk for each in standing.mandates[project.pk]] == [
                each.delegation.pk for each in whole
            ]
            # Who may not decide is told so in other words where they see the project.
            seen, all_seen = (
                visible_projects(each).filter(pk=project.pk).exists()
                for each in (standing.viewer, viewer)
            )
            assert seen == all_seen


def test_it_reads_no_delegation_over_others(site: Site, elsewhere: Project) -> None:
    viewer = standing_over(site.dana, [elsewhere], NOW).viewer
    assert {each.unit.slug for each in viewer.delegations} == {"it"}
    assert {each.unit.slug for each in Viewer.of(site.dana, NOW).delegations} == {"it", "atlas"}
