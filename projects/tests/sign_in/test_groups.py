"""Groups of a claim at sign-in: who joins and leaves, with history, told to grantors."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contrib.provider.running import RunningProvider
from portal.lib.openid.claims import GroupClaim, PersonClaims
from projects.actions.arrivals import Arrival, arrive
from projects.actions.delegations import Terms, grant
from projects.actions.people import make_group, make_user, set_group_members
from projects.models import Delegation, Event, Group, GroupMembership, Notice, User
from projects.states import NoticeKind, Power
from projects.tests.rows import LATER, NOW, person, root, tree

from .visiting import come_back

pytestmark = pytest.mark.django_db
ISSUER = "https://sso.example"


def sign_in(*groups: str | GroupClaim, subject: str = "alice", at: int = 0) -> Arrival:
    """at: hours after NOW."""
    said = tuple(GroupClaim(x) if isinstance(x, str) else x for x in groups)
    claims = PersonClaims(ISSUER, subject, "Alice", "alice@here.example", said)
    return arrive(claims=claims, now=NOW + timedelta(hours=at))


def periods() -> set[tuple[str, int, int | None]]:
    """(group, from, until), in hours after NOW."""

    def hours(moment: object) -> int | None:
        return None if moment is None else round((moment - NOW).total_seconds() / 3600)  # type: ignore[operator]  # a moment

    rows = GroupMembership.objects.values_list("group__external_id", "starts_at", "ends_at")
    return {(group, hours(start) or 0, hours(end)) for group, start, end in rows}


@pytest.mark.needs("provider")
def test_groups_follow_the_claim_of_the_real_provider(provider: RunningProvider) -> None:
    provider.person("alice", name="Alice", groups=[{"id": "dq", "name": "Quality"}, "it"])
    come_back(Client(), provider, "alice")
    alice = User.objects.get()
    assert set(Group.objects.values_list("issuer", "external_id", "name")) == {
        (provider.issuer, "dq", "Quality"),
        (provider.issuer, "it", "it"),
    }
    provider.person("alice", name="Alice", groups=["it", "ep"])
    come_back(Client(), provider, "alice")
    held = GroupMembership.objects.live(timezone.now()).filter(user=alice)
    assert set(held.values_list("group__external_id", flat=True)) == {"it", "ep"}
    provider.person("alice", name="Alice")
    come_back(Client(), provider, "alice")
    assert held.count() == 2
    provider.person("alice", name="Alice", groups="it")
    come_back(Client(), provider, "alice")
    assert held.count() == 2
    provider.person("alice", name="Alice", groups=[])
    come_back(Client(), provider, "alice")
    assert GroupMembership.objects.live(timezone.now()).count() == 0


def test_joining_and_leaving_leave_their_periods_and_events() -> None:
    sign_in("dq", "it")
    arrival = sign_in("it", "ep", at=1)
    assert periods() == {("dq", 0, 1), ("it", 0, None), ("ep", 1, None)}
    by_name = {each.external_id: each.pk for each in Group.objects.all()}
    assert (arrival.joined, arrival.left) == ({by_name["ep"]}, {by_name["dq"]})
    later = Event.objects.filter(verb="group changed", at=NOW + timedelta(hours=1))
    assert {each.subject_id: (each.data["joined"], each.data["left"]) for each in later} == {
        by_name["ep"]: (1, 0),
        by_name["dq"]: (0, 1),
    }


def test_somebody_comes_back_into_a_group_by_a_new_period() -> None:
    sign_in("dq")
    sign_in(at=1)
    sign_in("dq", at=2)
    assert periods() == {("dq", 0, 1), ("dq", 2, None)}


def test_a_claim_that_says_nothing_changes_nothing() -> None:
    sign_in("dq")
    claims = PersonClaims(ISSUER, "alice", "", "", None)
    arrive(claims=claims, now=LATER)
    assert periods() == {("dq", 0, None)}
    assert User.objects.get().name == "Alice"


def test_groups_of_another_issuer_are_not_touched() -> None:
    alice = sign_in("dq").user
    local = make_group(external_id="dq", name="Local", now=NOW)
    set_group_members(group=local, users=[alice], now=NOW)
    sign_in(at=1)
    assert GroupMembership.objects.get(ends_at__isnull=True).group == local


def test_a_group_that_is_called_otherwise_keeps_its_members_and_its_authority() -> None:
    sign_in(GroupClaim("dq", "Quality"))
    before = Group.objects.get()
    sign_in(GroupClaim("dq", "Data quality"), subject="bob", at=1)
    sign_in("dq", at=2)
    after = Group.objects.get()
    assert (after.pk, after.name) == (before.pk, "Data quality")
    assert periods() == {("dq", 0, None), ("dq", 1, None)}
    assert Event.objects.get(verb="group renamed").subject_id == before.pk


def test_the_steps_after_a_first_sign_in_are_told_that_it_was_the_first() -> None:
    assert [sign_in().is_first, sign_in(at=1).is_first] == [True, False]
    # Somebody whom a directory had made known before has not been here either.
    make_user(subject="carol", issuer=ISSUER)
    assert sign_in(subject="carol").is_first


def handed_to(group: Group, *, grantor: User) -> Delegation:
    above = root(grantor, tree()["org"], Power.DECIDE_QUOTA)
    terms = Terms(above.unit, [Power.DECIDE_QUOTA], NOW, LATER, depth=0, group=group)
    return grant(parent=above, grantor=grantor, terms=terms, now=NOW)


def told() -> list[tuple[str, str]]:
    rows = Notice.objects.filter(kind=NoticeKind.JOINED).order_by("pk")
    return list(rows.values_list("person__subject", "event__verb"))


def test_who_handed_authority_to_a_group_hears_of_whoever_joins_it() -> None:
    sign_in("dq")
    held = handed_to(Group.objects.get(), grantor=person("dana"))
    bob = sign_in("dq", subject="bob", at=1).user
    assert told() == [("dana", "delegate joined")]
    event = Event.objects.get(verb="delegate joined")
    assert (event.subject_kind, event.subject_id, event.unit) == ("delegation", held.pk, held.unit)
    assert event.data == {"group": held.group_id, "joined": 1, "people": [bob.pk]}
    sign_in("dq", subject="bob", at=2)
    assert len(told()) == 1


def test_nobody_hears_of_groups_whose_authority_is_over() -> None:
    sign_in("dq")
    handed_to(Group.objects.get(), grantor=person("dana"))
    sign_in("dq", subject="bob", at=24)
    assert told() == []


def test_a_grantor_who_joins_is_not_told_of_it() -> None:
    dana = sign_in(subject="dana").user
    group = make_group(external_id="dq", issuer=ISSUER, name="Quality", now=NOW)
    handed_to(group, grantor=dana)
    sign_in("dq", subject="dana", at=1)
    assert told() == []


def test_a_group_that_is_filled_at_once_is_told_of_once() -> None:
    group = make_group(external_id="dq", name="Quality", now=NOW)
    handed_to(group, grantor=person("dana"))
    people = [person(f"member{number}") for number in range(30)]
    set_group_members(group=group, users=people, now=NOW)
    assert told() == [("dana", "delegate joined")]
    facts = Event.objects.get(verb="delegate joined").data
    assert (facts["joined"], len(facts["people"])) == (30, 20)


def costs(count: int, subject: str) -> list[int]:
    """Queries of signing in with so many groups, with the same, with others, with none."""
    some, others = ([f"{subject}-{kind}{x}" for x in range(count)] for kind in "ab")
    sign_in(subject=subject)
    found = []
    for hour, groups in enumerate((some, some, others, []), 1):
        with CaptureQueriesContext(connection) as queries:
            sign_in(*groups, subject=subject, at=hour)
        found.append(len(queries))
    return found


def test_any_number_of_groups_takes_the_same_number_of_queries() -> None:
    few = costs(3, "alice")
    assert costs(2_000, "bob") == few
    assert max(few) <= 20


def test_a_group_of_thousands_is_joined_as_one_of_three() -> None:
    sign_in("dq")
    group = Group.objects.get()
    handed_to(group, grantor=person("dana"))
    small = count_joining("bob")
    crowd = User.objects.bulk_create(
        User(subject=f"member{number}", issuer=ISSUER, password="!") for number in range(5_000)
    )
    GroupMembership.objects.bulk_create(
        GroupMembership(group=group, user=each, starts_at=NOW) for each in crowd
    )
    assert count_joining("carol") == small


def count_joining(subject: str) -> int:
    with CaptureQueriesContext(connection) as found:
        sign_in("dq", subject=subject, at=1)
    return len(found)
