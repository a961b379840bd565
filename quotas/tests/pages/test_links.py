"""Links that open the filled form of a new request, as tickets and launch dialogs have them."""

import re
from urllib.parse import quote

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.utils import timezone

from projects.models import User
from projects.states import Role
from quotas.models import Contribution, Limit, Offering, QuotaRequest, Region, Resource, Zone
from quotas.tests.pages.acting import ask, text_of
from quotas.tests.site import GIB, Site, join, make_project

NEW = "/requests/new/?project=atlas-reco&"


@pytest.fixture(autouse=True)
def second_zone(site: Site) -> Zone:
    """vCPU is there in two zones, so that its name alone says too little."""
    region = Region.objects.get(slug="geneva")
    zone = Zone.objects.create(region=region, slug="compute-b", name="compute-b", kind="compute")
    offering = Offering.objects.create(
        slug="geneva.compute-b.vcpu", zone=zone, resource=Resource.objects.get(slug="vcpu")
    )
    limit = Limit.objects.get(key="cores")
    Contribution.objects.create(offering=offering, limit=limit)
    return zone


def filled(page: str) -> dict[str, str]:
    """{offering: text} of the rows that hold one."""
    inputs = re.findall(r"<input[^>]*name=\"amount-[^>]*>", page)
    rows = {
        re.search(r'name="amount-([^"]*)"', each)[1]: re.search(r'value="([^"]*)"', each)  # type: ignore[index]
        for each in inputs
    }
    return {name: found[1] for name, found in rows.items() if found and found[1]}


A, B, SPACE = "geneva.compute-a.vcpu", "geneva.compute-b.vcpu", "geneva.storage-a.space"


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("zone=geneva.compute-a&cores=+64", {A: "+64"}),
        ("zone=geneva.compute-a&cores=%2B64", {A: "+64"}),
        ("zone=geneva.compute-b&vcpu=128", {B: "128"}),
        ("zone=geneva.compute-b&vCPU=-0", {B: "-0"}),
        ("region=geneva&zone=compute-a&Cores=16", {A: "16"}),
        ("zone=compute-a&vcpu=16", {A: "16"}),
        ("zone=geneva.compute-a&ram=64GiB&vcpu=8", {A: "8", "geneva.compute-a.ram": "64GiB"}),
        ("ram=64GiB", {"geneva.compute-a.ram": "64GiB"}),
        ("geneva.compute-a.vcpu=+64&geneva.compute-b.cores=+32", {A: "+64", B: "+32"}),
        ("gigabytes=+100", {SPACE: "+100G"}),
        ("gigabytes=2T", {SPACE: "2T"}),
        ("gigabytes_storage-a=2048", {SPACE: "2T"}),
        (f"amount-{A}=7&zone=geneva.storage-a&space=1T", {A: "7", SPACE: "1T"}),
        ("zone=geneva.compute-a&cores=", {}),
    ],
)
def test_a_link_fills_the_form(site: Site, alice: Client, query: str, rows: dict[str, str]) -> None:
    answer = alice.get(NEW + query)
    page = answer.content.decode()
    assert (answer.status_code, filled(page)) == (200, rows)
    assert "errors-head" not in page
    assert not QuotaRequest.objects.exists()


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("vcpu=64", "“vcpu” is there in several zones"),
        ("zone=geneva.compute-a&vcpus=64", "in compute-a is called “vcpus”"),
        ("zone=geneva.compute-a&gigabytes=64", "in compute-a is called “gigabytes”"),
        ("utm_source=mail", "Nothing that can be asked for is called “utm_source”"),
        ("geneva.compute-z.vcpu=1", "is called “geneva.compute-z.vcpu”"),
        ("zone=bern.compute-a&vcpu=64", "There is no zone “bern.compute-a”"),
        ("zone=bern.compute-a&vcpu=64", "“vcpu” was not filled in: its zone is not known."),
        ("zone=geneva.compute-a&zone=geneva.compute-b&vcpu=1", "A link names one zone"),
        ("region=bern&ram=64G", "There is no region “bern”"),
        ("zone=geneva.compute-a&cores=1&cores=2", "more than once what geneva.compute-a.vcpu"),
        ("zone=geneva.compute-a&cores=1&vcpu=2", "more than once what geneva.compute-a.vcpu"),
        ("zone=geneva.compute-a&cores=many", "“many” is not a number"),
        ("ram=4096", "“4096” needs a unit"),
        ("ram=64G&until=soon", "“soon” is no day"),
        ("amount-geneva.no.such=4", "There is no such offering"),
    ],
)
def test_what_a_link_means_nobody_knows_is_told_on_the_page(
    site: Site, alice: Client, query: str, sentence: str
) -> None:
    answer = alice.get(NEW + query)
    assert answer.status_code == 200
    assert sentence in text_of(answer)
    assert "errors-head" in answer.content.decode()


HOSTILE = [
    "<script>alert(1)</script>", "\x00", "\x1b[31m", "a" * 3000, "\u202eevil", "..", "geneva..vcpu",
    "'; DROP TABLE", "%", "{{ 7 }}", "=", "é\ud7ff",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_links_give_a_clean_page(site: Site, alice: Client, text: str) -> None:
    quoted = quote(text)
    query = f"{quoted}=64&region={quoted}&zone={quoted}&{A}={quoted}&reason={quoted}&until={quoted}"
    answer = alice.get(NEW + query)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "<script>alert" not in page
    assert not set(page) & set("\x00\x1b\u202e")
    assert "is no day" in text_of(answer)


def test_many_unknown_names_are_counted(site: Site, alice: Client) -> None:
    said = text_of(alice.get(NEW + "&".join(f"x{number}=1" for number in range(300))))
    assert said.count("Nothing that can be asked for is called") == 10
    assert "290 more things of the link were not understood." in said


def test_a_link_can_say_why_and_until_when(site: Site, alice: Client) -> None:
    page = alice.get(NEW + "ram=64G&reason=Run+4+%26+5&until=2031-03-31").content.decode()
    assert "Run 4 &amp; 5</textarea>" in page
    assert 'value="2031-03-31"' in page
    assert re.search(r'value="date"[^>]*checked', page)


def test_after_signing_in_one_comes_back_to_the_filled_form(site: Site) -> None:
    User.objects.filter(subject="alice").update(password=make_password("a-long-password"))
    client = Client()
    link = "/requests/new?project=atlas-reco&zone=geneva.compute-a&cores=+64"
    slashed = client.get(link)["Location"]
    away = client.get(slashed)
    assert (away.status_code, away["Location"].startswith("/sign-in/?next=")) == (302, True)
    form = client.get(away["Location"])
    wanted = re.search(r'name="next" value="([^"]*)"', form.content.decode())
    typed = {"username": "alice", "password": "a-long-password"}
    back = client.post("/sign-in/", typed | {"next": (wanted or [""])[1].replace("&amp;", "&")})
    page = client.get(back["Location"]).content.decode()
    assert filled(page) == {A: "+64"}


def test_choosing_the_project_keeps_what_the_link_says(site: Site, alice: Client) -> None:
    query = "zone=geneva.compute-a&cores=%2B64"
    only = alice.get(f"/requests/new/?{query}")
    assert only["Location"] == f"/requests/new/?project=atlas-reco&{query}"
    join(make_project(site, "second", "atlas", timezone.now()), site.alice, Role.MANAGER,
         timezone.now())  # fmt: skip
    choice = alice.get(f"/requests/new/?{query}").content.decode()
    assert f"?project=second&amp;{query.replace('&', '&amp;')}" in choice


def test_a_copy_with_a_link_has_both(site: Site, alice: Client) -> None:
    earlier = ask(site, {SPACE: 100 * GIB})
    page = alice.get(NEW + f"again={earlier.pk}&zone=geneva.compute-a&cores=8").content.decode()
    assert filled(page) == {A: "8", SPACE: "100G"}


def test_somebody_elses_project_stays_hidden(site: Site) -> None:
    client = Client()
    client.force_login(site.people["mallory"])
    assert client.get(NEW + "zone=geneva.compute-a&cores=8").status_code == 404
