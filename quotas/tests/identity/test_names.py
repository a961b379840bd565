"""Names that a cloud has are known here with their age, and refused before anything is sent."""

from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from contrib.sandbox.control import RunningSandbox
from contrib.testing.plain import PlainClient
from portal.lib.errors import Invalid
from quotas.actions.cloud_names import refuse_name
from quotas.backends.errors import BackendError
from quotas.backends.keystone import KeystoneDriver
from quotas.delivery.listing import list_and_look
from quotas.delivery.names import listed_pages
from quotas.delivery.turns import run_of_calls
from quotas.models import Drift, Endpoint, KnownName, ProjectHandle
from quotas.tests.identity.steps import run
from quotas.tests.site import NOW, Site

LATER = NOW + timedelta(hours=2)


def read_names(now: datetime) -> None:
    keystone = Endpoint.objects.get(identity__isnull=True)
    with suppress(BackendError), run_of_calls(keystone, seconds=60):
        assert all(listed_pages(keystone, now))


def stranger(plain: PlainClient, name: str, **fields: object) -> str:
    body = {"name": name, "domain_id": "default", **fields}
    return str(plain.done("POST", "identity", "/projects", {"project": body})["project"]["id"])


def names() -> dict[str, bool]:
    return dict(KnownName.objects.values_list("name", "is_ours"))


def test_names_of_the_cloud_are_read_page_by_page_and_known_as_ours_or_not(
    site: Site, plain: PlainClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests leave projects in this Keystone: some pages, however many those are.
    monkeypatch.setattr(KeystoneDriver, "page_size", 2 + len(plain.projects()) // 4)
    name = f"Biology-{site.project.public_id.hex[:6]}"
    theirs = stranger(plain, name)
    another = stranger(plain, f"{name}-2", tags=["remit:4f0d7f0e-0000-4000-8000-000000000000"])
    run(site)
    read_names(NOW)
    read_names(NOW)
    assert KnownName.objects.count() == len(plain.projects())
    found = names()
    assert found[site.project.name] is True
    assert found[name.casefold()] is False
    assert found[f"{name}-2".casefold()] is False, "of another Remit"
    for each in (theirs, another):
        plain.done("DELETE", "identity", f"/projects/{each}")
    read_names(LATER)
    assert name.casefold() not in names()


def test_a_name_that_a_cloud_has_is_refused_with_its_age_in_whatever_case(
    site: Site, plain: PlainClient
) -> None:
    name = f"Biology-{site.project.public_id.hex[:6]}"
    theirs = stranger(plain, name)
    run(site)
    read_names(NOW)
    plain.done("DELETE", "identity", f"/projects/{theirs}")
    with pytest.raises(Invalid) as excinfo:
        refuse_name(name.upper(), LATER)
    assert excinfo.value.errors == {
        "name": [
            f"Keystone has a project called {name.upper()} that is not ours (seen 2 h ago); "
            "choose another name."
        ]
    }
    # Ours is refused as ours, and what nobody has is free.
    refuse_name(site.project.name, LATER, but=site.project)
    refuse_name(f"{name}-2", LATER)


def test_a_name_that_no_column_holds_stops_no_list(site: Site, plain: PlainClient) -> None:
    run(site)
    ours = ProjectHandle.objects.get().external_id
    body = {"project": {"name": f"by\0 {site.project.slug} \ud800hand"}}
    plain.done("PATCH", "identity", f"/projects/{ours}", body)
    keystone = Endpoint.objects.get(identity__isnull=True)
    with run_of_calls(keystone, seconds=60):
        list_and_look(keystone, NOW)
    assert names() | {f"by {site.project.slug} hand": True} == names()
    assert Drift.objects.get().seen_name == f"by {site.project.slug} hand"


def test_a_list_that_keystone_cuts_or_that_breaks_off_forgets_nothing(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    run(site)
    read_names(NOW)
    known = names()
    cloud.set_listing(1, has_pages=False)
    read_names(LATER)
    assert names() == known
    cloud.reset()
    cloud.add_fault("status", status=503, service="identity", method="GET", path="/projects")
    read_names(LATER)
    assert names() == known
    cloud.reset()
