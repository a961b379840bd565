"""People and groups of a real OpenLDAP server: who is here, who left, and half an answer."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from portal.testing.waiting import wait_until
from projects.actions.arrivals import set_groups_of
from projects.directory.base import DirectoryFailed, PersonEntry
from projects.models import DirectoryRun, Event, Group, GroupMembership, Membership, User
from projects.states import Role
from quotas.actions.directory import sync_directory
from quotas.actions.leaving import leave_site
from quotas.actions.orphans import offer_orphans
from quotas.queries.orphans import ownerless
from quotas.tasks import read_directory

from .site import NOW, Site, make_site

pytestmark = [pytest.mark.django_db, pytest.mark.needs("slapd")]
DAY = timedelta(days=1)
ISSUER = "https://sso.site.example"
MANY = 5_000


@pytest.fixture
def slapd(tmp_path: Path) -> Iterator[Any]:
    """Twelve people who report to p0; of them six in a group."""
    from contrib.testing import slapd as server  # its library may be missing

    entries = {
        server.person_dn(f"p{n}"): server.person(
            f"p{n}", manager="p0" if n else "", groups=["chiefs"] if n < 6 else []
        )
        for n in range(12)
    }
    entries[server.group_dn("chiefs")] = server.group("chiefs", [f"p{n}" for n in range(6)], "g1")
    with server.Slapd(tmp_path / "slapd", entries) as running:
        wait_until(running.is_up, 10, "slapd answers")
        running.names = server  # type: ignore[attr-defined]  # tests build names by it
        yield running


@pytest.fixture(autouse=True)
def directory(slapd: Any, settings: Any) -> None:
    names = slapd.names
    settings.DIRECTORY = {
        "url": slapd.url, "people_base": names.PEOPLE, "groups_base": names.GROUPS,
        "bind_dn": names.ROOT, "password": names.PASSWORD, "page_size": 5, "timeout": 5,
        "group_id": "ou",
    }  # fmt: skip
    settings.DIRECTORY_HAS_GROUPS = True
    settings.DIRECTORY_ISSUER = ISSUER


def read(day: int = 0, **options: Any) -> DirectoryRun:
    from projects.directory.opening import open_directory

    with open_directory() as opened:
        return sync_directory(opened, now=NOW + day * DAY, **options)


def known(subject: str) -> User:
    return User.objects.get(issuer=ISSUER, subject=subject)


def members(number: str = "g1") -> set[str]:
    rows = GroupMembership.objects.filter(group__external_id=number, ends_at__isnull=True)
    return set(rows.values_list("user__subject", flat=True))


def test_people_supervisors_and_groups_are_those_of_the_directory() -> None:
    run = read()
    assert (run.error, run.refused, run.has_all_people, run.has_all_groups) == ("", [], True, True)
    assert run.counts["people"] == 12
    assert known("p3").supervisor == known("p0")
    assert known("p3").mail == "p3@site.example"
    assert known("p0").supervisor is None
    assert members() == {f"p{n}" for n in range(6)}
    assert Group.objects.get(external_id="g1").listed_at == NOW


def test_who_signed_in_before_is_the_same_person_and_group() -> None:
    user = User.objects.create(issuer=ISSUER, subject="p1", name="One")
    group = Group.objects.create(issuer=ISSUER, external_id="g1", name="x")
    set_groups_of(user=user, issuer=ISSUER, groups=[], now=NOW)
    read()
    assert known("p1").pk == user.pk
    assert known("p1").name == "P1"
    assert Group.objects.get(external_id="g1").pk == group.pk


def test_renamed_people_and_groups_stay_who_they_are(slapd: Any) -> None:
    read()
    before = known("p1").pk, Group.objects.get(external_id="g1").pk
    slapd.change(slapd.names.person_dn("p1"), "cn", ["Petra One"])
    slapd.rename(slapd.names.group_dn("chiefs"), "cn=heads")
    read(1)
    group = Group.objects.get(external_id="g1")
    assert (known("p1").pk, group.pk) == before
    assert (known("p1").name, group.name) == ("Petra One", "heads")
    assert members() == {f"p{n}" for n in range(6)}
    assert Event.objects.filter(verb="group renamed").count() == 1


def test_who_is_missing_leaves_after_several_whole_readings(slapd: Any) -> None:
    read()
    slapd.remove(slapd.names.person_dn("p11"))
    slapd.change(slapd.names.group_dn("chiefs"), "member", [slapd.names.person_dn("p0")])
    read(1)
    assert members() == {"p0"}
    read(2)
    assert known("p11").is_active
    assert read(3).counts["left"] == 1
    assert (known("p11").is_active, known("p11").left_at) == (False, NOW + 3 * DAY)
    slapd.add(slapd.names.person_dn("p11"), slapd.names.person("p11", manager="p0"))
    assert read(4).counts["returned"] == 1
    assert known("p11").is_active


def test_whose_account_an_operator_closed_stays_away_though_they_are_listed() -> None:
    read()
    otto = User.objects.create(subject="otto", is_operator=True)
    leave_site(user=known("p1"), reason="Asked to.", actor=otto, now=NOW + DAY)
    assert "returned" not in read(2).counts
    assert not known("p1").is_active


def test_who_is_missing_for_the_first_time_stays_in_their_groups(slapd: Any) -> None:
    read()
    slapd.remove(slapd.names.person_dn("p5"))
    read(1)
    assert "p5" in members()
    read(2)
    read(3)
    read(4)
    assert "p5" not in members()


def test_a_server_that_dies_in_the_middle_takes_nothing_from_anybody(
    slapd: Any, settings: Any
) -> None:
    read()
    before = members()
    from projects.directory.ldap_directory import LdapConfig, LdapDirectory

    class Dying(LdapDirectory):
        """Its server is killed after the first page."""

        def people(self) -> Iterator[Sequence[PersonEntry]]:
            for page in super().people():
                yield page
                slapd.kill()

    with Dying(LdapConfig(**settings.DIRECTORY)) as opened:
        run = sync_directory(opened, now=NOW + DAY)
    assert not run.has_all_people
    assert run.error
    for day in (2, 3, 4):
        with pytest.raises(DirectoryFailed):
            read(day)
    assert members() == before
    assert not User.objects.filter(left_at__isnull=False).exists()
    assert known("p1").listed_at == NOW


def test_an_answer_without_people_is_refused_until_somebody_confirms(slapd: Any) -> None:
    otto = User.objects.create(subject="otto", is_operator=True)
    read()
    for n in range(2, 12):
        slapd.remove(slapd.names.person_dn(f"p{n}"))
    for day in (1, 2, 3, 4):
        run = read(day)
    assert run.refused[0] == {"part": "people", "id": None, "gone": 10, "known": 12}
    assert [each.kind for each in otto.notices.all()] == ["directory"]
    assert not User.objects.filter(left_at__isnull=False).exists()
    assert read(5, confirm=True).counts["left"] == 10


def test_a_group_that_shrinks_too_much_is_left_alone_until_confirmed(
    slapd: Any, settings: Any
) -> None:
    settings.DIRECTORY_SHRINK_LEAST = 2
    read()
    slapd.change(slapd.names.group_dn("chiefs"), "member", [slapd.names.person_dn("p9")])
    run = read(1)
    group = Group.objects.get(external_id="g1")
    assert run.refused == [{"part": "group", "id": group.pk, "gone": 6, "known": 6}]
    assert members() == {*(f"p{n}" for n in range(6)), "p9"}
    read(2, confirm=True)
    assert members() == {"p9"}


def test_a_group_that_vanished_keeps_its_members_for_some_readings(slapd: Any) -> None:
    read()
    slapd.remove(slapd.names.group_dn("chiefs"))
    read(1)
    read(2)
    assert len(members()) == 6
    read(3)
    assert members() == set()
    assert Group.objects.get(external_id="g1").gone_at == NOW + 3 * DAY


def test_members_are_read_from_groups_too(settings: Any) -> None:
    settings.DIRECTORY = {**settings.DIRECTORY, "members_by": "member"}
    read()
    assert members() == {f"p{n}" for n in range(6)}


def test_a_rehearsal_stores_nothing() -> None:
    out = StringIO()
    call_command("sync_directory", "--dry-run", stdout=out)
    assert "people: 12" in out.getvalue()
    assert not User.objects.exists()
    assert not DirectoryRun.objects.exists()


def test_its_age_and_what_was_refused_stand_in_the_metrics(slapd: Any, client: Any) -> None:
    read()
    for n in range(2, 12):
        slapd.remove(slapd.names.person_dn(f"p{n}"))
    read(1)
    said = client.get("/metrics").content.decode()
    assert 'remit_directory_age_seconds{part="people"}' in said
    assert "remit_directory_up 1.0" in said
    assert "remit_directory_refused 1.0" in said


def test_operators_see_what_was_not_believed_and_why_it_failed(slapd: Any, client: Any) -> None:
    otto = User.objects.create(subject="otto", name="Otto", is_operator=True, password="!")
    client.force_login(otto, backend="projects.auth.ProviderBackend")
    page = reverse("endpoint_list")
    assert "was not read yet" in client.get(page).content.decode()
    read()
    assert "directory" not in client.get(page).content.decode().lower()
    for n in range(2, 12):
        slapd.remove(slapd.names.person_dn(f"p{n}"))
    read(1)
    said = client.get(page).content.decode()
    assert "10 of 12" in said
    slapd.kill()
    read_directory()
    assert "contact LDAP server" in client.get(page).content.decode()


def test_a_worker_reads_it_and_writes_down_that_it_could_not(slapd: Any) -> None:
    read_directory()
    assert DirectoryRun.objects.get().counts["people"] == 12
    slapd.kill()
    read_directory()
    assert "contact" in DirectoryRun.objects.latest("pk").error


def test_a_wrong_password_is_told_and_written_down(settings: Any) -> None:
    settings.DIRECTORY = {**settings.DIRECTORY, "password": "wrong"}
    with pytest.raises(CommandError, match="Invalid credentials"):
        call_command("sync_directory")
    assert "Invalid credentials" in DirectoryRun.objects.get().error


def test_projects_of_whom_the_directory_lists_no_more_are_offered_to_their_supervisor(
    slapd: Any,
) -> None:
    site: Site = make_site()
    read()
    Membership.objects.filter(user=site.alice).update(user=known("p4"))
    slapd.remove(slapd.names.person_dn("p4"))
    for day in (1, 2, 3):
        read(day)
    offer_orphans(NOW + 3 * DAY)
    asked = site.project.changes.get()
    assert asked.to_user == known("p0")
    assert list(ownerless(NOW + 3 * DAY)) == [site.project]
    assert not Membership.objects.live(NOW + 4 * DAY).filter(role=Role.OWNER).exists()


def test_a_group_of_thousands_costs_few_queries(
    slapd: Any, settings: Any, django_assert_max_num_queries: Any
) -> None:
    names = slapd.names
    settings.DIRECTORY = {**settings.DIRECTORY, "page_size": 1000}
    slapd.kill()
    _load(slapd, names)
    read()
    with django_assert_max_num_queries(90):
        run = read(1)
    assert run.counts["people"] == MANY + 12
    assert len(members("all")) == MANY


def _load(slapd: Any, names: Any) -> None:
    """Five thousand more people in one group, before the server starts again."""
    import subprocess

    people = [f"m{n}" for n in range(MANY)]
    entries = {names.person_dn(x): names.person(x, groups=["all"]) for x in people}
    entries[names.group_dn("all")] = names.group("all", people)
    ldif = slapd.folder / "more.ldif"
    ldif.write_text(names.ldif_of(entries))
    tool = ["/usr/sbin/slapadd", "-q", "-f", str(slapd.folder / "slapd.conf"), "-l", str(ldif)]
    subprocess.run(tool, check=True, capture_output=True)
    slapd.start()
    wait_until(slapd.is_up, 10, "slapd answers again")
