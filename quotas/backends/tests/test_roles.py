"""Roles, tags and names in Keystone, on the sandbox and on real services alike."""

import pytest

from contrib.testing.clouds import Site
from quotas.backends import (
    BackendError,
    HeldRole,
    Holder,
    HolderKind,
    IdentityProject,
    Kind,
    NamedHolder,
)
from quotas.backends.keystone import KeystoneDriver
from quotas.backends.tests.conftest import TIMEOUT, Region, make_project, region_of


@pytest.fixture
def keystone(site: Site) -> Region:
    """One Keystone serves both regions: once is enough."""
    return region_of(site, site.regions[0])


@pytest.fixture
def project(keystone: Region, new_tag: str) -> IdentityProject:
    return make_project(keystone, new_tag)


@pytest.fixture
def driver(keystone: Region) -> KeystoneDriver:
    return keystone.identity


@pytest.fixture
def person(keystone: Region, new_tag: str) -> Holder:
    return Holder(HolderKind.USER, keystone.site.plain.new_user(new_tag))


@pytest.fixture
def group(keystone: Region, new_tag: str) -> Holder:
    return Holder(HolderKind.GROUP, keystone.site.plain.new_group(new_tag))


def refusal(excinfo: pytest.ExceptionInfo[BackendError]) -> tuple[Kind, str, int | None]:
    return excinfo.value.kind, excinfo.value.code, excinfo.value.http_status


# --- roles ------------------------------------------------------------------------------


def test_a_project_begins_without_roles(driver: KeystoneDriver, project: IdentityProject) -> None:
    assert driver.roles(project.external_id, timeout=TIMEOUT) == frozenset()


def test_a_role_is_granted_by_its_name_and_once(
    keystone: Region, driver: KeystoneDriver, project: IdentityProject, person: Holder
) -> None:
    for _ in range(2):
        driver.grant(project.external_id, person, "member", timeout=TIMEOUT)
    assert driver.roles(project.external_id, timeout=TIMEOUT) == {HeldRole(person, "member")}
    assert keystone.site.plain.granted(project.external_id) == {
        ("user", person.external_id, "member")
    }


def test_roles_of_all_projects_are_read_at_once_and_holders_have_names(
    keystone: Region,
    driver: KeystoneDriver,
    project: IdentityProject,
    person: Holder,
    group: Holder,
    new_tag: str,
) -> None:
    driver.grant(project.external_id, person, "member", timeout=TIMEOUT)
    driver.grant(project.external_id, group, "reader", timeout=TIMEOUT)
    everywhere = driver.assignments(timeout=TIMEOUT)
    ours = {each.held for each in everywhere if each.project_id == project.external_id}
    assert ours == {HeldRole(person, "member"), HeldRole(group, "reader")}
    home = keystone.site.plain
    assert home.project_id in {each.project_id for each in everywhere}
    for holder in (person, group):
        for domain_id in (None, "default"):
            listed = driver.list_holders(holder.kind, domain_id, timeout=TIMEOUT)
            assert NamedHolder(holder.external_id, new_tag, "default") in listed


def test_what_others_granted_is_read_and_stays(
    keystone: Region,
    driver: KeystoneDriver,
    project: IdentityProject,
    person: Holder,
    group: Holder,
) -> None:
    driver.grant(project.external_id, person, "reader", timeout=TIMEOUT)
    driver.grant(project.external_id, group, "member", timeout=TIMEOUT)
    driver.grant(project.external_id, person, "member", timeout=TIMEOUT)
    assert driver.roles(project.external_id, timeout=TIMEOUT) == {
        HeldRole(person, "reader"), HeldRole(group, "member"), HeldRole(person, "member"),
    }  # fmt: skip
    assert keystone.site.plain.granted(project.external_id) == {
        ("user", person.external_id, "reader"),
        ("user", person.external_id, "member"),
        ("group", group.external_id, "member"),
    }


@pytest.mark.parametrize("external_id", ["0" * 32, "a.b@c", "slash/and space", "..", ""])
@pytest.mark.parametrize("kind", HolderKind)
def test_a_holder_that_keystone_does_not_know_is_refused(
    driver: KeystoneDriver, project: IdentityProject, kind: HolderKind, external_id: str
) -> None:
    with pytest.raises(BackendError) as excinfo:
        driver.grant(project.external_id, Holder(kind, external_id), "member", timeout=TIMEOUT)
    assert refusal(excinfo)[:2] == (Kind.REFUSED, "holder_gone")
    assert driver.roles(project.external_id, timeout=TIMEOUT) == frozenset()


def test_a_role_that_keystone_does_not_have_is_refused(
    driver: KeystoneDriver, project: IdentityProject, person: Holder
) -> None:
    with pytest.raises(BackendError) as excinfo:
        driver.grant(project.external_id, person, "wizard", timeout=TIMEOUT)
    assert refusal(excinfo) == (Kind.REFUSED, "unknown_role", None)
    assert excinfo.value.words == "this Keystone has no role called 'wizard'"


def test_a_grant_in_a_deleted_project_is_refused(
    keystone: Region, driver: KeystoneDriver, project: IdentityProject, person: Holder
) -> None:
    keystone.site.plain.done("DELETE", "identity", f"/projects/{project.external_id}")
    with pytest.raises(BackendError) as excinfo:
        driver.grant(project.external_id, person, "member", timeout=TIMEOUT)
    assert refusal(excinfo) == (Kind.REFUSED, "project_gone", 404)
    assert driver.roles(project.external_id, timeout=TIMEOUT) == frozenset()


# --- tags and names ---------------------------------------------------------------------


def test_a_tag_is_added_beside_others_and_once(
    keystone: Region, driver: KeystoneDriver, project: IdentityProject, new_tag: str
) -> None:
    for _ in range(2):
        driver.add_tag(project.external_id, "remit:another", timeout=TIMEOUT)
    row = keystone.site.plain.project(project.external_id)
    assert row is not None
    assert sorted(row["tags"]) == sorted(["remit:another", new_tag])


def test_a_tag_on_a_deleted_project_is_refused(
    keystone: Region, driver: KeystoneDriver, project: IdentityProject
) -> None:
    keystone.site.plain.done("DELETE", "identity", f"/projects/{project.external_id}")
    with pytest.raises(BackendError) as excinfo:
        driver.add_tag(project.external_id, "remit:another", timeout=TIMEOUT)
    assert refusal(excinfo) == (Kind.REFUSED, "project_gone", 404)


def test_a_project_is_found_by_its_name_as_keystone_compares_names(
    driver: KeystoneDriver, project: IdentityProject
) -> None:
    assert driver.find_by_name(f"{project.name}-2", timeout=TIMEOUT) is None
    assert driver.find_by_name(project.name, timeout=TIMEOUT) == project
    # The name that is refused when a project is made is the name that is found.
    with pytest.raises(BackendError) as excinfo:
        driver.create(name=project.name.upper(), description="", tag="remit:x", timeout=TIMEOUT)
    assert refusal(excinfo) == (Kind.REFUSED, "name_taken", 409)
    assert driver.find_by_name(project.name.upper(), timeout=TIMEOUT) == project
