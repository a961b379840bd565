"""People and groups are found by the endpoint's rule; who is not there waits, and nothing else."""

from datetime import timedelta

import pytest
from django.utils import timezone

from contrib.sandbox.control import RunningSandbox
from contrib.testing.plain import PlainClient
from projects.models import User
from projects.states import Role
from quotas.delivery import finding
from quotas.models import Endpoint, HolderHandle
from quotas.queries.holders import missing_holders
from quotas.states import Missing, TargetState
from quotas.tests.api import caller
from quotas.tests.identity.steps import at, handle, run
from quotas.tests.site import NOW, Site, join, make_group


def set_rule(**rule: str) -> None:
    Endpoint.objects.filter(slug="keystone").update(
        options={"role": "member", "people": {"by": "name", "field": "mail"} | rule,
                 "groups": {"by": "name"}}
    )  # fmt: skip


def mail(site: Site, *names: str) -> None:
    """Addresses that nobody else of the cloud has."""
    for name in names:
        user = site.people[name]
        user.mail = f"{name}-{site.project.public_id.hex[:8]}@example.org"
        user.save(update_fields=["mail"])


def row_of(user: User) -> HolderHandle:
    return HolderHandle.objects.get(user=user)


def let_time_pass() -> None:
    HolderHandle.objects.filter(next_at__isnull=False).update(next_at=timezone.now())


def test_people_and_groups_are_found_and_known_from_then_on(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    set_rule()
    mail(site, "alice", "bob")
    alice, bob = plain.new_user(site.alice.mail), plain.new_user(site.bob.mail)
    group = make_group(f"students-{site.project.public_id.hex[:8]}", site.mallory)
    join(site.project, group, Role.MEMBER, NOW)
    group_id = plain.new_group(group.name)
    assert run(site).state == TargetState.APPLIED
    assert plain.granted(handle()) == {
        ("user", alice, "member"), ("user", bob, "member"), ("group", group_id, "member"),
    }  # fmt: skip
    cloud.forget_calls()
    run(site)
    paths = [call["path"] for call in cloud.calls(service="identity")]
    assert not any("/users?" in path or "/groups?" in path for path in paths), paths


def test_who_is_not_there_waits_while_all_else_goes_on(site: Site, plain: PlainClient) -> None:
    set_rule()
    mail(site, "alice", "bob")
    alice = plain.new_user(site.alice.mail)
    assert run(site).state == TargetState.APPLIED
    assert plain.granted(handle()) == {("user", alice, "member")}
    (missing,) = missing_holders(site.project, NOW)
    assert (missing.holder, missing.missing, missing.is_looked_for) == (
        site.bob, Missing.ABSENT, True,
    )  # fmt: skip
    assert row_of(site.bob).next_at is not None


def test_who_appears_gets_the_role(site: Site, plain: PlainClient) -> None:
    set_rule()
    mail(site, "alice", "bob")
    run(site)
    bob = plain.new_user(site.bob.mail)
    finding.look_again()
    assert row_of(site.bob).external_id == "", "not before it is time"
    let_time_pass()
    finding.look_again()
    assert row_of(site.bob).external_id == bob
    assert at("keystone", site).state == TargetState.DUE
    run(site)
    assert plain.granted(handle()) == {("user", bob, "member")}
    assert [each.holder for each in missing_holders(site.project, NOW)] == [site.alice]


def test_the_longer_somebody_is_missing_the_rarer_is_the_look(site: Site) -> None:
    set_rule()
    mail(site, "alice", "bob")
    run(site)
    waits = []
    for _ in range(12):
        row = row_of(site.bob)
        assert row.next_at is not None
        assert row.looked_at is not None
        waits.append(round((row.next_at - row.looked_at).total_seconds()))
        let_time_pass()
        finding.look_again()
    assert waits[:4] == [300, 600, 1200, 2400]
    assert max(waits) == waits[-1] == 86_400


def test_a_sweep_looks_for_a_few_at_a_time(
    site: Site, cloud: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "SWEPT_AT_ONCE", 1)
    set_rule()
    mail(site, "alice", "bob")
    run(site)
    let_time_pass()
    cloud.forget_calls()
    finding.look_again()
    looks = [call for call in cloud.calls(service="identity") if "/users?" in call["path"]]
    assert len(looks) == 1


def test_who_comes_into_the_project_is_looked_for_at_once(site: Site, plain: PlainClient) -> None:
    set_rule()
    mail(site, "alice", "bob")
    run(site)
    bob = plain.new_user(site.bob.mail)
    site.project.memberships.filter(user=site.bob).update(starts_at=timezone.now())
    run(site)
    assert row_of(site.bob).external_id == bob


def test_two_matches_are_refused_with_their_ids(site: Site, plain: PlainClient) -> None:
    set_rule(by="federated", provider="sso")
    mail(site, "bob")
    ids = []
    for protocol in ("openid", "saml2"):
        identity = {"protocol_id": protocol, "unique_id": site.bob.mail}
        user = {
            "name": f"{protocol}-{site.project.public_id.hex[:8]}", "domain_id": "default",
            "federated": [{"idp_id": "sso", "protocols": [identity]}],
        }  # fmt: skip
        ids.append(plain.done("POST", "identity", "/users", {"user": user})["user"]["id"])
    assert run(site).state == TargetState.APPLIED
    assert plain.granted(handle()) == set()
    missing = {each.holder: each for each in missing_holders(site.project, NOW)}[site.bob]
    assert missing.is_ambiguous
    assert all(each in missing.words for each in ids)


def test_one_id_is_never_kept_for_two(site: Site, plain: PlainClient) -> None:
    """Else one would work in the projects of the other."""
    set_rule()
    mail(site, "alice")
    User.objects.filter(pk=site.bob.pk).update(mail=site.alice.mail)
    alice = plain.new_user(site.alice.mail)
    run(site)
    assert plain.granted(handle()) == {("user", alice, "member")}
    assert row_of(site.bob).missing == Missing.SHARED


@pytest.mark.parametrize("rule", [{"issuer": "https://elsewhere"}, {}])
def test_who_is_not_meant_or_has_no_such_name_is_not_looked_for(
    site: Site, cloud: RunningSandbox, rule: dict[str, str]
) -> None:
    set_rule(**rule)
    if rule:
        mail(site, "alice", "bob")
    cloud.forget_calls()
    assert run(site).state == TargetState.APPLIED
    assert not any("/users?" in call["path"] for call in cloud.calls(service="identity"))
    assert row_of(site.bob).missing == Missing.NAMELESS


def test_who_was_deleted_there_waits_again_and_an_id_of_the_file_is_refused(
    site: Site, plain: PlainClient
) -> None:
    set_rule()
    mail(site, "alice", "bob")
    bob = plain.new_user(site.bob.mail)
    run(site)
    plain.done("DELETE", "identity", f"/users/{bob}")
    assert run(site).state == TargetState.APPLIED
    assert (row_of(site.bob).external_id, row_of(site.bob).missing) == ("", Missing.ABSENT)
    HolderHandle.objects.filter(user=site.bob).update(
        external_id="nobody", missing="", next_at=None, looked_at=None
    )
    assert run(site).error_code == "holder_gone"


def test_who_may_not_be_looked_for_holds_up_no_known_one(
    site: Site, cloud: RunningSandbox, plain: PlainClient
) -> None:
    set_rule()
    mail(site, "alice", "bob")
    alice = plain.new_user(site.alice.mail)
    HolderHandle.objects.create(
        user=site.alice, identity=site.endpoints["keystone"], external_id=alice
    )
    cloud.add_fault("status", status=403, service="identity", method="GET", path="/users")
    target = run(site)
    assert (target.state, target.error_code) == (TargetState.REFUSED, "forbidden")
    assert plain.granted(handle()) == {("user", alice, "member")}


def test_who_works_nowhere_any_more_is_not_looked_for(site: Site, cloud: RunningSandbox) -> None:
    set_rule()
    mail(site, "alice", "bob")
    run(site)
    site.project.memberships.update(
        starts_at=NOW - timedelta(days=2), ends_at=NOW - timedelta(days=1)
    )
    let_time_pass()
    cloud.forget_calls()
    finding.look_again()
    assert cloud.calls(service="identity", method="GET") == []


def test_rest_tells_who_waits_and_why_and_the_words_to_who_repairs(
    site: Site, plain: PlainClient
) -> None:
    set_rule()
    mail(site, "alice", "bob")
    plain.new_user(site.alice.mail)
    run(site)
    found = caller(site, "alice").get("projects/atlas-reco/members/missing/").json()["waiting"]
    (bob,) = [each for each in found if each["holder"]["name"] == str(site.bob)]
    assert (bob["endpoint"], bob["reason"], bob["words"]) == ("keystone", "absent", "")
    assert "as they appear" in bob["sentence"]
    HolderHandle.objects.filter(user=site.bob).update(missing=Missing.TWICE, words="u1, u2")
    for name, words in (("alice", ""), ("otto", "u1, u2")):
        found = caller(site, name).get("projects/atlas-reco/members/missing/").json()["waiting"]
        (bob,) = [each for each in found if each["holder"]["name"] == str(site.bob)]
        assert (bob["reason"], bob["words"]) == ("twice", words)
