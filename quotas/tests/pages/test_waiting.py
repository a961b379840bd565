"""The pages of waiting: endorsing, why it still waits, the nudge, and a unit's days."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from projects.models import Unit
from quotas.models import DecisionLine, QuotaRequest, RequestLine
from quotas.tests.pages.acting import ask, client_of, text_of
from quotas.tests.site import Site


def request_page(site: Site, asked: QuotaRequest, name: str = "alice") -> str:
    return text_of(client_of(site, name).get(reverse("request_detail", args=[asked.pk])))


def endorsed(site: Site, asked: QuotaRequest, amount: str, do: str = "edited") -> None:
    lines = list(asked.lines.order_by("pk"))
    form: dict[str, object] = {
        "version": 1, "note": "They need it.", "do": do, "line": [each.pk for each in lines],
    }  # fmt: skip
    for each in lines:
        form |= {f"seen-{each.pk}": 0, f"grant-{each.pk}": amount}
    answer = client_of(site, "dana").post(reverse("request_endorse", args=[asked.pk]), form)
    assert answer.status_code == 302


def test_who_may_not_grant_as_much_is_offered_to_endorse(site_today: Site) -> None:
    asked = ask(site_today, {site_today.vcpu.slug: 200})
    url = reverse("decide", args=[asked.pk])
    assert "Endorse as asked" in text_of(client_of(site_today, "dana").get(url))
    assert "Endorse as asked" not in text_of(client_of(site_today, "erin").get(url))
    endorsed(site_today, asked, "150")
    said = text_of(client_of(site_today, "erin").get(url))
    assert "Endorsed by Dana : grant 150" in said
    assert "They need it." in said
    assert "Endorse as asked" not in text_of(client_of(site_today, "dana").get(url))


def test_of_several_lines_those_beyond_ones_remit_are_endorsed(site_today: Site) -> None:
    site = site_today
    asked = ask(site, {site.vcpu.slug: 200, "geneva.compute-a.ram": 2**30})
    endorsed(site, asked, "200", do="asked")
    [line] = DecisionLine.objects.select_related("line__offering")
    assert (line.line.offering, line.endorsed) == (site.vcpu, 200)


def test_the_request_tells_why_it_waits_and_takes_a_nudge_in_time(site_today: Site) -> None:
    site = site_today
    asked = ask(site, {site.vcpu.slug: 200})
    said = request_page(site, asked)
    assert "To decide: Erin for ORG/EP" in said
    assert "To endorse, as they may not grant as much: Dana" in said
    assert "You can remind them politely from" in said
    RequestLine.objects.update(waits_since=timezone.now() - timedelta(days=10))
    assert "Remind them politely" in request_page(site, asked)
    url = reverse("request_nudge", args=[asked.pk])
    answer = client_of(site, "alice").post(url, follow=True)
    assert "2 people are reminded of it." in text_of(answer)
    again = client_of(site, "alice").post(url)
    assert (again.status_code, "you can remind them from" in text_of(again)) == (409, True)


def test_who_only_reads_is_offered_no_nudge(site_today: Site) -> None:
    asked = ask(site_today)
    RequestLine.objects.update(waits_since=timezone.now() - timedelta(days=10))
    said = request_page(site_today, asked, "rita")
    assert "Why is it still waiting?" in said
    assert "Remind them politely" not in said


def test_a_units_days_are_set_at_its_page(site_today: Site) -> None:
    dana, url = client_of(site_today, "dana"), reverse("unit_waiting", args=["atlas"])
    refused = dana.post(url, {"remind_after_days": "4", "escalate_after_days": "3"})
    assert (refused.status_code, "Remind before it goes up" in text_of(refused)) == (422, True)
    done = dana.post(url, {"remind_after_days": "", "escalate_after_days": "3"}, follow=True)
    assert "goes one level up after 3 working days" in text_of(done)
    assert Unit.objects.get(slug="atlas").escalate_after_days == 3
