"""The queue: what waits for whom, what is noticed, what it costs."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse, set_script_prefix
from django.utils import timezone

from portal.lib.folding import fold
from projects.models import Project, Unit
from projects.states import Role
from quotas.actions import requests
from quotas.actions.wishes import Wish
from quotas.models import QuotaRequest, RequestLine
from quotas.queries.queue_wishes import COUNTED
from quotas.tests.api import caller
from quotas.tests.counting import assert_flat
from quotas.tests.pages.deciding import (
    ask,
    ask_for_many,
    ask_like,
    note_use,
    numbers,
    page,
    reach_only,
    signed_in,
    text,
)
from quotas.tests.site import GIB, Site, join, make_project


def test_queue_shows_what_waits_for_me_with_its_envelope(site_today: Site) -> None:
    asked = ask(site_today)
    html = text(page(site_today, "dana", reverse("queue")))
    assert f"#{asked.pk}" in html
    assert "0 → 100 of 1000" in html
    assert "&lt;b&gt;2026" in html


def test_rows_lead_on_wherever_the_site_lies(site_today: Site) -> None:
    asked, address = ask(site_today), reverse("queue")
    set_script_prefix("/on10/")
    try:
        html = text(page(site_today, "dana", address))
    finally:
        set_script_prefix("/")
    assert f'href="/on10/decide/{asked.pk}/' in html
    assert 'action="/on10/decide/{number}/approve/' in html


def test_queue_is_empty_for_others_and_says_what_to_do(site_today: Site) -> None:
    ask(site_today)
    assert "Nothing waits for you" in text(page(site_today, "erin", reverse("queue")))
    assert "You decide for nobody yet" in text(page(site_today, "alice", reverse("queue")))


def test_where_more_waits_than_is_counted_units_are_said_to_be_of_the_first(
    site_today: Site,
) -> None:
    asked = ask(site_today)
    ask_like(asked, COUNTED - 1)
    dana = signed_in(site_today, "dana")
    all_told = text(dana.get(reverse("queue")))
    assert "of 1000<" in all_told
    assert "Of what waits first" not in all_told

    ask_like(asked, 1)

    first_told = text(dana.get(reverse("queue")))
    assert "of 1,000+<" in first_told
    (units,) = re.findall(
        r'<optgroup label="Of what waits first">(.*?)</optgroup>', first_told, re.DOTALL
    )
    assert 'value="atlas"' in units


def test_queue_notices_what_is_short_beyond_the_bound_or_lent(site_today: Site) -> None:
    until = timezone.localdate() + timedelta(days=30)
    ask(site_today, {site_today.vcpu.slug: 1100}, until_on=until)
    html = text(page(site_today, "erin", reverse("queue")))
    assert "100 short: grant up to 1000 in all" in html
    assert "returns by itself" in html


def test_queue_notices_low_use(site_today: Site) -> None:
    asked = ask(site_today)
    note_use(site_today, used=10, limit=100)
    shown = text(page(site_today, "dana", reverse("queue")))
    assert "vCPU in compute-a, geneva 10\u00a0% used" in shown
    assert "10 of 100" in text(page(site_today, "dana", reverse("decide", args=[asked.pk])))


def test_queue_narrows_by_unit_and_zone_and_orders_by_size(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 4)
    # Erin decides where no nearer delegate is: the odd ones are of EP itself.
    rows = numbers(page(site, "erin", reverse("queue")))
    assert rows == sorted(rows)
    assert len(rows) == 2
    assert numbers(page(site, "erin", reverse("queue") + "?order=largest")) == rows[::-1]
    assert numbers(page(site, "erin", reverse("queue") + "?unit=atlas")) == []
    assert numbers(page(site, "erin", reverse("queue") + "?unit=ep")) == rows
    zone = site.vcpu.zone_id
    assert numbers(page(site, "erin", reverse("queue") + f"?zone={zone}")) == rows
    assert numbers(page(site, "erin", reverse("queue") + "?zone=99999")) == []


@pytest.mark.parametrize(
    "query",
    ["unit=%00", "zone=-1", "zone=9" * 9, "page=0", "order=x", "days=-3", "days=99999999", "task=x",
     "text=%00", "text=%2523", "kind=0", "endorsed=maybe", "direction=up"],
)  # fmt: skip
def test_queue_takes_nonsense_for_nothing(site_today: Site, query: str) -> None:
    assert page(site_today, "dana", f"{reverse('queue')}?{query}").status_code == 200


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?resource=vcpu", 2), ("?resource=ram", 0), ("?kind=shared", 2), ("?kind=personal", 0),
        ("?task=decide", 2), ("?task=endorse", 0), ("?endorsed=yes", 0), ("?endorsed=no", 2),
        ("?direction=increase", 2), ("?direction=decrease", 0), ("?days=1", 0),
        ("?text=MANY-1", 1), ("?text=alice", 2), ("?text=nobody", 0), ("?text=%23999999", 0),
    ],
)  # fmt: skip
def test_queue_narrows_by_all_that_an_address_says(
    site_today: Site, query: str, expected: int
) -> None:
    ask_for_many(site_today, 4)
    assert len(numbers(page(site_today, "erin", reverse("queue") + query))) == expected
    found = caller(site_today, "erin").client.get(f"/api/v1/queue/{query}").json()["results"]
    assert len(found) == expected


@pytest.mark.parametrize("order", ["oldest", "largest", "escalates", "ends", "project"])
def test_queue_stands_in_each_order_and_says_which(site_today: Site, order: str) -> None:
    site = site_today
    ask_for_many(site, 4)
    first, last = sorted(numbers(page(site, "erin", reverse("queue"))))
    # The younger one is wanted for a while only, goes up first, and by a name before the other's.
    asked = QuotaRequest.objects.get(pk=last)
    QuotaRequest.objects.filter(pk=last).update(until_on=timezone.localdate())
    RequestLine.objects.filter(request=last).update(escalate_at=timezone.now())
    RequestLine.objects.filter(request=first).update(escalate_at=None)
    Project.objects.filter(pk=asked.project_id).update(name="a-first")
    expected = [first, last] if order == "oldest" else [last, first]
    answer = page(site, "erin", f"{reverse('queue')}?order={order}")
    assert numbers(answer) == expected
    assert f'<option value="{order}" selected>' in text(answer)


def test_a_page_beyond_the_last_leads_to_the_first(site_today: Site) -> None:
    answer = page(site_today, "dana", f"{reverse('queue')}?order=project&page=7")
    assert answer["Location"] == reverse("queue") + "?order=project"


def test_queue_pages_through_more_than_fifty(site_today: Site) -> None:
    ask_for_many(site_today, 104)
    answer = page(site_today, "erin", reverse("queue"))
    assert len(numbers(answer)) == 50
    assert "1–50 of 52" in text(answer)
    assert len(numbers(page(site_today, "erin", reverse("queue") + "?page=2"))) == 2


def test_the_last_page_that_anybody_comes_to_leads_no_further(
    site_today: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for_many(site_today, 104)
    monkeypatch.setattr("quotas.views.queue.LAST_PAGE", 1)
    answer = page(site_today, "erin", reverse("queue"))
    assert (answer.context["page"].has_next, answer.context["next"]) == (True, "")


def test_queue_costs_the_same_for_three_rows_and_fifty(site_today: Site) -> None:
    site = site_today
    ask_for_many(site, 6)
    erin = signed_in(site, "erin")

    def load() -> None:
        assert len(numbers(erin.get(reverse("queue")))) in (3, 50)

    def grow() -> None:
        since = timezone.now() - timedelta(hours=3)
        for number in range(47):
            unit = Unit.objects.create(
                slug=f"u{number}", name=f"U{number}", parent=site.units["ep"],
                path=f"org/ep/u{number}/",
            )  # fmt: skip
            site.units[unit.slug] = unit
            project = make_project(site, f"more-{number}", unit.slug, since)
            join(project, site.alice, Role.OWNER, since)
            requests.submit(
                project=project, wish=Wish({site.vcpu.slug: 10}, "wave"), actor=site.alice,
                now=since,
            )  # fmt: skip

    assert_flat("queue", load, grow)


def test_rows_have_the_roles_of_folded_tables_and_few_bytes(site_today: Site) -> None:
    ask_for_many(site_today, 4)
    answer = page(site_today, "erin", reverse("queue"))
    table, count = answer.context["table"], len(numbers(answer))
    # The queue shows no label of a cell, so its cells carry none.
    assert re.sub(r' data-label="[^"]*"', "", fold(table)) == table
    rows_alone, _tag, form = table.partition("<template ")
    _head, *rows = rows_alone.split("<tr ")[1:]
    assert (count, len(rows)) == (2, 2)
    assert max(len(each.encode()) for each in rows) < 1_500
    # What decides a row in place is there once, and rows say what it is of.
    assert form.count("Decide here") == 1
    assert all("data-lines='[[" in each for each in rows)


def test_frame_counts_the_queue_up_to_a_hundred(site_today: Site) -> None:
    ask(site_today)
    assert '<span class="count">1<' in text(page(site_today, "dana", reverse("catalogue")))
    assert '<span class="count">' not in text(page(site_today, "bob", reverse("catalogue")))


def test_queue_notices_what_my_remit_does_not_name(site_today: Site) -> None:
    site = site_today
    ask(site, {site.vcpu.slug: 10, site.space.slug: GIB})
    reach_only(site, "vcpu")
    html = text(page(site, "dana", reverse("queue")))
    assert "not in your remit: Volume space in storage-a" in html
    assert "above your 0" not in html
