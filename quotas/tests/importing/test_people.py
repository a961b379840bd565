"""Of whom an account may be made: of nobody who could be somebody else."""

import pytest
from django.utils import timezone

from projects.models import User
from quotas.backends.base import HolderKind, NamedHolder
from quotas.importing.answers import Answers
from quotas.importing.people import Directory
from quotas.importing.scanning import FoundIdentity
from quotas.models import Endpoint, HolderHandle

pytestmark = pytest.mark.django_db

# id in Keystone: (name, domain), whether it is made.
HOLDERS = {
    "new": ("zoe", "ours", True),
    "of another domain": ("alice", "theirs", False),
    "new of another domain": ("max", "theirs", False),
    "who left": ("leo", "ours", False),
    "found by another field": ("bob", "ours", False),
    "twice": ("eve", "ours", False),
    "twice again": ("Eve", "ours", False),
    "was leo's": ("other", "ours", False),
    "no name for a subject": ("a b\n", "ours", False),
}


def test_an_account_is_made_of_nobody_who_could_be_somebody_else() -> None:
    rule = {"by": "name", "field": "mail", "domain_id": "ours"}
    identity = Endpoint.objects.create(
        slug="keystone", name="Keystone", driver="keystone", cloud="x", options={"people": rule}
    )
    User.objects.create(subject="alice", mail="alice")
    User.objects.create(subject="bob", mail="bob@example.org")
    leo = User.objects.create(subject="leo", mail="leo", is_active=False, left_at=timezone.now())
    HolderHandle.objects.create(identity=identity, user=leo, external_id="was leo's")
    found = FoundIdentity(identity)
    found.holders = {
        (HolderKind.USER, pk): NamedHolder(pk, name, domain)
        for pk, (name, domain, _is_made) in HOLDERS.items()
    }
    directory = Directory(found, Answers(unknown_people="make"))
    assert {directory.who(key) for key in found.holders} == {None}
    made = {pk: directory.to_be_made((kind, pk)) for kind, pk in found.holders}
    assert made == {pk: row[2] for pk, row in HOLDERS.items()}
    for key in found.holders:
        directory.miss(key)
    assert {pk: row.is_answered for (_kind, pk), row in directory.unknown.items()} == made
