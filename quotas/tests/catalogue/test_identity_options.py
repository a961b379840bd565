"""What a site's file says of an identity endpoint: roles by a map, how people are found."""

from datetime import timedelta

import pytest

from projects.models import User
from quotas.catalogue.loading import load
from quotas.catalogue.reading import read_site
from quotas.models import Endpoint, HolderHandle, Target
from quotas.tests.catalogue.sample import LATER, NOW, SITE, changed, line_of, problems_of

KEYSTONE = "keystone: {driver: keystone, cloud: lab"


def options(said: str) -> dict[str, object]:
    load(read_site(changed(KEYSTONE, f"{KEYSTONE}, {said}")), now=NOW)
    found: dict[str, object] = Endpoint.objects.get(slug="keystone").options
    return found


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        (
            "roles: {owner: [member, load-balancer_member], member: member, reader: []}",
            {"roles": {
                "owner": ["member", "load-balancer_member"], "member": ["member"], "reader": [],
            }},
        ),
        ("people: {by: name, field: mail, domain_id: d1}",
         {"people": {"by": "name", "field": "mail", "domain_id": "d1"}}),
        ("people: {by: federated, provider: sso, protocol: openid, issuer: 'https://sso'}",
         {"people": {
             "by": "federated", "provider": "sso", "protocol": "openid", "issuer": "https://sso",
         }}),
        ("groups: {by: id, field: id}", {"groups": {"by": "id", "field": "external_id"}}),
        ("delete_closed: true", {"delete_closed": True}),
        ("delete_closed: false", {}),
    ],
)  # fmt: skip
def test_load_stores_what_is_said(db: None, said: str, stored: dict[str, object]) -> None:
    assert options(said) == stored


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("role: member, roles: {owner: admin}",
         "keystone of identity says both role and roles; write roles alone."),
        ("roles: {boss: member}",
         "boss is no role in a project; there is manager, member, owner, reader."),
        ("people: {field: mail}", "people of keystone of identity needs by."),
        ("people: {by: mail}", "mail is no way to find people; there is federated, id, name."),
        ("people: {by: name, field: shoe}",
         "shoe is no field of people; there is mail, name, subject."),
        ("people: {by: id, domain_id: d1}",
         "domain_id means something only where people are by name."),
        ("people: {by: name, provider: sso}",
         "provider means something only where people are by federated."),
        ("people: {by: federated}",
         "people by federated needs provider, the identity provider's id in Keystone."),
        ("groups: {by: federated, provider: sso}",
         "federated is no way to find groups; there is id, name."),
        ("delete_closed: perhaps", "delete_closed must be true or false."),
        ("options: {people: all}",
         "people stands beside options in keystone of identity, not inside."),
    ],
)  # fmt: skip
def test_read_refuses_what_means_nothing(said: str, sentence: str) -> None:
    text = changed(KEYSTONE, f"{KEYSTONE}, {said}")
    assert problems_of(text) == [(line_of(text, said), sentence)]


def test_another_rule_looks_again_at_once_for_who_was_not_found(db: None) -> None:
    load(read_site(SITE), now=NOW)
    keystone = Endpoint.objects.get(slug="keystone")
    waiting = HolderHandle.objects.create(
        identity=keystone, user=alice(), missing="absent", looked_at=NOW,
        next_at=LATER + timedelta(days=1),
    )  # fmt: skip
    load(read_site(changed(KEYSTONE, f"{KEYSTONE}, people: {{by: name}}")), now=LATER)
    waiting.refresh_from_db()
    assert waiting.next_at == LATER
    assert Target.objects.get(endpoint=keystone).generation == 2


def alice() -> User:
    return User.objects.get(subject="alice")
