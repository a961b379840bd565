"""One domain, two doors, for announcements: what is written, changed, scheduled and withdrawn."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Event
from quotas.models import Announcement, Job
from quotas.tests.announcements.writing import body, draft_of, send
from quotas.tests.site import Site

DONE = 200


@dataclass(frozen=True)
class Act:
    """A verb of a person; sent: what changes of the words, or the moment; state: before it.

    Moments are told in hours from now.
    """

    verb: str
    person: str = "otto"
    sent: dict[str, Any] = field(default_factory=dict)
    state: str = "draft"
    version: int = 1

    def __str__(self) -> str:
        return f"{self.person} {self.verb} {self.state} {self.version} {self.sent}"


def at_moments(act: Act) -> Act:
    """The act with its moments as both doors read them: of the minute, in the site's zone."""
    now = timezone.now()
    moments = {
        name: (now + timedelta(hours=each)).strftime("%Y-%m-%dT%H:%M")
        for name, each in act.sent.items()
        if isinstance(each, int)
    }
    return replace(act, sent=act.sent | moments)


def through_page(act: Act, made: Announcement) -> tuple[str, str, dict[str, Any]]:
    form = {"version": str(act.version)}
    if act.verb in ("make", "change"):
        said = {**body(), **act.sent, "do": "save"}
        form |= {name: each for name, each in said.items() if each is not None}
        name = "announcement_new" if act.verb == "make" else "announcement_edit"
        return "post", reverse(name, args=[] if act.verb == "make" else [made.pk]), form
    if act.verb == "schedule":
        form |= {"do": "at" if act.sent else "now", **act.sent}
    return "post", reverse(f"announcement_{act.verb}", args=[made.pk]), form


def through_api(act: Act, made: Announcement) -> tuple[str, str, dict[str, Any]]:
    moments = {
        name: f"{each}Z" if each and name in ("starts_at", "banner_until") else each
        for name, each in act.sent.items()
    }
    if act.verb == "make":
        return "post", reverse("api_announcements"), body() | moments
    if act.verb == "change":
        sent = body() | moments | {"version": act.version}
        return "put", reverse("api_announcement", args=[made.pk]), sent
    sent = moments | {"version": act.version}
    return "post", reverse(f"api_announcement_{act.verb}", args=[made.pk]), sent


def rows() -> list[Any]:
    """What both doors must leave, but for ids and the moments of the calls."""
    found: list[Any] = [
        (
            each.subject, each.text, each.who, each.roles, each.state, each.version,
            each.banner_until, each.starts_at is not None, each.people_count,
            sorted(each.zones.values_list("slug", flat=True)),
        )
        for each in Announcement.objects.order_by("pk")
    ]  # fmt: skip
    found += Event.objects.order_by("pk").values_list("verb", "actor__subject", "subject_kind")
    found += Job.objects.values_list("kind", "actor__subject")
    return found


def before(site: Site, act: Act) -> Announcement:
    made = draft_of(site)
    if act.state == "sending":
        made = send(made, site.otto, timezone.now())
    return made


Sent = Callable[[Act, Announcement], tuple[str, str, dict[str, Any]]]
DOORS: dict[str, Sent] = {"page": through_page, "api": through_api}


def at(site: Site, door: str, act: Act) -> tuple[int, list[Any]]:
    with transaction.atomic():
        made = before(site, act)
        client = Client()
        client.force_login(site.people[act.person])
        method, path, sent = DOORS[door](act, made)
        kind = () if door == "page" else ("application/json",)
        status = getattr(client, method)(path, sent, *kind).status_code
        after = rows()
        transaction.set_rollback(True)
    return DONE if status < 400 else status, after


DONE_ACTS = [
    Act("make"),
    Act("make", sent={"who": "usage", "roles": ["reader", "owner"], "subject": "<b>x</b>"}),
    Act("make", sent={"banner_until": 48}),
    Act("change", sent={"text": "Else"}),
    Act("schedule"),
    Act("schedule", sent={"starts_at": 24}),
    Act("withdraw"),
    Act("withdraw", state="sending", version=2),
]
REFUSED_ACTS = [
    (403, Act("make", "alice")),
    (403, Act("make", "audrey", {"subject": ""})),
    (403, Act("change", "dana")),
    (403, Act("schedule", "mallory")),
    (403, Act("withdraw", "alice")),
    (422, Act("make", sent={"subject": ""})),
    (422, Act("make", sent={"zones": ["geneva.nowhere"]})),
    (422, Act("make", sent={"zones": []})),
    (422, Act("make", sent={"roles": ["king"]})),
    (422, Act("make", sent={"banner_until": -48})),
    (422, Act("make", sent={"text": "x" * 2001})),
    (422, Act("schedule", sent={"starts_at": -48})),
    (412, Act("change", version=7)),
    (412, Act("schedule", version=7)),
    (412, Act("withdraw", version=7)),
    (409, Act("change", state="sending", version=2)),
    (409, Act("schedule", state="sending", version=2)),
]


@pytest.mark.parametrize("act", DONE_ACTS, ids=str)
def test_both_doors_leave_the_same(site_today: Site, act: Act) -> None:
    meant = at_moments(act)
    page, api = (at(site_today, door, meant) for door in DOORS)
    assert page == api
    assert page[0] == DONE


@pytest.mark.parametrize(("status", "act"), REFUSED_ACTS, ids=str)
def test_both_doors_refuse_alike_and_leave_nothing(site_today: Site, status: int, act: Act) -> None:
    with transaction.atomic():
        before(site_today, act)
        nothing = rows()
        transaction.set_rollback(True)
    for door in DOORS:
        assert at(site_today, door, at_moments(act)) == (status, nothing), door


def test_a_preview_says_the_same_at_both_doors(site_today: Site) -> None:
    draft_of(site_today)
    client = Client()
    client.force_login(site_today.otto)
    whom = {name: body()[name] for name in ("zones", "who", "roles")}
    told = client.post(reverse("api_announcement_preview"), whom, "application/json").json()
    assert told == {
        "count": 2,
        "by_role": [{"name": "owner", "count": 1}, {"name": "member", "count": 1}],
        "by_zone": [{"name": "geneva.compute-a", "count": 2}],
        "names": ["Alice", "Bob"],
    }
    part = client.post(reverse("announcement_preview"), whom).content.decode()
    assert "<b>2</b> people would be told now." in part
