"""Statements compiled once: other values give other rows, other shapes other statements."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.db.models import BigIntegerField
from django.db.models.functions import Cast
from django.test.utils import CaptureQueriesContext

from portal.lib.compiled import compiled
from portal.lib.together import Part, Rows, Values
from projects.models import Group, GroupMembership, User

BEGAN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
Ask = Callable[..., list[list[Any]]]


class Built:
    """A statement about somebody's groups, and how often it was built in which shape."""

    def __init__(self) -> None:
        self.shapes: list[bool] = []

        @compiled
        def ask(is_downwards: bool, /, *, user: Any, now: Any) -> Sequence[Part]:
            self.shapes.append(is_downwards)
            rows = GroupMembership.objects.live(now).filter(user=user)
            order = "-group__name" if is_downwards else "group__name"
            names = Values(rows.order_by(order), ["group__name"])
            return [names, Rows(User.objects.none()), Rows(rows.order_by("pk"), ["group"])]

        self.ask: Ask = ask


@pytest.fixture
def people(db: None) -> list[User]:
    """Two people: the first is in both groups, the second in one of them."""
    groups = [Group.objects.create(issuer="idp", external_id=each, name=each) for each in "ab"]
    found = [User.objects.create(issuer="idp", subject=each, name=each) for each in "xy"]
    for user, held in zip(found, (groups, groups[:1]), strict=True):
        for group in held:
            GroupMembership.objects.create(group=group, user=user, starts_at=BEGAN)
    return found


def test_a_statement_is_built_once_and_asked_with_other_values(people: list[User]) -> None:
    both, one = people
    built = Built()
    with CaptureQueriesContext(connection) as said:
        assert built.ask(False, user=both.pk, now=BEGAN)[0] == [("a",), ("b",)]
        names, nobody, rows = built.ask(False, user=one.pk, now=BEGAN)
    assert (names, nobody, [each.group.name for each in rows]) == ([("a",)], [], ["a"])
    assert len(said) == 2
    assert len(built.shapes) == 1


def test_the_moment_is_a_value_as_any(people: list[User]) -> None:
    built, before = Built(), BEGAN.replace(hour=11)
    assert built.ask(False, user=people[0].pk, now=before) == [[], [], []]
    assert len(built.ask(False, user=people[0].pk, now=BEGAN)[0]) == 2


def test_another_shape_is_another_statement(people: list[User]) -> None:
    built = Built()
    assert built.ask(True, user=people[0].pk, now=BEGAN)[0] == [("b",), ("a",)]
    assert built.ask(False, user=people[0].pk, now=BEGAN)[0] == [("a",), ("b",)]
    assert built.shapes == [True, False]


def test_a_value_that_would_have_no_effect_is_refused(people: list[User]) -> None:
    @compiled
    def unasked(*, user: Any, now: Any) -> Sequence[Part]:
        return [Values(GroupMembership.objects.live(now), ["user"])]

    @compiled
    def optional(*, user: Any, above: Any = None) -> Sequence[Part]:
        rows = User.objects.filter(pk=user).annotate(above=Cast(above, BigIntegerField()))
        return [Values(rows, ["above"])]

    with pytest.raises(TypeError, match="does not ask for user"):
        unasked(user=people[0].pk, now=BEGAN)
    with pytest.raises(TypeError, match="user is None"):
        optional(user=None, above=1)
    assert optional(user=people[0].pk, above=None) == [[(None,)]]
