"""A project of our name that is not ours is kept for operators, who may have it adopted."""

from django.db.models.functions import Now

from contrib.sandbox.control import RunningSandbox
from contrib.testing.plain import PlainClient
from quotas.models import ProjectHandle, Target
from quotas.states import TargetState
from quotas.tests.identity.steps import at, handle, row, run
from quotas.tests.site import Site


def stranger(site: Site, plain: PlainClient, **fields: object) -> str:
    """A project in Keystone that has our name and is not ours; its id."""
    body = {"name": site.project.name, "domain_id": "default", "description": "by hand", **fields}
    return str(plain.done("POST", "identity", "/projects", {"project": body})["project"]["id"])


def wish(external_id: str) -> None:
    Target.objects.filter(endpoint__slug="keystone").update(adopt_external_id=external_id)


def test_who_has_the_name_is_kept_for_operators(site: Site, plain: PlainClient) -> None:
    other = stranger(site, plain, tags=["by-hand"], description="by\0 hand\ud800")
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "name_taken")
    assert other in target.error_words
    assert target.name_taken_by == {
        "id": other, "name": site.project.name, "description": "by hand", "is_enabled": True,
        "tags": ["by-hand"],
    }  # fmt: skip
    assert ProjectHandle.objects.count() == 0


def test_an_adopted_project_carries_our_tag_beside_its_own(site: Site, plain: PlainClient) -> None:
    other = stranger(site, plain, tags=["by-hand"])
    run(site, "nova-geneva")
    run(site)
    wish(other)
    assert run(site).state == TargetState.APPLIED
    assert handle() == other
    assert sorted(row(plain)["tags"]) == sorted(["by-hand", site.project.tag])  # type: ignore[call-overload]  # a list
    target = at("keystone", site)
    assert (target.adopt_external_id, target.name_taken_by) == ("", {})
    assert at("nova-geneva", site).state == TargetState.DUE


def test_a_project_of_another_remit_is_not_adopted(site: Site, plain: PlainClient) -> None:
    other = stranger(site, plain, tags=["remit:of-another"])
    wish(other)
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "adopt_refused")
    assert "remit:of-another" in target.error_words
    assert target.adopt_external_id == ""
    assert plain.project(other)["tags"] == ["remit:of-another"]  # type: ignore[index]  # it is there


def test_one_that_has_gone_meanwhile_is_not_adopted(site: Site, plain: PlainClient) -> None:
    wish("0" * 32)
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "adopt_refused")
    # Nothing is in the way now.
    assert run(site).state == TargetState.APPLIED


def test_a_tag_whose_answer_was_lost_is_adopted_by_it(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    other = stranger(site, plain)
    wish(other)
    cloud.add_fault("drop_after", service="identity", method="PUT", path="/tags/", count=1)
    target = run(site)
    assert (target.state, target.adopt_external_id) == (TargetState.DIRTY, other)
    Target.objects.update(state=TargetState.DUE, dirty_until=None, next_try_at=Now())
    assert run(site).state == TargetState.APPLIED
    assert handle() == other


def test_a_tag_that_is_not_there_afterwards_is_no_adoption(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    wish(stranger(site, plain))
    cloud.add_fault("ignore", service="identity", method="PUT", path="/tags/")
    assert run(site).error_code == "adopt_refused"
    assert ProjectHandle.objects.count() == 0
