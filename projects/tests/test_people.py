"""People, groups and their history; the operator's mark."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.lib.errors import Conflict
from projects.actions.people import make_group, make_user, set_group_members, set_operator
from projects.models import Event, GroupMembership, User
from projects.tests.rows import LATER, NOW, person

pytestmark = pytest.mark.django_db


def test_make_user_has_no_password() -> None:
    alice = person("alice")

    assert User.objects.get() == alice
    assert not alice.has_usable_password()


def test_make_user_twice_is_a_conflict() -> None:
    person("alice")

    with pytest.raises(Conflict):
        person("alice")

    assert User.objects.count() == 1


def test_make_user_of_another_issuer_is_another_person() -> None:
    assert person("alice") != make_user(subject="alice", issuer="https://sso.example.org")


def test_set_group_members_opens_and_closes_periods() -> None:
    alice, bob = person("alice"), person("bob")
    group = make_group(external_id="dq", name="Quality", now=NOW)
    set_group_members(group=group, users=[alice], now=NOW)

    change = set_group_members(group=group, users=[bob], now=LATER)

    assert (change.joined, change.left) == ({bob.pk}, {alice.pk})
    assert set(GroupMembership.objects.values_list("user", "starts_at", "ends_at")) == {
        (alice.pk, NOW, LATER),
        (bob.pk, LATER, None),
    }


def test_set_group_members_in_the_same_moment_leaves_no_empty_period() -> None:
    group = make_group(external_id="dq", name="Quality", now=NOW)
    set_group_members(group=group, users=[person("alice")], now=NOW)

    set_group_members(group=group, users=[], now=NOW)

    assert not GroupMembership.objects.exists()


def test_set_operator_is_recorded_once() -> None:
    otto = person("otto")

    first = set_operator(user=otto, is_operator=True, actor=None, now=NOW)
    again = set_operator(user=otto, is_operator=True, actor=None, now=LATER)

    assert (first, again) == (True, False)
    assert User.objects.get().is_operator
    assert Event.objects.get().verb == "operator named"


def test_set_group_members_of_thousands_takes_as_many_queries_as_of_three() -> None:
    people = User.objects.bulk_create(
        User(subject=f"member{number}", password="!") for number in range(10_000)
    )

    def costs(count: int) -> list[int]:
        group = make_group(external_id=f"of{count}", name="Quality", now=NOW)
        found = []
        for hour, members in enumerate((people[:count], people[-count:], [])):
            with CaptureQueriesContext(connection) as queries:
                set_group_members(group=group, users=members, now=NOW + timedelta(hours=hour))
            found.append(len(queries))
        return found

    assert costs(5_000) == costs(3)
