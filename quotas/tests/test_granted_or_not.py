"""An access: a private flavor that a project has or has not, in words and in the cloud."""

import pytest
from django.test import Client

from contrib.sandbox.control import RunningSandbox
from contrib.testing.plain import PlainClient
from portal.lib.errors import Invalid
from quotas.actions.envelopes import fund
from quotas.actions.ledger import issue
from quotas.actions.targets import ensure_targets
from quotas.delivery.converge import converge
from quotas.models import (
    Account,
    Contribution,
    Delivery,
    Endpoint,
    Limit,
    Offering,
    Reading,
    Resource,
    Target,
)
from quotas.queries.leftovers import leftovers_of
from quotas.states import TargetState
from quotas.tests.api import caller, submit
from quotas.tests.site import NOW, Site
from quotas.tests.test_converge import standing, work  # noqa: F401 - a fixture
from quotas.tests.test_decide import ask, grant

FLAVORS = "flavors-geneva"


@pytest.fixture
def gpus(site: Site) -> Site:
    """The site with two private flavors in its compute zone; ATLAS may have three of each."""
    add_flavors(site, "gpu.large", "gpu.small")
    return site


def add_flavors(site: Site, *names: str) -> None:
    zone, keystone = site.vcpu.zone, site.endpoints["keystone"]
    endpoint = Endpoint.objects.create(
        slug=FLAVORS, name="Flavors geneva", region=zone.region, driver="flavor_access",
        cloud="sandbox", region_name="geneva", identity=keystone,
    )  # fmt: skip
    for order, name in enumerate(names, start=10):
        slug = name.replace(".", "-")
        resource = Resource.objects.create(slug=slug, name=slug, is_access=True, order=order)
        offering = Offering.objects.create(
            slug=f"geneva.compute-a.{slug}", zone=zone, resource=resource
        )
        limit = Limit.objects.create(endpoint=endpoint, key=name, name=slug, maximum=1)
        Contribution.objects.create(offering=offering, limit=limit)
        site.offerings[offering.slug] = offering
        issue(offering=offering, amount=5, actor=None, now=NOW)
        fund(offering=offering, unit=site.units["atlas"], amount=3, actor=None, now=NOW)
    ensure_targets([site.project])


def gpu(site: Site) -> Offering:
    return site.offerings["geneva.compute-a.gpu-large"]


def words(site: Site, path: str, name: str = "alice") -> str:
    client = Client()
    client.force_login(site.people[name])
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_it_is_asked_for_once_and_no_more(gpus: Site) -> None:
    with pytest.raises(Invalid) as refused:
        ask(gpus, {gpu(gpus).slug: 2})
    assert refused.value.errors == {
        f"lines.{gpu(gpus).slug}": [
            "gpu-large in compute-a is granted or not: ask for 1 or 0."
        ]
    }  # fmt: skip

    # Dana's bounds are about what there was; Erin's are about anything.
    grant(gpus, ask(gpus, {gpu(gpus).slug: 1}), actor="erin")

    assert (gpus.quota(gpu(gpus)), gpus.envelope(gpu(gpus))) == (1, 2)
    with pytest.raises(Invalid) as refused:
        ask(gpus, {gpu(gpus).slug: 1})
    assert refused.value.errors == {
        f"lines.{gpu(gpus).slug}": ["gpu-large in compute-a is granted already."]
    }


def test_pages_say_it_in_words_and_rest_in_numbers(site_today: Site) -> None:
    add_flavors(site_today, "gpu.large")
    slug = "geneva.compute-a.gpu-large"
    form = words(site_today, "/requests/new/?project=atlas-reco&region=geneva")
    assert f'<select id="amount-{slug.replace(".", "_")}" name="amount-{slug}"' in form
    assert '<option value="1">granted</option>' in form

    asked = submit(site_today, {slug: 1})
    page = words(site_today, f"/decide/{asked.pk}/", "erin")
    assert ">not granted</data>" in page
    assert f'<input type="hidden" name="grant-{asked.lines.get().pk}" value="1">' in page
    body = caller(site_today, "alice").get(f"requests/{asked.pk}/").json()
    assert (body["lines"][0]["wanted"], body["lines"][0]["balance"]) == (1, 0)
    assert caller(site_today, "alice").get(f"offerings/{slug}/").json()["is_access"] is True


@pytest.fixture
def in_cloud(
    gpus: Site,
    standing: Site,  # noqa: F811 - the fixture
    cloud: RunningSandbox,
    plain: PlainClient,
) -> Site:
    """One of the two flavors is private there, and one is public."""
    for name, is_public in (("gpu.large", False), ("gpu.small", True)):
        known = plain.done("GET", "compute", "/flavors/detail?is_public=None", region="geneva")
        if name not in {row["name"] for row in known["flavors"]}:
            flavor = {
                "name": name, "ram": 512, "vcpus": 1, "disk": 1,
                "os-flavor-access:is_public": is_public,
            }  # fmt: skip
            plain.done("POST", "compute", "/flavors", {"flavor": flavor}, region="geneva")
    return standing


def test_what_is_public_is_refused_and_holds_up_nothing_else(in_cloud: Site) -> None:
    both = {f"geneva.compute-a.{slug}": 1 for slug in ("gpu-large", "gpu-small")}
    grant(in_cloud, ask(in_cloud, both), actor="erin")

    assert work(in_cloud, FLAVORS) == [TargetState.REFUSED]

    target = Target.objects.get(endpoint__slug=FLAVORS)
    assert (target.error_code, target.error_words) == (
        "not_private", "Everybody may use this, as it is public: gpu.small.",
    )  # fmt: skip
    applied = Delivery.objects.filter(applied_at__isnull=False)
    assert [row.decision_line.line.offering for row in applied] == [gpu(in_cloud)]
    seen = Reading.objects.filter(target=target).order_by("limit__key")
    assert list(seen.values_list("limit_seen", "used")) == [(1, None), (Reading.UNLIMITED, None)]


def test_a_closed_project_gives_it_back_though_nobody_tells_its_use(in_cloud: Site) -> None:
    grant(in_cloud, ask(in_cloud, {gpu(in_cloud).slug: 1}), actor="erin")
    account = Account.objects.get(project=in_cloud.project, offering=gpu(in_cloud))
    # Granted, and not read since: nobody knows.
    Reading.objects.all().delete()
    target = Target.objects.get(endpoint__slug=FLAVORS)
    Target.objects.filter(pk=target.pk).update(applied_generation=1, state=TargetState.DUE)
    assert leftovers_of(in_cloud.project.pk, [account]).take(account, 1) == 0

    converge(target.pk)

    assert leftovers_of(in_cloud.project.pk, [account]).take(account, 1) == 1
