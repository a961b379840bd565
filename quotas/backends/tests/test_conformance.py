"""Projects in Keystone, and what Nova and Cinder do beside what every driver promises
(test_drivers.py): on the sandbox and on real services of two releases alike.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from quotas.backends import BackendError, Figure, IdentityProject, Kind
from quotas.backends.tests.conftest import TIMEOUT, Region, make_project


def refusal(excinfo: pytest.ExceptionInfo[BackendError]) -> tuple[Kind, str, int | None]:
    return excinfo.value.kind, excinfo.value.code, excinfo.value.http_status


# --- projects ---------------------------------------------------------------------------


def test_create_carries_the_tag_at_once(region: Region, new_tag: str) -> None:
    made = make_project(region, new_tag)

    rows = region.site.plain.projects_with(new_tag)
    assert [(row["id"], row["name"], row["description"], row["enabled"]) for row in rows] == [
        (made.external_id, made.name, "for a test", True)
    ]
    assert made.tags == frozenset({new_tag})


def test_find_knows_the_tag_and_nothing_else(region: Region, new_tag: str) -> None:
    assert region.identity.find(new_tag, timeout=TIMEOUT) is None
    made = make_project(region, new_tag)
    assert region.identity.find(new_tag, timeout=TIMEOUT) == made


def test_find_refuses_to_choose_between_two(
    region: Region, project: IdentityProject, new_tag: str
) -> None:
    region.identity.create(name=f"{project.name}-2", description="", tag=new_tag, timeout=TIMEOUT)
    with pytest.raises(BackendError) as excinfo:
        region.identity.find(new_tag, timeout=TIMEOUT)
    assert refusal(excinfo) == (Kind.REFUSED, "tag_twice", None)
    assert project.external_id in excinfo.value.words


def test_ensure_makes_one_however_often_it_is_asked(region: Region, new_tag: str) -> None:
    made = [
        region.identity.ensure(
            name=f"p-{new_tag[-12:]}", description="", tag=new_tag, timeout=TIMEOUT
        )
        for _ in range(3)
    ]
    assert made[0] == made[1] == made[2]
    assert len(region.site.plain.projects_with(new_tag)) == 1


def test_ensure_leaves_a_name_that_is_not_ours(region: Region, project: IdentityProject) -> None:
    with pytest.raises(BackendError) as excinfo:
        region.identity.ensure(
            name=project.name, description="", tag="remit:of-another", timeout=TIMEOUT
        )
    assert refusal(excinfo) == (Kind.REFUSED, "name_taken", 409)
    assert "it is not permitted to have two projects with either the same name" in (
        excinfo.value.words
    )
    assert region.site.plain.projects_with("remit:of-another") == []


def test_create_refuses_a_long_name_before_any_call(region: Region, new_tag: str) -> None:
    with pytest.raises(BackendError) as excinfo:
        region.identity.create(name="x" * 65, description="", tag=new_tag, timeout=TIMEOUT)
    assert refusal(excinfo) == (Kind.REFUSED, "bad_name", None)


def test_create_takes_64_characters(region: Region, new_tag: str) -> None:
    name = new_tag.ljust(64, "x")
    made = region.identity.create(name=name, description="", tag=new_tag, timeout=TIMEOUT)
    assert region.site.plain.project(made.external_id)["name"] == name  # type: ignore[index]


def test_get_tells_a_project_from_none(
    region: Region, project: IdentityProject, delete_behind: Callable[[IdentityProject], None]
) -> None:
    assert region.identity.get(project.external_id, timeout=TIMEOUT) == project
    delete_behind(project)
    assert region.identity.get(project.external_id, timeout=TIMEOUT) is None
    assert region.identity.find(next(iter(project.tags)), timeout=TIMEOUT) is None


def test_update_changes_only_what_is_given(region: Region, project: IdentityProject) -> None:
    updated = region.identity.update(project.external_id, is_enabled=False, timeout=TIMEOUT)
    assert updated == replace(project, is_enabled=False)
    assert updated.description == "for a test"
    assert region.identity.get(project.external_id, timeout=TIMEOUT) == updated


def test_update_of_a_deleted_project_is_refused(
    region: Region, project: IdentityProject, delete_behind: Callable[[IdentityProject], None]
) -> None:
    delete_behind(project)
    with pytest.raises(BackendError) as excinfo:
        region.identity.update(project.external_id, description="x", timeout=TIMEOUT)
    assert refusal(excinfo) == (Kind.REFUSED, "project_gone", 404)
    assert excinfo.value.words == f"Could not find project: {project.external_id}."


# --- limits -----------------------------------------------------------------------------


def test_no_limit_is_told_from_a_number(region: Region, project: IdentityProject) -> None:
    key = f"gigabytes_{region.volume_type}"
    found = region.cinder.read(project.external_id, [key, "gigabytes"], timeout=TIMEOUT)
    assert found[key].is_unlimited
    assert not found["gigabytes"].is_unlimited


def test_usage_comes_from_the_detail_call(region: Region, project: IdentityProject) -> None:
    region.site.set_instances(region.name, project.external_id, 3, ram=512)
    region.site.set_volumes(
        region.name, project.external_id, 2, gib=4, volume_type=region.volume_type
    )
    nova = region.nova.read(project.external_id, timeout=TIMEOUT)
    assert {key: figure.used for key, figure in nova.items()} == {
        "cores": 3,
        "ram": 1536,
        "instances": 3,
    }
    keys = ["volumes", "gigabytes", f"gigabytes_{region.volume_type}"]
    cinder = region.cinder.read(project.external_id, keys, timeout=TIMEOUT)
    assert [cinder[key].used for key in keys] == [2, 8, 8]


def test_an_unknown_type_is_refused_and_nothing_written(
    region: Region, project: IdentityProject
) -> None:
    before = region.site.plain.volume_limits(region.name, project.external_id)
    with pytest.raises(BackendError) as excinfo:
        region.cinder.write(
            project.external_id, {"volumes": 3, "gigabytes_no-such-type": 4}, timeout=TIMEOUT
        )
    assert refusal(excinfo) == (Kind.REFUSED, "unknown_key", 400)
    assert excinfo.value.words == (
        "Invalid input received: Bad key(s) in quota set: gigabytes_no-such-type"
    )
    assert region.site.plain.volume_limits(region.name, project.external_id) == before


def test_nova_refuses_below_usage(region: Region, project: IdentityProject) -> None:
    region.site.set_instances(region.name, project.external_id, 3)
    with pytest.raises(BackendError) as excinfo:
        region.nova.write(project.external_id, {"ram": 4096, "cores": 2}, timeout=TIMEOUT)
    assert refusal(excinfo) == (Kind.REFUSED, "below_usage", 400)
    assert excinfo.value.words == (
        "Quota limit 2 for cores must be greater than or equal to already used and reserved 3."
    )
    assert region.site.plain.compute_limits(region.name, project.external_id)["ram"] != 4096


def test_cinder_refuses_below_usage_only_the_second_time(
    region: Region, project: IdentityProject
) -> None:
    """Why delivery compares with usage itself: Cinder cannot be relied on."""
    region.site.set_volumes(
        region.name, project.external_id, 3, gib=1, volume_type=region.volume_type
    )
    region.cinder.write(project.external_id, {"volumes": 2}, timeout=TIMEOUT)
    with pytest.raises(BackendError) as excinfo:
        region.cinder.write(project.external_id, {"volumes": 1}, timeout=TIMEOUT)
    assert refusal(excinfo) == (Kind.REFUSED, "below_usage", 400)
    assert excinfo.value.words == (
        "Quota volumes limit must be equal or greater than existing resources. "
        "Current usage is 3 and the requested limit is 1."
    )
    found = region.cinder.read(project.external_id, ["volumes"], timeout=TIMEOUT)
    assert found == {"volumes": Figure(2, 3, 0)}


def test_nova_refuses_a_deleted_project(
    region: Region, project: IdentityProject, delete_behind: Callable[[IdentityProject], None]
) -> None:
    delete_behind(project)
    words = f"Project ID {project.external_id} is not a valid project."
    with pytest.raises(BackendError) as read:
        region.nova.read(project.external_id, timeout=TIMEOUT)
    with pytest.raises(BackendError) as written:
        region.nova.write(project.external_id, {"cores": 1}, timeout=TIMEOUT)
    assert refusal(read) == refusal(written) == (Kind.REFUSED, "project_gone", 400)
    assert read.value.words == written.value.words == words


def test_a_disabled_project_has_limits(region: Region, project: IdentityProject) -> None:
    region.identity.update(project.external_id, is_enabled=False, timeout=TIMEOUT)
    region.nova.write(project.external_id, {"cores": 5}, timeout=TIMEOUT)
    assert region.nova.read(project.external_id, ["cores"], timeout=TIMEOUT)["cores"].limit == 5
