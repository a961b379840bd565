"""Projects, where they are, and roles with their history."""

import pytest

from portal.lib.errors import Conflict, Invalid
from projects.actions.people import make_group
from projects.actions.projects import make_project, place_project, set_role
from projects.models import Event, Membership, Project, ProjectPlacement, Unit
from projects.states import ProjectState, Role
from projects.tests.rows import LATER, NOW, person, tree

pytestmark = pytest.mark.django_db


def reco(unit: Unit) -> Project:
    return make_project(slug="reco", unit=unit, actor=None, now=NOW)


def test_make_project_is_active_and_placed() -> None:
    project = reco(tree()["atlas"])

    assert (project.state, project.name) == (ProjectState.ACTIVE, "reco")
    assert ProjectPlacement.objects.get().unit.slug == "atlas"
    assert Event.objects.get(project=project).verb == "project made"


def test_make_project_in_a_retired_unit_is_a_conflict() -> None:
    unit = tree()["atlas"]
    unit.retired_at = NOW
    unit.save(update_fields=["retired_at"])

    with pytest.raises(Conflict):
        reco(unit)

    assert not Project.objects.exists()


def test_place_project_keeps_the_history() -> None:
    units = tree()
    project = reco(units["atlas"])

    place_project(project=project, unit=units["it"], actor=None, now=LATER)

    assert project.unit == units["it"]
    assert set(ProjectPlacement.objects.values_list("unit__slug", "starts_at", "ends_at")) == {
        ("atlas", NOW, LATER),
        ("it", LATER, None),
    }


def test_set_role_replaces_the_one_before() -> None:
    project, alice = reco(tree()["atlas"]), person("alice")
    set_role(project=project, user=alice, role=Role.MEMBER, actor=None, now=NOW)

    changed = set_role(project=project, user=alice, role=Role.OWNER, actor=None, now=LATER)

    assert changed
    assert set(Membership.objects.values_list("role", "starts_at", "ends_at")) == {
        ("member", NOW, LATER),
        ("owner", LATER, None),
    }


def test_set_role_of_none_ends_it() -> None:
    project, alice = reco(tree()["atlas"]), person("alice")
    set_role(project=project, user=alice, role=Role.MEMBER, actor=None, now=NOW)

    set_role(project=project, user=alice, role=None, actor=None, now=LATER)

    assert Membership.objects.get().ends_at == LATER
    assert Event.objects.order_by("-id")[0].verb == "role ended"


def test_set_role_as_it_is_records_nothing() -> None:
    project, alice = reco(tree()["atlas"]), person("alice")
    set_role(project=project, user=alice, role=Role.MEMBER, actor=None, now=NOW)
    count = Event.objects.count()

    changed = set_role(project=project, user=alice, role=Role.MEMBER, actor=None, now=LATER)

    assert not changed
    assert Event.objects.count() == count


def test_set_role_needs_one_holder() -> None:
    project = reco(tree()["atlas"])

    with pytest.raises(Invalid):
        set_role(project=project, role=Role.MEMBER, actor=None, now=NOW)
    with pytest.raises(Invalid):
        set_role(
            project=project,
            user=person("alice"),
            group=make_group(external_id="dq", name="Quality", now=NOW),
            role=Role.MEMBER,
            actor=None,
            now=NOW,
        )

    assert not Membership.objects.exists()
