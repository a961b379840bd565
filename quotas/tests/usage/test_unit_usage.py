"""Use of units and zones over time: added up by the database as one would by hand, and honest."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from django.utils import timezone

from projects.models import Project, Unit
from projects.queries.viewers import Viewer
from quotas.actions.ledger import Cause, post
from quotas.actions.usage_days import CARRIED_DAYS, add_up, add_up_usage
from quotas.models import (
    Account,
    Capacity,
    Contribution,
    Endpoint,
    Limit,
    Offering,
    Transfer,
    TransferKind,
    UnitUsage,
    UsagePeak,
    Zone,
)
from quotas.queries.figures import figures_of
from quotas.queries.unit_usage import Drawing, drawables, drawables_of, drawing_of
from quotas.tests.api import caller
from quotas.tests.counting import assert_all_flat
from quotas.tests.pages.acting import client_of, text_of
from quotas.tests.site import NOW, Site, make_project
from quotas.tests.usage.charts import chart_of
from quotas.tests.using import read, use

DAY = timedelta(days=1)
TODAY = NOW.date()


@pytest.fixture
def busy(site: Site) -> Site:
    """Four projects in two units, with grants, returns and peaks at random, some days not seen."""
    dice = random.Random(7)
    for number, unit in enumerate(("atlas", "ep", "it")):
        make_project(site, f"p{number}", unit, NOW)
    for project in Project.objects.order_by("pk"):
        for offering in site.offerings.values():
            _move(offering, project, dice)
        for key in ("cores", "gigabytes"):
            days = [back for back in range(12) if dice.random() < 0.6]
            use(project, key, {TODAY - back * DAY: dice.randrange(50) for back in days})
    return site


def _move(offering: Offering, project: Project, dice: random.Random) -> None:
    """Grants on some days, and a part returned later."""
    pool = Account.objects.get(offering=offering, holder="pool")
    account = Account.objects.create(offering=offering, project=project, holder="project")
    step = offering.resource.step
    for back in sorted(dice.sample(range(14), 3), reverse=True):
        at = datetime.combine(TODAY - back * DAY, datetime.min.time(), UTC) + DAY / 2
        post(
            debit=pool, credit=account, amount=dice.randrange(1, 9) * step,
            kind=TransferKind.GRANT, cause=Cause(None, at),
        )  # fmt: skip
    post(debit=account, credit=pool, amount=step, kind=TransferKind.RETURN, cause=Cause(None, NOW))


def by_hand(unit: Unit | None, limit: Limit, day: date) -> Mapping[str, int]:
    """What a day's row should say, read in the slowest way."""
    found = dict.fromkeys(("used", "quota", "seen_count", "known_count", "project_count"), 0)
    projects = Project.objects.select_related("unit")
    for project in projects:
        if unit is not None and not project.unit.path.startswith(unit.path):
            continue
        quota = sum(
            _held(offering, project, day) * factor
            for offering, factor in Contribution.objects.filter(limit=limit).values_list(
                "offering", "factor"
            )
        )
        peaks = UsagePeak.objects.filter(target__project=project, limit=limit, day__lte=day)
        last = peaks.order_by("-day").first()
        is_known = last is not None and last.day >= day - CARRIED_DAYS * DAY
        used = last.used if last is not None and is_known else 0
        if not (quota or used):
            continue
        found["used"] += used
        found["quota"] += quota
        found["seen_count"] += bool(is_known and last is not None and last.day == day)
        found["known_count"] += is_known
        found["project_count"] += 1
    return found


def _held(offering: int, project: Project, day: date) -> int:
    account = Account.objects.get(offering=offering, project=project)
    total = 0
    for each in Transfer.objects.filter(offering=offering):
        if timezone.localdate(each.at) <= day:
            total += each.amount * ((each.credit_id == account.pk) - (each.debit_id == account.pk))
    return total


def test_each_day_is_what_one_would_add_up_by_hand(busy: Site) -> None:
    assert add_up_usage(NOW) is False
    rows = UnitUsage.objects.select_related("unit", "limit").order_by("pk")
    assert {row.day for row in rows} == {TODAY - back * DAY for back in range(12)}
    told = {
        (row.unit, row.limit, row.day): {
            name: getattr(row, name)
            for name in ("used", "quota", "seen_count", "known_count", "project_count")
        }
        for row in rows
    }
    units = [None, *Unit.objects.order_by("pk")]
    for limit in Limit.objects.filter(key__in=("cores", "gigabytes")).order_by("pk"):
        for unit in units:
            for day in {row.day for row in rows}:
                expected = by_hand(unit, limit, day)
                key = (unit, limit, day)
                assert told.get(key) == (expected if expected["project_count"] else None), key
    before = list(rows.values_list("unit", "limit", "day", "used", "quota"))
    add_up(TODAY)
    again = UnitUsage.objects.values_list("unit", "limit", "day", "used", "quota")
    assert sorted(again, key=str) == sorted(before, key=str)


def test_days_that_were_missed_are_made_up_for_in_slices(busy: Site) -> None:
    for count in (2, 3, 4):
        assert add_up_usage(NOW, 0.0) is True
        assert UnitUsage.objects.values("day").distinct().count() == count
    add_up_usage(NOW + 3 * DAY)
    days = set(UnitUsage.objects.values_list("day", flat=True))
    assert max(days) == TODAY + 3 * DAY
    # The last day that had begun is added up anew as it is over, then those that follow.
    use(busy.project, "ram", {TODAY + 3 * DAY: 7})
    add_up_usage(NOW + 4 * DAY)
    row = UnitUsage.objects.get(unit=None, limit__key="ram", day=TODAY + 3 * DAY)
    assert row.used == 7


def drawn(unit: Unit | None) -> Drawing:
    return drawing_of(unit, drawables(), limit="", day_count=30, today=TODAY)


def test_the_chart_of_a_unit_says_how_many_it_saw_and_where_nothing_is_known(site: Site) -> None:
    make_project(site, "second", "atlas", NOW)
    second = Project.objects.get(slug="second")
    use(site.project, "cores", {TODAY - 9 * DAY: 10, TODAY - 8 * DAY: 30, TODAY: 50})
    use(second, "cores", {TODAY - 8 * DAY: 5, TODAY: 7})
    vcpu = Account.objects.create(
        offering=site.vcpu, project=site.project, holder="project", balance=0
    )
    pool = Account.objects.get(offering=site.vcpu, holder="pool")
    post(
        debit=pool, credit=vcpu, amount=64, kind=TransferKind.GRANT,
        cause=Cause(None, NOW - 20 * DAY),
    )  # fmt: skip
    Capacity.objects.create(offering=site.vcpu, amount=100, overcommit=2, as_of=TODAY - 5 * DAY)
    for back in range(9, -1, -1):
        add_up(TODAY - back * DAY)
    chart = drawn(site.units["atlas"]).chart
    assert chart is not None
    told = [(each.used, each.quota, each.seen, each.projects) for each in chart.days]
    assert told == [
        (10, 64, 1, 1), (35, 64, 2, 2), (35, 64, 0, 2), (35, 64, 0, 2), (35, 64, 0, 2),
        # Three days after the last look nobody knows.
        *[(None, 64, 0, 1)] * 4, (57, 64, 2, 2),
    ]  # fmt: skip
    assert chart.used_path.count("M") == 2
    assert (chart.least_seen.seen, chart.peak.used) == (0, 57)
    assert drawn(site.units["it"]).chart is None
    whole = drawn(None).chart
    assert whole is not None
    assert [each.capacity for each in whole.days] == [None] * 4 + [200] * 6
    assert [replace(each, capacity=None) for each in whole.days] == list(chart.days)


def test_what_was_seen_on_one_day_alone_hides_no_other_chart(site: Site) -> None:
    use(site.project, "cores", {TODAY: 10})
    use(site.project, "ram", {TODAY - DAY: 20, TODAY: 30})
    for key, used in (("cores", 10), ("ram", 30)):
        read(site.project, key, used, NOW)
    for day in (TODAY - DAY, TODAY):
        add_up(day)
    figures = figures_of(site.project)
    charts = [
        drawn(site.units["atlas"]).chart,
        chart_of(site.project, figures, limit="", day_count=30, today=TODAY),
    ]
    assert [each and each.limit.key for each in charts] == ["ram", "ram"]


def test_use_is_of_the_sites_day_wherever_its_reader_is(site: Site) -> None:
    with timezone.override("Pacific/Kiritimati"):
        assert Viewer.of(site.dana, NOW).site_day == TODAY != timezone.localdate(NOW)


def test_a_zone_draws_what_is_its_own_else_what_it_shares(site: Site) -> None:
    region = site.vcpu.zone.region
    other = Zone.objects.create(region=region, slug="compute-b", name="compute-b", kind="compute")
    second = Offering.objects.create(
        slug="geneva.compute-b.vcpu", zone=other, resource=site.vcpu.resource
    )
    Contribution.objects.create(offering=second, limit=Limit.objects.get(key="cores"))
    assert [
        (each.limit.key, [zone.slug for zone in each.zones]) for each in drawables_of(other)
    ] == [("cores", ["compute-a", "compute-b"])]
    disks = Zone.objects.create(region=region, slug="storage-b", name="storage-b", kind="storage")
    third = Offering.objects.create(
        slug="geneva.storage-b.space", zone=disks, resource=site.space.resource
    )
    Contribution.objects.create(offering=third, limit=Limit.objects.get(key="gigabytes"))
    assert [each.limit.key for each in drawables_of(site.space.zone)] == ["gigabytes_storage-a"]
    assert [each.limit.key for each in drawables_of(disks)] == ["gigabytes"]


def test_pages_and_rest_tell_who_may_read_figures_what_was_used(site_today: Site) -> None:
    today = timezone.localdate()
    use(site_today.project, "cores", {today - DAY: 30, today: 50})
    add_up_usage(timezone.now())
    unit, zone = "/units/atlas/usage/", "/catalogue/geneva.compute-a/"
    assert "50 at the most" in text_of(client_of(site_today, "dana").get(unit))
    assert client_of(site_today, "alice").get(unit).status_code == 403
    assert "50 at the most" in text_of(client_of(site_today, "dana").get(zone))
    page = text_of(client_of(site_today, "alice").get(zone))
    assert "vCPU" in page
    assert "at the most" not in page
    assert client_of(site_today, "alice").get("/catalogue/geneva.nowhere/").status_code == 404
    for path in ("units/atlas/usage/", "zones/geneva.compute-a/usage/"):
        rows = caller(site_today, "dana").get(path, key="cores").json()["results"]
        assert [(row["day"], row["used"], row["seen_count"]) for row in rows] == [
            (str(today), 50, 1), (str(today - DAY), 30, 1),
        ]  # fmt: skip
        assert caller(site_today, "alice").get(path).status_code == 403
    rows = caller(site_today, "alice").get("projects/atlas-reco/usage/days/", since=str(today))
    assert [(row["key"], row["used"]) for row in rows.json()["results"]] == [("cores", 50)]
    # What a service told that could not look into all of itself was not seen whole.
    Endpoint.objects.filter(driver="nova").update(gaps_since=timezone.now())
    add_up(today)
    rows = caller(site_today, "dana").get("units/atlas/usage/", since=str(today), key="cores")
    assert [(row["used"], row["seen_count"]) for row in rows.json()["results"]] == [(50, 0)]
    assert "use is incomplete" in text_of(client_of(site_today, "dana").get(unit))


def test_charts_cost_as_much_of_a_thousand_days_and_projects(site_today: Site) -> None:
    today = timezone.localdate()
    use(site_today.project, "cores", {today - back * DAY: 30 for back in range(3)})
    add_up_usage(timezone.now())

    def grow() -> None:
        for number in range(20):
            project = make_project(site_today, f"p{number}", "atlas", timezone.now())
            use(project, "cores", {today - back * DAY: 30 for back in range(50)})
        UnitUsage.objects.all().delete()
        add_up_usage(timezone.now())

    dana = client_of(site_today, "dana")
    loads = {
        "page unit_usage": partial(dana.get, "/units/atlas/usage/?days=365"),
        "page zone_detail": partial(dana.get, "/catalogue/geneva.compute-a/"),
    }
    assert_all_flat(loads, grow)
