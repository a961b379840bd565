"""The page of a request: values, timeline, and the verbs of who asked."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.lib.errors import Conflict
from projects.actions.events import record
from quotas.actions import requests
from quotas.models import (
    Comment,
    Contribution,
    Delivery,
    Offering,
    Target,
    Zone,
)
from quotas.queries.timeline import request_timeline
from quotas.states import LineState, TargetState
from quotas.tests.pages.acting import (
    HTMX,
    ask,
    ask_back,
    client_of,
    draft,
    grant,
    read_back,
    text_of,
)
from quotas.tests.site import GIB, Site

# --- A request -----------------------------------------------------------------------


def test_nothing_is_called_applied_before_every_service_was_read_back(
    site: Site, alice: Client
) -> None:
    asked = ask(site, {site.vcpu.slug: 100, site.space.slug: 10 * GIB})
    grant(site, asked)
    url = reverse("request_progress", args=[asked.pk])
    assert "0 of 2 granted lines applied" in text_of(alice.get(url, headers=HTMX))
    space = Delivery.objects.filter(decision_line__line__offering=site.space)
    Delivery.objects.exclude(pk__in=space).update(applied_at=timezone.now())
    part = alice.get(url, headers=HTMX)
    assert "1 of 2 granted lines applied" in text_of(part)
    assert "hx-trigger" in part.content.decode()
    space.update(applied_at=timezone.now())
    done = alice.get(url, headers=HTMX)
    assert "2 of 2 granted lines applied" in text_of(done)
    assert "hx-trigger" not in done.content.decode()
    assert "Refresh" not in text_of(done)


def test_a_page_left_open_follows_what_others_do(site: Site, alice: Client) -> None:
    asked = ask(site)
    page = alice.get(reverse("request_detail", args=[asked.pk])).content.decode()
    polled = re.search(r'hx-get="([^"]+)"', page)
    assert polled is not None
    quiet = text_of(alice.get(polled[1], headers=HTMX))
    assert "Alice asked" not in quiet
    assert "Withdraw it" not in quiet
    grant(site, asked)
    part = alice.get(polled[1], headers=HTMX)
    said = text_of(part)
    assert "Dana approved" in said
    assert "Ask for the same again" in said
    assert "Withdraw it" not in said
    assert "waits for Dana" not in said
    followed = re.search(r'hx-get="([^"]+)"', part.content.decode())
    assert followed is not None
    assert "Dana approved" not in text_of(alice.get(followed[1], headers=HTMX))


def test_a_refused_delivery_is_said_in_a_sentence(site: Site, alice: Client) -> None:
    asked = ask(site)
    grant(site, asked)
    Target.objects.filter(endpoint=site.endpoints["nova-geneva"]).update(
        state=TargetState.REFUSED, error_code="below_usage", error_id="ABC234",
        error_words="cores: 120 in use", error_at=timezone.now(),
    )  # fmt: skip
    said = text_of(alice.get(reverse("request_detail", args=[asked.pk])))
    assert "Nova geneva did not take the change" in said
    assert "More is in use than a new limit allows" in said
    assert "120 in use" not in said
    otto = text_of(client_of(site, "otto").get(reverse("request_detail", args=[asked.pk])))
    assert "cores: 120 in use" in otto


def test_the_timeline_tells_the_decision_with_its_authority_and_proof(
    site: Site, alice: Client
) -> None:
    asked = ask(site)
    grant(site, asked, 60)
    said = text_of(alice.get(reverse("request_detail", args=[asked.pk])))
    assert "Alice asked for 100 vCPU in compute-a reprocessing" in said
    assert "Dana approved: 60 vCPU compute-a, geneva ( 100 asked for)" in said
    assert "authority Otto → Erin → Dana" in said
    assert "40 less than asked" in said
    assert "Ask for the missing 40 vCPU in compute-a" in said


def test_amending_changes_open_lines(site: Site, alice: Client) -> None:
    asked = ask(site)
    line = asked.lines.get()
    url = reverse("request_amend", args=[asked.pk])
    assert 'value="100"' in alice.get(url).content.decode()
    typed = {f"amount-{line.pk}": "120", "reason": "more", "version": asked.version}
    assert alice.post(url, typed).status_code == 302
    line.refresh_from_db()
    assert line.wanted == 120
    stale = alice.post(url, typed | {f"amount-{line.pk}": "130"})
    assert stale.status_code == 412
    assert 'value="130"' in stale.content.decode()
    asked.refresh_from_db()
    assert f'name="version" value="{asked.version}"' in stale.content.decode()
    wrong = alice.post(url, typed | {f"amount-{line.pk}": "", "reason": ""})
    assert wrong.status_code == 422
    same = alice.post(url, {f"amount-{line.pk}": "0", "reason": "", "version": asked.version})
    assert same.status_code == 422
    assert "is 0 already" in text_of(same)
    assert "Write a sentence" in text_of(same)
    grant(site, asked)
    late = alice.post(url, {f"amount-{line.pk}": "130", "reason": "x", "version": 99})
    assert late.status_code == 422 or late.status_code == 409
    line.refresh_from_db()
    assert line.wanted == 120


def test_answering_opens_the_lines_again(site: Site, alice: Client) -> None:
    asked = ask(site)
    line = asked.lines.get()
    ask_back(site, asked)
    asked.refresh_from_db()
    detail = reverse("request_detail", args=[asked.pk])
    assert "For which run?" in text_of(alice.get(detail))
    url = reverse("request_answer", args=[asked.pk])
    typed = {"text": "", "version": asked.version, f"amount-{line.pk}": "many"}
    wrong = alice.post(url, typed)
    assert wrong.status_code == 422
    assert "is not a number" in text_of(wrong)
    assert alice.post(url, typed | {"text": "x", f"amount-{line.pk}": "", "version": 1}
                      ).status_code == 412  # fmt: skip
    sent = alice.post(url, typed | {"text": "Run 4", f"amount-{line.pk}": "80"})
    assert sent.status_code == 302
    line.refresh_from_db()
    assert (line.state, line.wanted) == (LineState.OPEN, 80)
    assert "Alice answered and asks for 80 vCPU in compute-a Run 4" in text_of(alice.get(detail))
    assert Comment.objects.get().text == "Run 4"
    assert alice.post(url, typed | {"text": "again", f"amount-{line.pk}": ""}).status_code == 409


def test_the_timeline_keeps_the_amounts_of_each_step(site: Site, alice: Client) -> None:
    asked = ask(site, {site.vcpu.slug: 100, "geneva.compute-a.ram": 4 * GIB, site.space.slug: GIB})
    detail = reverse("request_detail", args=[asked.pk])
    first = "Alice asked for 100 vCPU and 4 GiB RAM in compute-a , 1 GiB Volume space in storage-a"
    assert first in text_of(alice.get(detail))
    line = asked.lines.get(offering=site.vcpu)
    typed = {f"amount-{each.pk}": "8G" for each in asked.lines.exclude(pk=line.pk)}
    typed |= {f"amount-{line.pk}": "120", "reason": "more", "version": str(asked.version)}
    assert alice.post(reverse("request_amend", args=[asked.pk]), typed).status_code == 302
    said = text_of(alice.get(detail))
    assert first in said
    assert "Alice changed what is asked for: 120 vCPU and 8 GiB RAM in compute-a" in said


def test_amounts_of_events_without_figures_are_those_of_the_lines_until_they_change(
    site: Site,
) -> None:
    asked = draft(site)

    def happen(verb: str) -> None:
        """An event of the time before they kept amounts."""
        record(
            verb, actor=site.alice, now=timezone.now(), project=site.project,
            subject_kind="request", subject_id=asked.pk,
        )  # fmt: skip

    happen("submitted")
    (sent,) = request_timeline(asked)
    assert sent.asked is not None
    assert sent.asked.places == {"compute-a": [(site.vcpu, 100)]}
    happen("amended")
    assert [each.asked for each in request_timeline(asked)] == [None, None]


def test_a_limit_that_zones_share_is_never_shown_as_one_zones_own(
    site: Site, alice: Client
) -> None:
    asked = ask(site, {site.vcpu.slug: 100, site.space.slug: 100 * GIB})
    grant(site, asked)
    zone = Zone.objects.create(
        region=site.vcpu.zone.region, slug="compute-b", name="compute-b", kind="compute"
    )
    other = Offering.objects.create(
        slug="geneva.compute-b.vcpu", zone=zone, resource=site.vcpu.resource
    )
    Contribution.objects.create(
        offering=other, limit=site.endpoints["nova-geneva"].limits.get(key="cores")
    )
    read_back(site, used=10, limit=448)
    said = text_of(alice.get(reverse("request_detail", args=[asked.pk])))
    assert (
        "448 in all the limit of all zones of geneva, compute-a is one of them, 1 min ago" in said
    )
    assert "448 GiB Cinder geneva, 1 min ago" in said


def test_withdrawing_asks_first(site: Site, alice: Client) -> None:
    asked = ask(site)
    url = reverse("request_withdraw", args=[asked.pk])
    assert "nobody decides them any more" in text_of(alice.get(url))
    assert asked.lines.get().state == LineState.OPEN
    assert alice.post(url).status_code == 302
    assert asked.lines.get().state == LineState.WITHDRAWN
    assert alice.post(url).status_code == 409


COMMENTERS = {"bob": 302, "dana": 302, "rita": 403, "otto": 302, "audrey": 403, "mallory": 404}


@pytest.mark.parametrize(("name", "status"), COMMENTERS.items())
def test_members_and_deciders_comment(site: Site, name: str, status: int) -> None:
    url = reverse("request_comment", args=[ask(site).pk])
    client = client_of(site, name)
    assert client.post(url, {"text": "<i>hello</i>"}).status_code == status
    assert Comment.objects.count() == (status == 302)


def test_a_comment_is_escaped_and_an_empty_one_refused(site: Site, alice: Client) -> None:
    number = ask(site).pk
    url = reverse("request_comment", args=[number])
    assert alice.post(url, {"text": " "}).status_code == 422
    assert alice.post(url, {"text": "a\0"}).status_code == 422
    alice.post(url, {"text": "<script>alert(1)</script>"})
    page = alice.get(reverse("request_detail", args=[number])).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_same_again_asks_for_the_same_increase(site: Site, alice: Client) -> None:
    asked = ask(site)
    grant(site, asked)
    page = alice.get("/requests/new/", {"again": asked.pk}).content.decode()
    assert 'value="+100"' in page
    assert "reprocessing" in page


def test_a_second_tab_is_told_that_somebody_was_first(site: Site) -> None:
    asked = ask(site)
    grant(site, asked)
    with pytest.raises(Conflict):
        requests.withdraw(quota_request=asked, actor=site.alice, now=timezone.now())


def test_post_is_needed_for_what_changes_things(site: Site, alice: Client) -> None:
    number = ask(site).pk
    for view in ("request_answer", "request_comment"):
        assert alice.get(reverse(view, args=[number])).status_code == 405
    assert alice.get("/requests/preview/").status_code == 405
