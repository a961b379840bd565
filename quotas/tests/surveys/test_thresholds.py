"""Use that comes close to a limit is told once, to who can do something about it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from portal.lib.errors import Forbidden, Invalid, Stale
from projects.models import Event, Notice, Project
from projects.states import ProjectState
from quotas.actions.thresholds import set_thresholds, thresholds_of
from quotas.actions.usage_days import add_up
from quotas.delivery.readings import forget_old_usage
from quotas.delivery.thresholds import look
from quotas.models import Crossing, Endpoint, Limit, Reading, Target, UnitUsage, UsagePeak
from quotas.queries.crossings import open_crossings
from quotas.tests.api import caller
from quotas.tests.pages.acting import client_of
from quotas.tests.site import NOW, Site
from quotas.tests.threads import at_once


def read(site: Site, used: int, limit: int | None = 100, *, key: str = "cores") -> Target:
    """What was last read of a limit, and what it means."""
    target = Target.objects.get(project=site.project, endpoint__limits__key=key)
    Reading.objects.update_or_create(
        target=target,
        limit=Limit.objects.get(key=key),
        defaults={"used": used, "limit_seen": limit, "reserved": 0, "read_at": timezone.now()},
    )
    return target


def seen(site: Site, *figures: int, limit: int | None = 100) -> list[int]:
    """How many were told after each reading."""
    counts = []
    for used in figures:
        look([read(site, used, limit).pk], NOW)
        counts.append(Notice.objects.filter(kind="usage").count())
    return counts


def shares() -> list[int]:
    rows = Crossing.objects.filter(ended_at__isnull=True).order_by("percent")
    return [each.percent for each in rows]


def test_each_share_is_told_once_and_again_only_after_use_fell_well_below(site: Site) -> None:
    # Up and down around 80 is one notice; at 74 it is over, and told anew as it rises.
    assert seen(site, 79, 80, 79, 80, 76, 81, 74, 79, 80) == [0, 1, 1, 1, 1, 1, 1, 1, 2]
    assert shares() == [80]
    assert seen(site, 96, 94, 90) == [3, 3, 3]
    assert shares() == [80, 95]
    assert seen(site, 89) == [3]
    assert shares() == [80]


def test_a_limit_of_nothing_or_without_end_is_never_close(site: Site) -> None:
    assert seen(site, 5, limit=0) == [0]
    assert seen(site, 5, limit=-1) == [0]
    assert seen(site, 5, limit=None) == [0]
    assert seen(site, 5, limit=6) == [1]
    # More quota ends it.
    assert seen(site, 5, limit=60) == [1]
    assert shares() == []


def test_several_limits_of_a_look_are_one_notice_to_owners_and_managers(site: Site) -> None:
    target = read(site, 85)
    read(site, 97 * 2**30, 100 * 2**30, key="ram")
    look([target.pk], NOW)
    look([target.pk], NOW)
    event = Event.objects.get(verb="usage crossed")
    assert event.data["endpoint"] == "nova-geneva"
    assert {key: row["percent"] for key, row in event.data["limits"].items()} == {
        "cores": 80, "ram": 95,
    }  # fmt: skip
    # Bob is a member and Rita reads.
    assert [each.person for each in Notice.objects.filter(event=event)] == [site.alice]


def test_two_workers_who_find_the_same_tell_it_once(committed_site: Site) -> None:
    target = read(committed_site, 96)

    def find() -> None:
        look([target.pk], NOW)
        connection.close()

    at_once([find, find, find])
    assert Event.objects.filter(verb="usage crossed").count() == 1
    assert Notice.objects.filter(kind="usage").count() == 1
    assert shares() == [80, 95]


def test_what_cannot_be_seen_ends_no_crossing(site: Site) -> None:
    assert seen(site, 85) == [1]
    Endpoint.objects.filter(slug="nova-geneva").update(gaps=["a cell"], gaps_since=NOW)
    assert seen(site, 10, 85) == [1, 1]
    Endpoint.objects.filter(slug="nova-geneva").update(gaps=[], gaps_since=None)
    assert seen(site, 10, 85) == [1, 2]


def test_a_closing_project_is_told_of_no_more(site: Site) -> None:
    assert seen(site, 85) == [1]
    Project.objects.update(state=ProjectState.CLOSING)
    assert seen(site, 96) == [1]
    assert shares() == []


def test_a_project_has_shares_of_its_own_beside_those_of_the_site(
    site: Site, settings: Settings
) -> None:
    settings.USAGE_THRESHOLDS = [80]
    seen(site, 55)
    chosen = set_thresholds(
        project=site.project, percents=[90, 50, 80, 50], version=1, actor=site.alice, now=NOW
    )
    assert (chosen.percents, chosen.version) == ([50, 90], 2)
    assert seen(site, 55) == [1]
    assert [each.percent for each in open_crossings(site.project)] == [50]
    with pytest.raises(Stale):
        set_thresholds(project=site.project, percents=[], version=1, actor=site.alice, now=NOW)
    for wrong in ([0], [101], [1, 2, 3, 4]):
        with pytest.raises(Invalid):
            set_thresholds(
                project=site.project, percents=wrong, version=2, actor=site.alice, now=NOW
            )
    with pytest.raises(Forbidden):
        set_thresholds(project=site.project, percents=[], version=2, actor=site.bob, now=NOW)
    set_thresholds(project=site.project, percents=[], version=2, actor=site.alice, now=NOW)
    assert Event.objects.filter(verb="thresholds set").count() == 2
    assert seen(site, 55) == [1]
    assert shares() == [], "nobody chose that share any more"


@pytest.mark.parametrize("door", ["page", "api"])
def test_shares_are_set_through_both_doors(site_today: Site, door: str) -> None:
    site = site_today

    def send(name: str, percents: list[int], version: int) -> int:
        if door == "page":
            url = reverse("project_thresholds", args=["atlas-reco"])
            typed = {"percents": ", ".join(map(str, percents)), "version": str(version)}
            return client_of(site, name).post(url, typed).status_code
        by = caller(site, name)
        path = "projects/atlas-reco/thresholds/"
        tag = by.get(path).headers.get("ETag", '"1.0"')
        seen = f'"{version}.{tag.partition(".")[2]}' if version != 1 else tag
        body, headers = {"percents": percents}, {"If-Match": seen}
        return by.client.put(
            f"/api/v1/{path}", body, "application/json", headers=headers
        ).status_code

    done = 302 if door == "page" else 200
    assert send("mallory", [50], 1) == 404
    assert send("bob", [50], 1) == 403
    assert send("alice", [50], 1) == done
    assert (thresholds_of(site.project).percents, thresholds_of(site.project).version) == ([50], 2)
    assert send("alice", [60], 7) == 412
    assert send("alice", [60, 0], 2) == 422
    assert send("alice", [], 2) == done
    assert Event.objects.filter(verb="thresholds set").count() == 2


def test_what_is_too_old_is_forgotten(site: Site, settings: Settings) -> None:
    target = read(site, 10)
    limit = Limit.objects.get(key="cores")
    today = timezone.localdate(NOW)
    for days in (settings.PEAK_DAYS, settings.PEAK_DAYS + 1):
        day = today - timedelta(days=days)
        UsagePeak.objects.create(target=target, limit=limit, day=day, used=1)
        add_up(day)
    # And what was added up of the site and of three units.
    assert forget_old_usage(NOW) == 1 + 4
    assert forget_old_usage(NOW) == 0
    last = today - timedelta(days=settings.PEAK_DAYS)
    assert UsagePeak.objects.get().day == last
    assert UnitUsage.objects.get(unit=None).day == last


def test_the_page_says_what_is_close_and_takes_shares(site_today: Site) -> None:
    site = site_today
    look([read(site, 96).pk], timezone.now() - timedelta(minutes=1))
    alice, url = client_of(site, "alice"), reverse("project_thresholds", args=["atlas-reco"])
    page = alice.get(reverse("project_detail", args=["atlas-reco"])).content.decode()
    assert "95 % reached" in page
    home = alice.get(reverse("home")).content.decode()
    assert "atlas-reco comes close to limits of its quota (cores 95 %)" in home
    assert url in page
    answer = alice.post(url, {"percents": "50 %, 70", "version": "1"})
    assert answer.status_code == 302
    assert thresholds_of(site.project).percents == [50, 70]
    answer = alice.post(url, {"percents": "much", "version": "2"})
    assert answer.status_code == 422
    assert "Write whole per cents" in answer.content.decode()
