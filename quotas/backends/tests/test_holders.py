"""Finding people and groups in Keystone, taking roles back, and listing and deleting projects."""

from uuid import uuid4

import pytest

from contrib.testing.clouds import Site
from quotas.backends import (
    FindBy,
    HeldRole,
    Holder,
    HolderKind,
    HolderRule,
    IdentityProject,
)
from quotas.backends.keystone import KeystoneDriver
from quotas.backends.tests.conftest import (
    TIMEOUT,
    Region,
    make_project,
    region_of,
    tenth_of_projects,
)

USER, GROUP = HolderKind.USER, HolderKind.GROUP
BY_NAME = HolderRule(FindBy.NAME)


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
def domain(keystone: Region, new_tag: str) -> str:
    """Another domain than where projects are made; its id."""
    body = {"domain": {"name": f"domain-{new_tag[-12:]}", "enabled": True}}
    return str(keystone.site.plain.done("POST", "identity", "/domains", body)["domain"]["id"])


def new_holder(region: Region, kind: HolderKind, name: str, domain: str, **fields: object) -> str:
    body = {kind.value: {"name": name, "domain_id": domain, **fields}}
    return str(region.site.plain.done("POST", "identity", f"/{kind}s", body)[kind.value]["id"])


# --- by name ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HolderKind)
def test_a_name_is_looked_for_in_its_domain_as_keystone_compares_names(
    keystone: Region, driver: KeystoneDriver, domain: str, new_tag: str, kind: HolderKind
) -> None:
    name = f"ada-{new_tag[-12:]}"
    ours = new_holder(keystone, kind, name, "default")
    theirs = new_holder(keystone, kind, name, domain)
    there = HolderRule(FindBy.NAME, domain_id=domain)
    assert driver.find_holders(kind, BY_NAME, name, timeout=TIMEOUT) == {ours}
    assert driver.find_holders(kind, BY_NAME, name.upper(), timeout=TIMEOUT) == {ours}
    assert driver.find_holders(kind, there, name, timeout=TIMEOUT) == {theirs}
    assert driver.find_holders(kind, BY_NAME, f"{name}-2", timeout=TIMEOUT) == frozenset()


@pytest.mark.parametrize("name", ["ada@example.org", "Ada & Eve", "x?name=y", "ada/eve", "%41da"])
def test_a_name_is_found_whatever_it_holds(
    keystone: Region, driver: KeystoneDriver, domain: str, name: str
) -> None:
    external_id = new_holder(keystone, USER, name, domain)
    there = HolderRule(FindBy.NAME, domain_id=domain)
    assert driver.find_holders(USER, there, name, timeout=TIMEOUT) == {external_id}


# --- by id ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HolderKind)
def test_an_id_is_found_where_somebody_has_it(
    keystone: Region, driver: KeystoneDriver, new_tag: str, kind: HolderKind
) -> None:
    external_id = new_holder(keystone, kind, new_tag, "default")
    by_id = HolderRule(FindBy.ID)
    assert driver.find_holders(kind, by_id, external_id, timeout=TIMEOUT) == {external_id}
    for unknown in ("0" * 32, "..", "a/b"):
        assert driver.find_holders(kind, by_id, unknown, timeout=TIMEOUT) == frozenset()


# --- by federated unique id -------------------------------------------------------------


def provider(region: Region, domain: str, name: str, *protocols: str) -> str:
    """An identity provider as Keystone knows it; its id. The sandbox takes any for granted."""
    plain = region.site.plain
    if region.site.cloud == "sandbox":
        return name
    rules = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "REMOTE_USER"}]}]
    plain.done("PUT", "identity", f"/OS-FEDERATION/mappings/{name}", {"mapping": {"rules": rules}})
    body = {"identity_provider": {"domain_id": domain, "enabled": True}}
    plain.done("PUT", "identity", f"/OS-FEDERATION/identity_providers/{name}", body)
    for protocol in protocols:
        plain.done(
            "PUT", "identity", f"/OS-FEDERATION/identity_providers/{name}/protocols/{protocol}",
            {"protocol": {"mapping_id": name}},
        )  # fmt: skip
    return name


def of_provider(provider: str, protocol: str, unique_id: str) -> list[dict[str, object]]:
    protocols = [{"protocol_id": protocol, "unique_id": unique_id}]
    return [{"idp_id": provider, "protocols": protocols}]


def test_federated_people_are_found_by_their_unique_id(
    keystone: Region, driver: KeystoneDriver, domain: str, new_tag: str
) -> None:
    known = provider(keystone, domain, f"idp-{new_tag[-12:]}", "openid", "saml2")
    rule = HolderRule(FindBy.FEDERATED, provider=known, protocol="openid")
    plain, quoted = f"ada-{new_tag[-6:]}", f"eve-{new_tag[-6:]}%40example.org"
    ada = new_holder(keystone, USER, plain, domain, federated=of_provider(known, "openid", plain))
    # As Keystone writes down who came from a mapping.
    eve = new_holder(keystone, USER, quoted, domain, federated=of_provider(known, "openid", quoted))
    assert driver.find_holders(USER, rule, plain, timeout=TIMEOUT) == {ada}
    eve_says = quoted.replace("%40", "@")
    assert driver.find_holders(USER, rule, eve_says, timeout=TIMEOUT) == {eve}
    other = HolderRule(FindBy.FEDERATED, provider=known, protocol="saml2")
    assert driver.find_holders(USER, other, plain, timeout=TIMEOUT) == frozenset()
    assert driver.find_holders(USER, rule, f"{plain}-2", timeout=TIMEOUT) == frozenset()


def test_two_matches_are_both_told(
    keystone: Region, driver: KeystoneDriver, domain: str, new_tag: str
) -> None:
    known = provider(keystone, domain, f"idp-{new_tag[-12:]}", "openid", "saml2")
    ids = {
        new_holder(
            keystone, USER, f"{protocol}-{new_tag[-12:]}", domain,
            federated=of_provider(known, protocol, "ada"),
        )
        for protocol in ("openid", "saml2")
    }  # fmt: skip
    rule = HolderRule(FindBy.FEDERATED, provider=known)
    assert driver.find_holders(USER, rule, "ada", timeout=TIMEOUT) == ids


# --- roles taken back -------------------------------------------------------------------


@pytest.mark.parametrize("kind", HolderKind)
def test_a_role_is_taken_back_alone_and_once(
    keystone: Region, driver: KeystoneDriver, project: IdentityProject, new_tag: str,
    kind: HolderKind,
) -> None:  # fmt: skip
    holder = Holder(kind, new_holder(keystone, kind, new_tag, "default"))
    other = Holder(USER, new_holder(keystone, USER, f"{new_tag}-2", "default"))
    for each, role in ((holder, "member"), (holder, "reader"), (other, "member")):
        driver.grant(project.external_id, each, role, timeout=TIMEOUT)
    for _ in range(2):
        driver.revoke(project.external_id, holder, "member", timeout=TIMEOUT)
    assert driver.roles(project.external_id, timeout=TIMEOUT) == {
        HeldRole(holder, "reader"), HeldRole(other, "member"),
    }  # fmt: skip


def test_what_nobody_holds_any_more_is_taken_back_already(
    keystone: Region, driver: KeystoneDriver, project: IdentityProject, new_tag: str
) -> None:
    ada = Holder(USER, new_holder(keystone, USER, new_tag, "default"))
    for external_id in ("0" * 32, "a.b@c", "slash/and space"):
        driver.revoke(project.external_id, Holder(USER, external_id), "member", timeout=TIMEOUT)
    driver.revoke(project.external_id, ada, "wizard", timeout=TIMEOUT)
    keystone.site.plain.done("DELETE", "identity", f"/projects/{project.external_id}")
    driver.revoke(project.external_id, ada, "member", timeout=TIMEOUT)


# --- projects ---------------------------------------------------------------------------


def test_a_project_is_deleted_once(
    driver: KeystoneDriver, project: IdentityProject, new_tag: str
) -> None:
    for _ in range(2):
        driver.delete(project.external_id, timeout=TIMEOUT)
    assert driver.get(project.external_id, timeout=TIMEOUT) is None
    assert driver.find(new_tag, timeout=TIMEOUT) is None


def test_projects_of_our_domain_are_listed_page_by_page(
    keystone: Region, driver: KeystoneDriver, project: IdentityProject, domain: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    second = make_project(keystone, f"remit:{uuid4()}")
    body = {"project": {"name": f"in-{domain[:8]}", "domain_id": domain}}
    keystone.site.plain.done("POST", "identity", "/projects", body)
    size = tenth_of_projects(keystone.site)
    monkeypatch.setattr(KeystoneDriver, "page_size", size)
    found: dict[str, IdentityProject] = {}
    page = driver.list_projects(timeout=TIMEOUT)
    while True:
        assert len(page.projects) <= size
        found |= {each.external_id: each for each in page.projects}
        if page.after is None:
            break
        page = driver.list_projects(page.after, timeout=TIMEOUT)
    assert not page.is_cut
    assert found[project.external_id] == project
    assert second.external_id in found
    assert f"in-{domain[:8]}" not in {each.name for each in found.values()}
