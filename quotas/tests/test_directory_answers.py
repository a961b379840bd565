"""What is made of a directory's answers, whatever they hold: here of one that says what we like."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from portal.lib.openid.claims import GroupClaim
from projects.actions.arrivals import set_groups_of
from projects.directory.base import DirectoryFailed, GroupEntry, PersonEntry
from projects.models import DirectoryRun, Group, GroupMembership, User
from quotas.actions.directory import sync_directory

from .site import NOW

pytestmark = pytest.mark.django_db
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
ISSUER = "https://sso.site.example"


@pytest.fixture(autouse=True)
def directory(settings: Settings) -> None:
    settings.DIRECTORY_HAS_GROUPS = True
    settings.DIRECTORY_ISSUER = ISSUER


class Said:
    """A directory of these people, {subject: name}, and groups, {id: subjects}."""

    def __init__(
        self, people: Mapping[str, str], groups: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._people, self._groups = people, groups or {}
        # How deep in transactions we were asked.
        self.depths: set[int] = set()

    def __enter__(self) -> "Said":
        return self

    def __exit__(self, *args: object) -> None:
        """Nothing is open."""

    def people(self) -> Iterator[Sequence[PersonEntry]]:
        self.depths.add(len(connection.savepoint_ids))
        yield [PersonEntry(key=each, subject=each, name=x) for each, x in self._people.items()]

    def groups(self) -> Iterator[Sequence[GroupEntry]]:
        self.depths.add(len(connection.savepoint_ids))
        yield [GroupEntry(key=each, external_id=each, name=each) for each in self._groups]

    def members(self, group: GroupEntry) -> Iterator[Sequence[str]]:
        self.depths.add(len(connection.savepoint_ids))
        yield self._groups[group.external_id]


def live() -> int:
    return GroupMembership.objects.filter(ends_at__isnull=True).count()


def test_what_people_write_of_themselves_stops_no_reading() -> None:
    names = {"a": "x" * 300, "b": "B\x00ob\n", "c" * 201: "C", "d\x00": "D"}
    run = sync_directory(Said(names), now=NOW)
    assert (run.error, run.counts["people"], run.counts["unreadable"]) == ("", 2, 2)
    known = dict(User.objects.values_list("subject", "name"))
    assert known == {"a": "x" * 199 + "…", "b": "Bob"}


@pytest.mark.parametrize("dry_run", [False, True])
def test_the_directory_is_asked_in_no_transaction(dry_run: bool) -> None:
    said = Said({"a": "A"}, {"g": ["a"]})
    before = len(connection.savepoint_ids)
    sync_directory(said, now=NOW, dry_run=dry_run)
    assert said.depths == {before}


def test_an_answer_without_any_members_empties_no_group_however_small() -> None:
    people = {f"p{n}": f"P{n}" for n in range(40)}
    groups = {f"g{n}": [f"p{n}", f"p{n + 1}"] for n in range(30)}
    sync_directory(Said(people, groups), now=NOW)
    run = sync_directory(Said(people, dict.fromkeys(groups, ())), now=NOW + DAY)
    assert run.refused == [{"part": "members", "id": None, "gone": 60, "known": 60}]
    assert live() == 60
    one_less = groups | {"g0": [], "g1": ["p0"]}
    run = sync_directory(Said(people, one_less), now=NOW + 2 * DAY)
    assert (run.refused, run.counts["group_left"], run.counts["group_joined"]) == ([], 4, 1)
    sync_directory(Said(people, dict.fromkeys(groups, ())), now=NOW + 3 * DAY, confirm=True)
    assert live() == 0


def test_who_is_in_which_group_is_believed_once_it_is_known_of_all() -> None:
    people, groups = {"a": "A", "b": "B"}, {"g": ["a"], "h": ["b"]}
    sync_directory(Said(people, groups), now=NOW)

    class Cut(Said):
        """It ends before the members of the second group."""

        def members(self, group: GroupEntry) -> Iterator[Sequence[str]]:
            if group.external_id == "h":
                raise DirectoryFailed("cut off")
            yield from super().members(group)

    run = sync_directory(Cut(people, {"g": [], "h": []}), now=NOW + DAY)
    assert (run.error, run.has_all_people, run.has_all_groups) == ("cut off", True, False)
    assert live() == 2


def test_who_joined_as_it_was_read_is_left_to_the_next_reading() -> None:
    sync_directory(Said({"a": "A"}, {"g": []}), now=NOW)
    alice = User.objects.get()
    joined = NOW + DAY + MINUTE
    set_groups_of(user=alice, issuer=ISSUER, groups=[GroupClaim("g")], now=joined)
    sync_directory(Said({"a": "A"}, {"g": []}), now=NOW + DAY)
    assert live() == 1
    sync_directory(Said({"a": "A"}, {"g": []}), now=NOW + 2 * DAY)
    held = GroupMembership.objects.get()
    assert (held.starts_at, held.ends_at) == (joined, NOW + 2 * DAY)


def test_of_a_reading_that_was_lost_in_the_middle_nobody_is_missing(settings: Settings) -> None:
    """Its people were read; not all of them were written down."""
    settings.DIRECTORY_READS = 2
    everybody = {"a": "A", "b": "B"}
    sync_directory(Said(everybody), now=NOW)

    class Lost(Exception):
        """The worker's end."""

    def lose(execute: Any, sql: str, *rest: object) -> Any:
        if "listed_at" in sql and sql.startswith("UPDATE"):
            raise Lost
        return execute(sql, *rest)

    with connection.execute_wrapper(lose), pytest.raises(Lost):
        sync_directory(Said(everybody), now=NOW + DAY)
    assert not DirectoryRun.objects.get(started_at=NOW + DAY).has_all_people
    sync_directory(Said({"a": "A"}), now=NOW + 2 * DAY)
    assert User.objects.get(subject="b").is_active
    sync_directory(Said({"a": "A"}), now=NOW + 3 * DAY)
    assert not User.objects.get(subject="b").is_active
    assert not Group.objects.exists()


def test_the_database_lets_nobody_who_left_sign_in() -> None:
    alice = User.objects.create(subject="alice", left_at=NOW, is_active=False)
    with pytest.raises(IntegrityError, match="user_left_is_closed"), transaction.atomic():
        User.objects.filter(pk=alice.pk).update(is_active=True)
