"""Limits of a project: shared ones once with their zones, totals with their types, and ages."""

from datetime import timedelta

import pytest

from quotas.actions import decide, requests
from quotas.actions.ledger import issue, open_quota, open_site_and_pool
from quotas.actions.posting import Journal
from quotas.actions.wishes import Wish
from quotas.models import (
    Account,
    Contribution,
    Limit,
    Offering,
    Reading,
    Resource,
    Target,
    UsagePeak,
    Zone,
)
from quotas.queries.figures import Figures, LimitRow, RegionFigures, figures_of, open_loans
from quotas.queries.shapes import contributions, shapes_of
from quotas.queries.usage import Chart
from quotas.states import EndpointState, TargetState
from quotas.tests import using
from quotas.tests.site import GIB, NOW, Site
from quotas.tests.usage.charts import chart_of


@pytest.fixture
def wide(site: Site) -> Site:
    """The site with a second compute zone that shares Nova's limits, and a second volume type."""
    region = Zone.objects.get(slug="compute-a").region
    compute = Zone.objects.create(
        region=region, slug="compute-b", name="compute-b", kind="compute", order=1
    )
    storage = Zone.objects.create(
        region=region, slug="storage-b", name="storage-b", kind="storage", order=1
    )
    for zone, slug, keys in (
        (compute, "vcpu", ["cores"]), (storage, "space", ["gigabytes", "gigabytes_storage-b"]),
    ):  # fmt: skip
        resource = Resource.objects.get(slug=slug)
        offering = Offering.objects.create(
            slug=f"geneva.{zone.slug}.{slug}", zone=zone, resource=resource
        )
        site.offerings[offering.slug] = offering
        issue(offering=offering, amount=10_000 * resource.step, actor=None, now=NOW)
        for key in keys:
            limit, __ = Limit.objects.get_or_create(
                key=key,
                endpoint=site.endpoints["cinder-geneva" if slug == "space" else "nova-geneva"],
                defaults={"name": key, "unit": resource.unit, "step": resource.step},
            )
            Contribution.objects.create(offering=offering, limit=limit)
    return site


def give(site: Site, slug: str, amount: int, days: int | None = None) -> None:
    """Book quota for the project; with `days` as a loan."""
    offering = site.offerings[slug]
    open_quota(site.project, [offering.pk])
    __, pool = open_site_and_pool(offering)
    journal = Journal(actor=None, now=NOW)
    journal.increase(
        line=None,
        account=Account.objects.get(project=site.project, offering=offering),
        source=pool,
        amount=amount,
        ends_at=NOW + timedelta(days=days) if days else None,
    )
    journal.write()


def read(site: Site, key: str, used: int, limit: int | None, reserved: int = 0) -> None:
    row = Limit.objects.get(key=key)
    Reading.objects.create(
        target=Target.objects.get(project=site.project, endpoint=row.endpoint), limit=row,
        used=used, reserved=reserved, limit_seen=limit, read_at=NOW,
    )  # fmt: skip


def geneva(site: Site) -> RegionFigures:
    return figures_of(site.project)[0]


def row_of(site: Site, key: str) -> LimitRow:
    return next(row for row in geneva(site).rows if row.limit.key == key)


def test_a_shared_limit_is_one_row_with_its_zones(wide: Site) -> None:
    shape = next(each for each in shapes_of(contributions()) if each.limit.key == "cores")
    assert [part.offering.zone.slug for part in shape.parts] == ["compute-a", "compute-b"]
    assert [part.own_limit for part in shape.parts] == [None, None]


def test_a_total_takes_its_types_as_parts_and_each_limit_is_drawn_once(wide: Site) -> None:
    shapes = shapes_of(contributions())
    assert [each.limit.key for each in shapes] == ["cores", "ram", "gigabytes"]
    own = [part.own_limit.key for part in shapes[2].parts if part.own_limit]
    assert own == ["gigabytes_storage-a", "gigabytes_storage-b"]


def test_a_shared_limit_adds_its_zones_up_and_tells_no_use_apart(wide: Site) -> None:
    give(wide, "geneva.compute-a.vcpu", 128)
    give(wide, "geneva.compute-b.vcpu", 64)
    read(wide, "cores", used=150, reserved=8, limit=192)
    row = row_of(wide, "cores")
    assert (row.quota, row.used, row.reserved, row.free) == (192, 150, 8, 34)
    assert row.strip == [("compute-a", 128), ("compute-b", 64)]
    assert [part.seen for part in row.shown_parts] == [None, None]
    assert row.in_force is None
    assert geneva(wide).shared_names == ["vCPU"]


def test_a_total_shows_the_use_of_each_type(wide: Site) -> None:
    give(wide, "geneva.storage-a.space", 40 * GIB)
    give(wide, "geneva.storage-b.space", 20 * GIB)
    read(wide, "gigabytes", used=30 * GIB, limit=60 * GIB)
    read(wide, "gigabytes_storage-a", used=25 * GIB, limit=40 * GIB)
    read(wide, "gigabytes_storage-b", used=5 * GIB, limit=20 * GIB)
    row = row_of(wide, "gigabytes")
    assert (row.quota, row.used) == (60 * GIB, 30 * GIB)
    assert [part.free for part in row.shown_parts] == [15 * GIB, 15 * GIB]
    assert geneva(wide).total_names == ["Volume space"]
    assert geneva(wide).shared_names == []


def test_one_zone_alone_is_a_plain_row_and_the_others_are_named_once(wide: Site) -> None:
    give(wide, "geneva.compute-a.vcpu", 128)
    row = row_of(wide, "cores")
    assert row.shown_parts == []
    assert row.only_part is not None
    assert row.only_part.name == "compute-a"
    unused = [zone.slug for zone in geneva(wide).unused_zones]
    assert unused == ["compute-b", "storage-a", "storage-b"]


def test_what_is_asked_for_is_the_difference_to_the_quota_now(wide: Site) -> None:
    give(wide, "geneva.compute-a.vcpu", 128)
    wish = Wish({"geneva.compute-a.vcpu": 100, "geneva.compute-b.vcpu": 64}, "fewer here")
    requests.submit(project=wide.project, wish=wish, actor=wide.alice, now=NOW)
    row = row_of(wide, "cores")
    assert row.asked == -28 + 64
    assert [part.asked for part in row.shown_parts] == [-28, 64]
    assert row.scale == 128 + 36


def test_a_limit_in_force_that_is_not_the_quota_is_said(wide: Site) -> None:
    give(wide, "geneva.compute-a.vcpu", 128)
    read(wide, "cores", used=10, limit=64)
    assert row_of(wide, "cores").in_force == 64
    Reading.objects.update(limit_seen=Reading.UNLIMITED)
    assert row_of(wide, "cores").is_unlimited
    Reading.objects.update(limit_seen=None)
    assert row_of(wide, "cores").in_force is None


def test_a_limit_that_was_never_read_has_no_use(wide: Site) -> None:
    give(wide, "geneva.compute-a.vcpu", 128)
    assert row_of(wide, "cores").seen is None
    Reading.objects.all().delete()
    read(wide, "cores", used=0, limit=128)
    seen = row_of(wide, "cores").seen
    assert seen is not None
    assert seen.used == 0


def test_a_loan_shows_its_last_day(wide: Site) -> None:
    give(wide, "geneva.compute-a.vcpu", 128, days=10)
    part = row_of(wide, "cores").only_part
    assert part is not None
    assert part.loan_until == (NOW + timedelta(days=9)).date()
    assert [loan.outstanding for loan in open_loans([wide.project])] == [128]


def test_a_service_in_trouble_is_told(wide: Site) -> None:
    services = {each.endpoint.slug: each for each in geneva(wide).services}
    assert not any(each.has_notice for each in services.values())
    wide.endpoints["nova-geneva"].state = EndpointState.UNREACHABLE
    wide.endpoints["nova-geneva"].save(update_fields=["state"])
    Target.objects.filter(endpoint__slug="cinder-geneva").update(state=TargetState.REFUSED)
    services = {each.endpoint.slug: each for each in geneva(wide).services}
    assert services["nova-geneva"].is_silent
    assert services["cinder-geneva"].is_troubled


def test_the_fullest_limits_come_first(wide: Site) -> None:
    give(wide, "geneva.compute-a.vcpu", 100)
    give(wide, "geneva.compute-a.ram", 100 * GIB)
    read(wide, "cores", used=50, limit=100)
    read(wide, "ram", used=90 * GIB, limit=100 * GIB)
    found = Figures([wide.project]).fullest(wide.project, 1)
    assert [(region.slug, row.limit.key) for region, row in found] == [("geneva", "ram")]


def test_what_is_granted_is_no_longer_asked_for(wide: Site) -> None:
    asked = requests.submit(
        project=wide.project, wish=Wish({wide.vcpu.slug: 100}, "why"), actor=wide.alice, now=NOW
    )
    decide.approve(
        quota_request=asked, granted={asked.lines.get().pk: 100}, seen={asked.lines.get().pk: 0},
        version=1, actor=wide.dana, now=NOW,
    )  # fmt: skip
    row = row_of(wide, "cores")
    assert (row.quota, row.asked) == (100, 0)


def peak(site: Site, days_ago: int, used: int, limit: int | None) -> None:
    row = Limit.objects.get(key="cores")
    UsagePeak.objects.create(
        target=Target.objects.get(project=site.project, endpoint=row.endpoint), limit=row,
        day=NOW.date() - timedelta(days=days_ago), used=used, limit_seen=limit,
    )  # fmt: skip
    using.read(site.project, "cores", used, NOW)


def chart(site: Site, limit: str = "") -> Chart | None:
    regions = figures_of(site.project)
    return chart_of(site.project, regions, limit=limit, day_count=30, today=NOW.date())


def test_one_day_draws_no_curve(site: Site) -> None:
    assert chart(site) is None
    peak(site, 1, 10, 100)
    assert chart(site) is None


def test_the_curve_goes_from_the_first_day_to_the_last_under_the_highest_limit(
    site: Site,
) -> None:
    for days_ago, used, limit in ((6, 0, 50), (3, 40, None), (0, 100, 100), (40, 999, 999)):
        peak(site, days_ago, used, limit)
    found = chart(site, limit="nonsense")
    assert found is not None
    assert (found.plot.top, found.peak.used, found.last.used) == (100, 100, 100)
    assert found.used_path == "M0 448L500 294L1000 63"
    assert found.area_path == "M0 448L500 294L1000 63V448H0Z"
    assert found.quota_path == "M0 255M1000 63"
    assert found.plot.ticks[0][2] == NOW.date() - timedelta(days=6)


def test_the_curve_is_broken_where_nothing_is_known_for_days(site: Site) -> None:
    for days_ago, used in ((10, 0), (9, 50), (4, 50), (0, 100)):
        peak(site, days_ago, used, -1)
    found = chart(site)
    assert found is not None
    assert found.used_path == "M0 448L100 255M600 255h0M1000 63h0"
    assert found.quota_path == ""


def test_the_table_behind_the_curve_goes_by_weeks(site: Site) -> None:
    for days_ago, used in ((9, 10), (8, 30), (1, 50), (0, 70)):
        peak(site, days_ago, used, 100)
    found = chart(site)
    assert found is not None
    assert [(week.mean, week.peak, week.quota) for week in found.weeks] == [
        (60, 70, 100), (20, 30, 100),
    ]  # fmt: skip
