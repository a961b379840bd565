"""The pages of a unit's envelopes: the form, its preview, where the rest is, and what was done."""

import re
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Unit
from quotas.actions.envelopes import declare, fund
from quotas.actions.ledger import issue
from quotas.models import Account, EnvelopeAct, Offering, Region, Zone
from quotas.tests.site import Site

VCPU = "geneva.compute-a.vcpu"
SPACE = "geneva.storage-a.space"


def client_of(site: Site, name: str) -> Client:
    client = Client()
    client.force_login(site.people[name])
    return client


def trigger(site: Site) -> Unit:
    atlas = site.units["atlas"]
    site.units["trigger"] = Unit.objects.create(
        slug="trigger", name="Trigger", parent=atlas, path=f"{atlas.path}trigger/"
    )
    return site.units["trigger"]


def post(client: Client, unit: str, **fields: str) -> Any:
    return client.post(reverse("unit_fund", args=[unit]), {"region": "geneva", **fields})


def test_a_size_and_a_change_are_booked_together(site_today: Site) -> None:
    erin = client_of(site_today, "erin")

    answer = post(
        erin, "atlas", do="book", reason="Run 4",
        **{
            f"amount-{VCPU}": "1100", f"seen-{VCPU}": "1000:0:ep:1000",
            f"amount-{SPACE}": "-16G", f"seen-{SPACE}": f"{1000 * 2**30}:0:ep:{1000 * 2**30}",
        },
    )  # fmt: skip

    assert answer.status_code == 302, answer.content
    assert site_today.envelope(site_today.vcpu) == 1100
    assert site_today.envelope(site_today.space) == 984 * 2**30
    page = erin.get(reverse("unit_detail", args=["atlas"])).content.decode()
    assert "“Run 4”" in page
    assert "Change envelopes" in page


def test_the_preview_says_what_would_happen_and_books_nothing(site_today: Site) -> None:
    below = trigger(site_today)
    dana = client_of(site_today, "dana")
    fields = {
        "region": "geneva", f"amount-{VCPU}": "64", f"seen-{VCPU}": "-:0:atlas:1000",
        f"amount-{SPACE}": "0", f"seen-{SPACE}": f"-:0:atlas:{1000 * 2**30}",
    }  # fmt: skip

    part = dana.post(
        reverse("unit_fund_preview", args=["trigger"]), fields, headers={"HX-Request": "true"}
    ).content.decode()
    page = dana.post(reverse("unit_fund_preview", args=["trigger"]), fields).content.decode()

    for said in (part, page):
        assert "is declared" in said
        assert "It has nothing to give" in said
    assert "<html" not in part
    assert not Account.objects.filter(unit=below).exists()


def test_what_cannot_be_taken_back_is_shown_where_it_is(site_today: Site) -> None:
    trigger(site_today)
    dana = client_of(site_today, "dana")
    post(dana, "trigger", do="book", **{f"amount-{VCPU}": "64", f"seen-{VCPU}": "-:0:atlas:1000"})

    answer = post(
        client_of(site_today, "erin"), "atlas", do="book",
        **{f"amount-{VCPU}": "-950", f"seen-{VCPU}": "936:64:ep:1000"},
    )  # fmt: skip

    assert answer.status_code == 409
    page = answer.content.decode()
    assert "ORG/EP/ATLAS has 936 left" in page
    assert reverse("unit_detail", args=["trigger"]) in page
    assert 'value="-950"' in page


def test_stale_figures_come_back_with_those_of_now(site_today: Site) -> None:
    erin = client_of(site_today, "erin")
    sent = {f"amount-{VCPU}": "+5", f"seen-{VCPU}": "999:0:ep:1000"}

    answer = post(erin, "atlas", do="book", **sent)

    assert answer.status_code == 412
    page = answer.content.decode()
    assert 'value="1000:0:ep:1000"' in page
    assert 'value="+5"' in page
    assert EnvelopeAct.objects.filter(actor=site_today.erin).count() == 0


def test_an_amount_that_is_none_is_named_beside_its_row(site_today: Site) -> None:
    answer = post(client_of(site_today, "erin"), "atlas", do="book", **{f"amount-{VCPU}": "many"})

    assert answer.status_code == 422
    assert "“many” is not a number" in answer.content.decode()


def test_who_may_not_see_figures_reads_words(site_today: Site) -> None:
    page = client_of(site_today, "mallory").get(reverse("unit_detail", args=["atlas"]))

    text = page.content.decode()
    assert "ample" in text
    assert "1000" not in text
    assert "What was done" not in text


def test_the_first_region_is_open_and_those_with_little_left(site_today: Site) -> None:
    now, atlas = timezone.now(), site_today.units["atlas"]
    for order, (slug, amount) in enumerate((("meyrin", 100), ("prevessin", 0)), start=1):
        region = Region.objects.create(slug=slug, name=slug, order=order)
        zone = Zone.objects.create(region=region, slug="a", name="a", kind="compute")
        offering = Offering.objects.create(
            slug=f"{slug}.a.vcpu", zone=zone, resource=site_today.vcpu.resource
        )
        issue(offering=offering, amount=1000, actor=None, now=now)
        declare(unit=atlas, offering=offering, actor=None, now=now)
        if amount:
            fund(offering=offering, unit=atlas, amount=amount, actor=None, now=now)
    answer = client_of(site_today, "dana").get(reverse("unit_detail", args=["atlas"]))
    html = answer.content.decode()
    assert re.findall(r'<details class="more part"( open)?>', html) == [" open", "", " open"]
    assert html.count("1 with nothing left") == 1


def test_the_page_of_an_envelope_says_who_has_what(site_today: Site) -> None:
    trigger(site_today)
    dana = client_of(site_today, "dana")
    post(dana, "trigger", do="book", **{f"amount-{VCPU}": "64", f"seen-{VCPU}": "-:0:atlas:1000"})

    page = dana.get(reverse("unit_envelope", args=["atlas", VCPU])).content.decode()

    assert "936" in page
    assert "unit, with all below" in page
    acts = dana.get(reverse("unit_acts", args=["atlas"])).content.decode()
    assert "gave" in acts


def test_a_move_is_shown_before_it_is_done(site_today: Site) -> None:
    otto = client_of(site_today, "otto")
    address = reverse("unit_move", args=["atlas"])
    assert "ORG/IT" in otto.get(address).content.decode()

    page = otto.get(address, {"parent": "it"})
    assert "Dana" in page.content.decode()
    stale = otto.post(address, {"parent": "it", "seen": "old"})
    assert stale.status_code == 412
    seen = page.context["move"].seen
    assert otto.post(address, {"parent": "it", "seen": seen}).status_code == 302

    assert Unit.objects.get(slug="atlas").path == "org/it/atlas/"


def test_a_retirement_is_shown_before_it_is_done(site_today: Site) -> None:
    erin = client_of(site_today, "erin")
    address = reverse("unit_retire", args=["atlas"])

    page = erin.get(address)
    assert "End the authority over it" in page.content.decode()
    assert "atlas-reco" in page.content.decode()
    assert erin.post(address, {"seen": "old"}).status_code == 412
    assert erin.post(address, {"seen": page.context["retirement"].seen}).status_code == 302

    assert Unit.objects.get(slug="atlas").retired_at is not None
    assert site_today.project.unit.slug == "ep"
    assert "retired" in erin.get(reverse("unit_detail", args=["atlas"])).content.decode()
