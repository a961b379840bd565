"""What is shown before somebody leaves is what happens then; pages and lists about it."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from projects.actions import tokens
from projects.models import (
    ApiToken,
    Delegation,
    DirectoryRun,
    Event,
    Group,
    Membership,
    Notice,
    Project,
    ProjectChange,
    ProjectKind,
    Unit,
    User,
)
from projects.queries.viewers import Viewer
from projects.states import ChangeState, NoticeKind, Power, ProjectState, Role
from quotas.actions.delegations import name_deputy
from quotas.actions.leaving import leave_site, return_to_site
from quotas.actions.orphans import offer_orphans
from quotas.queries.leaving import leaving_of, open_absence, roles_given_back
from quotas.queries.left_authority import left_as_links
from quotas.queries.notice_words import sentence_of, url_of
from quotas.queries.notices import notice_rows, notices_of
from quotas.tests.api import caller
from quotas.tests.counting import assert_all_flat
from quotas.tests.pages.acting import client_of, text_of
from quotas.tests.site import Site, join, make_project

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def house(site_today: Site) -> Site:
    """ATLAS names Mallory, who would be next is Audrey; Alice owns one project of each sort."""
    site, now = site_today, timezone.now() - timedelta(hours=1)
    for name in ("otto", "erin"):
        held = site.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    Unit.objects.filter(slug="atlas").update(steward=site.mallory)
    User.objects.filter(subject="alice").update(supervisor=site.audrey)
    for name, more in (
        ("alice-own", {"kind": ProjectKind.PERSONAL}),
        ("alice-new", {"state": ProjectState.PROPOSED}),
        ("shared", {}),
    ):
        made = make_project(site, name, "atlas", now)
        Project.objects.filter(pk=made.pk).update(**more)
        join(made, site.alice, Role.OWNER, now)
    join(Project.objects.get(name="shared"), site.bob, Role.OWNER, now)
    tokens.make(name="ci", scopes=["read"], actor=site.alice, now=now)
    site.alice.refresh_from_db()
    return site


def fates(site: Site) -> dict[str, tuple[str, str | None]]:
    return {
        each.project.name: (each.fate, str(each.candidate.user) if each.candidate else None)
        for each in leaving_of(site.alice, timezone.now()).alone
    }


def test_what_is_shown_of_projects_is_what_happens(house: Site) -> None:
    plan = leaving_of(house.alice, timezone.now())
    assert fates(house) == {
        "atlas-reco": ("offered", "Mallory"), "alice-new": ("dropped", None),
        "alice-own": ("closes", None),
    }  # fmt: skip
    assert (len(plan.roles), plan.token_count) == (4, 1)
    leave_site(user=house.alice, actor=None, now=timezone.now())
    offer_orphans(timezone.now())
    assert [str(each.to_user) for each in ProjectChange.objects.all()] == ["Mallory"]
    assert dict(Project.objects.values_list("name", "state")) == {
        "atlas-reco": "active", "alice-new": "dropped", "alice-own": "closing", "shared": "active",
    }  # fmt: skip
    assert not ApiToken.objects.filter(revoked_at__isnull=True).exists()


def test_a_steward_who_leaves_is_offered_nothing(house: Site) -> None:
    Unit.objects.filter(slug="atlas").update(steward=house.alice)
    Unit.objects.filter(slug="ep").update(steward=house.rita)
    assert fates(house)["atlas-reco"] == ("offered", "Rita")
    Unit.objects.update(steward=None)
    assert fates(house)["atlas-reco"] == ("offered", "Audrey")
    User.objects.filter(subject="alice").update(supervisor=None)
    assert fates(house)["atlas-reco"] == ("unplaced", None)


@pytest.mark.parametrize("name", ["otto", "erin", "dana"])
def test_what_is_shown_of_authority_is_what_happens(house: Site, name: str) -> None:
    now = timezone.now()
    name_deputy(
        holder=house.people[name], user=house.rita, starts_at=now, ends_at=now + 9 * DAY, now=now
    )
    plan = leaving_of(house.people[name], now)
    leave_site(user=house.people[name], actor=None, now=now)
    revoked = set(Delegation.objects.filter(revoked_at__isnull=False).values_list("pk", flat=True))
    assert {each.pk for each in [*plan.ending, *plan.deputies]} == revoked
    assert {each.pk for each in plan.links} == {each.pk for each in left_as_links(now)}
    assert len(plan.deputies) == 1


def test_what_is_shown_of_a_return_is_what_happens(house: Site) -> None:
    now = timezone.now()
    leave_site(user=house.alice, reason="Gone.", actor=house.otto, now=now)
    back = roles_given_back(open_absence(house.alice), now + DAY)
    assert roles_given_back(open_absence(house.alice), now + 90 * DAY) == []
    return_to_site(user=house.alice, actor=house.otto, now=now + DAY)
    held = Membership.objects.live(now + 2 * DAY).filter(user=house.alice)
    assert {(each.project_id, each.role) for each in back} == set(
        held.values_list("project", "role")
    )


def test_an_operator_finds_somebody_sees_what_leaving_means_and_says_so(house: Site) -> None:
    otto = client_of(house, "otto")
    place = reverse("person_detail", args=[house.alice.public_id])
    assert place in otto.get("/find/?q=alice").content.decode()
    assert place in otto.get("/people/?q=ali").content.decode()
    assert place not in client_of(house, "dana").get("/find/?q=alice").content.decode()
    text = text_of(otto.get(f"{place}leave/"))
    for each in (
        "Offer atlas-reco, which they own alone, to Mallory (named by the unit)",
        "Begin to close alice-own", "Withdraw what is asked for alice-new", "End 4 roles",
        "End 1 token",
    ):  # fmt: skip
        assert each in text
    refused = otto.post(f"{place}leave/", {"reason": ""})
    assert refused.status_code == 422
    assert otto.post(f"{place}leave/", {"reason": "Retired."}).status_code == 302
    assert "Retired." in text_of(otto.get(place))
    assert "Give them back the roles" in text_of(otto.get(f"{place}return/"))
    assert otto.post(f"{place}return/").status_code == 302
    house.alice.refresh_from_db()
    assert house.alice.is_active


def test_an_orphan_stands_on_the_page_of_who_decides_projects_there(house: Site) -> None:
    leave_site(user=house.alice, actor=None, now=timezone.now())
    for name, sees in (("otto", True), ("erin", True), ("audrey", True)):
        assert ("atlas-reco" in text_of(client_of(house, name).get("/orphans/"))) is sees
    assert client_of(house, "dana").get("/orphans/").status_code == 403
    erin = client_of(house, "erin")
    assert "soon to Mallory" in text_of(erin.get("/orphans/?offered=no"))
    offer_orphans(timezone.now())
    assert "atlas-reco" not in text_of(erin.get("/orphans/?offered=no"))
    page = text_of(erin.get("/orphans/atlas-reco/offer/"))
    assert "It is offered to Mallory now" in page
    assert "the last owner’s supervisor" in page
    (row,) = caller(house, "erin").get("orphans/", offered="true").json()["results"]
    assert row["last_owner"]["name"] == "Alice"
    assert row["offer"]["to_person"]["name"] == "Mallory"
    assert [each["person"]["name"] for each in row["candidates"]] == ["Audrey"]


def test_what_who_left_holds_as_a_link_stands_on_the_page_of_coverage(house: Site) -> None:
    leave_site(user=house.erin, actor=None, now=timezone.now())
    assert "Held by people who have left" in text_of(
        client_of(house, "otto").get("/remit/coverage/")
    )
    (row,) = caller(house, "otto").get("coverage/").json()["left"]
    assert (row["holder"]["name"], row["grantor"]["name"], row["below_count"]) == (
        "Erin", "Otto", 1,
    )  # fmt: skip


def a_reading(**more: Any) -> DirectoryRun:
    now = timezone.now()
    return DirectoryRun.objects.create(started_at=now, ended_at=now, **more)


def test_readings_of_the_directory_are_read_at_both_doors(house: Site, settings: Any) -> None:
    settings.DIRECTORY = {"url": "ldap://directory.site.example"}
    group = Group.objects.create(external_id="g1", name="chiefs")
    refused = [{"part": "group", "id": group.pk, "gone": 6, "known": 7}]
    a_reading(has_all_people=True, counts={"people": 12, "left": 2}, refused=refused)
    a_reading(error="no answer")
    text = text_of(client_of(house, "audrey").get("/directory/"))
    for each in ("people who left: 2", "Members of chiefs", "6 of 7", "no answer"):
        assert each in text
    api = caller(house, "audrey")
    last, first = api.get("directory/runs/").json()["results"]
    assert last["error"] == "no answer"
    assert first["refused"] == [
        {"part": "group", "group": str(group.public_id), "gone": 6, "known": 7}
    ]
    assert api.get("directory/").json()["people_read_at"] == first["started_at"]
    assert "Directory read" in text_of(
        client_of(house, "alice").get("/projects/atlas-reco/people/")
    )
    assert caller(house, "erin").get("directory/runs/").status_code == 403


def test_a_notice_of_a_refused_part_says_so_to_operators_alone(house: Site) -> None:
    run = a_reading(refused=[{"part": "people", "id": None, "gone": 10, "known": 12}])
    event = Event.objects.create(
        verb="directory refused", at=timezone.now(), subject_kind="directory", subject_id=run.pk
    )
    for person in (house.otto, house.alice):
        Notice.objects.create(
            event=event, person=person, kind=NoticeKind.DIRECTORY, at=timezone.now()
        )
    (row,), (hidden,) = (
        notice_rows(list(notices_of(viewer)[:1]), viewer)
        for viewer in (Viewer.of(each, timezone.now()) for each in (house.otto, house.alice))
    )
    assert sentence_of(row).startswith("Too many would have gone at once: the directory")
    assert url_of(row) == "/directory/"
    assert (hidden.subject, url_of(hidden)) == (None, "")
    (told,) = caller(house, "otto").get("notices/", page_size="1").json()["results"]
    assert told["subject"] == {"kind": "directory", "id": str(run.pk)}


def grow(site: Site) -> None:
    """Many more projects that Alice owned, of which half are offered, and readings."""
    now = timezone.now()
    for number in range(20):
        made = make_project(site, f"more-{number}", "atlas", now)
        owner = User.objects.create(
            subject=f"owner-{number}", supervisor=site.rita, left_at=now, is_active=False
        )
        Membership.objects.create(
            project=made, user=owner, role=Role.OWNER, starts_at=now - DAY, ends_at=now
        )
        if number % 2:
            ProjectChange.objects.create(
                project=made, kind="hand over", to_user=site.bob, state=ChangeState.OPEN,
                created_at=now,
            )  # fmt: skip
        join(made, site.bob, Role.MEMBER, now)
        group = Group.objects.create(external_id=f"g{number}", name=f"g{number}")
        refused = {"part": "group", "id": group.pk, "gone": 6, "known": 7}
        a_reading(refused=[refused])


def test_pages_and_lists_cost_the_same_for_few_and_for_many(house: Site) -> None:
    leave_site(user=house.alice, actor=None, now=timezone.now())
    offer_orphans(timezone.now())
    lost = make_project(house, "lost", "atlas", timezone.now())
    join(lost, house.bob, Role.MEMBER, timezone.now())
    group = Group.objects.create(external_id="g", name="g")
    a_reading(refused=[{"part": "group", "id": group.pk, "gone": 6, "known": 7}])
    bob = house.bob.public_id
    otto, api = client_of(house, "otto"), caller(house, "otto")

    def page(path: str) -> None:
        assert otto.get(f"/{path}").status_code == 200

    def call(path: str) -> None:
        assert api.get(path).status_code == 200

    pages = (
        "people/?q=o", f"people/{bob}/", f"people/{bob}/leave/", "orphans/", "directory/",
    )  # fmt: skip
    calls = (
        "people/", f"people/{bob}/", f"people/{bob}/leaving/", "orphans/", "directory/runs/",
    )  # fmt: skip
    loads = {f"page {each}".replace(str(bob), "bob"): partial(page, each) for each in pages}
    loads |= {f"api {each}".replace(str(bob), "bob"): partial(call, each) for each in calls}
    assert_all_flat(loads, lambda: grow(house))
