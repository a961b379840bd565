"""Keystones that list only a part of their projects: none that is ours is taken for missing."""

from pathlib import Path
from typing import Any

import pytest

from contrib.sandbox.control import RunningSandbox
from contrib.sandbox.state import Cloud, Project
from contrib.testing.clouds import SandboxSite
from quotas.backends import BackendError, Holder, HolderKind, IdentityProject, Kind
from quotas.backends.keystone import KeystoneDriver
from quotas.backends.tests.conftest import (
    TIMEOUT,
    Region,
    make_project,
    region_of,
    tenth_of_projects,
)


def listed(region: Region, query: str) -> dict[str, Any]:
    found: dict[str, Any] = region.site.plain.done("GET", "identity", f"/projects?{query}")
    return found


def ensured(region: Region, project: IdentityProject, name: str = "") -> IdentityProject:
    (tag,) = project.tags
    return region.identity.ensure(
        name=name or project.name, description="", tag=tag, timeout=TIMEOUT
    )


def writes(sandbox: RunningSandbox) -> list[str]:
    return [each["path"] for each in sandbox.calls(service="identity", method="POST")
            if "/auth/" not in each["path"]]  # fmt: skip


# --- what services answer, sandbox and real ones alike -----------------------------------


def test_a_full_page_says_so_and_leads_to_the_next(
    region: Region, project: IdentityProject
) -> None:
    first = listed(region, "limit=1")
    assert (len(first["projects"]), first["truncated"]) == (1, True)
    assert first["links"]["next"].endswith(f"/projects?limit=1&marker={first['projects'][0]['id']}")
    second = listed(region, f"limit=1&marker={first['projects'][0]['id']}")
    assert second["projects"][0]["id"] > first["projects"][0]["id"]
    # It does not look whether there is a next one.
    assert listed(region, f"limit=1&name={project.name}")["truncated"] is True
    assert "truncated" not in listed(region, f"limit=2&name={project.name}")


def test_a_tag_is_looked_for_in_one_page_only(region: Region, project: IdentityProject) -> None:
    found = listed(region, "limit=1&tags=remit:of-nobody")
    assert (found["projects"], found["truncated"], found["links"]["next"]) == ([], True, None)


def test_a_page_after_a_project_that_has_gone_is_refused(region: Region) -> None:
    reply = region.site.plain.call("GET", "identity", "/projects?limit=1&marker=gone")
    assert (reply.status, reply.body["error"]["message"]) == (
        404, "Marker gone could not be found.",
    )  # fmt: skip


# --- what the driver makes of it -----------------------------------------------------------


def test_a_tag_is_found_behind_the_first_page(
    region: Region, new_tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeystoneDriver, "page_size", tenth_of_projects(region.site))
    assert region.identity.find(new_tag, timeout=TIMEOUT) is None
    made = make_project(region, new_tag)
    assert region.identity.find(new_tag, timeout=TIMEOUT) == made
    region.identity.update(made.external_id, name=f"{made.name}-away", timeout=TIMEOUT)
    assert ensured(region, made).external_id == made.external_id


def test_one_of_1500_is_found_by_its_tag_and_never_made_twice(tmp_path: Path, new_tag: str) -> None:
    cloud = Cloud(tmp_path / "sandbox.json")
    with cloud.change():
        for number in range(1500):
            project = Project(f"{number:032x}", f"p-{number}", tags=["remit:of-others"])
            cloud.projects[project.id] = project
        last = Project("f" * 32, "renamed-outside", tags=[new_tag])
        cloud.projects[last.id] = last
    own = RunningSandbox(tmp_path)
    own.start()
    try:
        region = region_of(SandboxSite(own), "geneva")
        assert region.site.plain.done("GET", "identity", f"/projects?tags={new_tag}")[
            "projects"
        ] == []  # fmt: skip
        found = region.identity.find(new_tag, timeout=TIMEOUT)
        assert found is not None
        assert found.external_id == last.id
        assert ensured(region, found, "the-name-it-had") == found
        assert writes(own) == []
    finally:
        own.stop()


def test_two_with_our_tag_are_refused_on_whatever_page_they_are(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    (tag,) = bench_project.tags
    bench_region.identity.create(
        name=f"{bench_project.name}-2", description="", tag=tag, timeout=TIMEOUT
    )
    sandbox.set_listing(1)
    with pytest.raises(BackendError) as excinfo:
        bench_region.identity.find(tag, timeout=TIMEOUT)
    assert excinfo.value.code == "tag_twice"


def test_a_project_that_goes_while_pages_are_read_is_no_refusal(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    sandbox.set_listing(1)
    sandbox.add_fault(
        "status", service="identity", path="marker=", status=404,
        message="Marker x could not be found.",
    )  # fmt: skip
    with pytest.raises(BackendError) as excinfo:
        bench_region.identity.find("remit:x", timeout=TIMEOUT)
    assert (excinfo.value.kind, excinfo.value.code) == (Kind.TRANSIENT, "conflict")


# --- a release that ends its lists and gives no next page ---------------------------------


def test_where_the_rest_cannot_be_asked_for_nothing_is_called_missing(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject, new_tag: str
) -> None:
    sandbox.set_listing(1, has_pages=False)
    sandbox.forget_calls()
    for ask in (
        lambda: bench_region.identity.find(f"{new_tag}-x", timeout=TIMEOUT),
        lambda: ensured(bench_region, bench_project, "p-of-no-project"),
    ):
        with pytest.raises(BackendError) as excinfo:
            ask()
        assert (excinfo.value.kind, excinfo.value.code) == (Kind.REFUSED, "list_truncated")
        assert excinfo.value.words == (
            "this Keystone ends its list of projects after 1 and gives no next page: have its "
            "list_limit raised above the number of its projects, or removed"
        )
    assert writes(sandbox) == []


def test_there_ours_is_known_by_its_name_and_tag_together(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    sandbox.set_listing(1, has_pages=False)
    assert ensured(bench_region, bench_project) == bench_project
    sandbox.reset()
    assert len(bench_region.site.plain.projects_with(next(iter(bench_project.tags)))) == 1


def test_roles_without_their_names_are_not_taken_for_others(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject, new_tag: str
) -> None:
    person = Holder(HolderKind.USER, bench_region.site.plain.new_user(new_tag))
    bench_region.identity.grant(bench_project.external_id, person, "member", timeout=TIMEOUT)
    sandbox.set_listing(2, has_pages=False)
    with pytest.raises(BackendError) as excinfo:
        bench_region.identity.roles(bench_project.external_id, timeout=TIMEOUT)
    assert excinfo.value.code == "list_truncated"
    assert "its list of roles after 2" in excinfo.value.words
