"""What those who ask may send, by the site's clock and with what a draft allows."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.lib.errors import Conflict, Invalid
from portal.testing.servers import DatabaseCopy
from quotas.actions import drafts, requests
from quotas.actions.wishes import Wish
from quotas.models import Comment, QuotaRequest
from quotas.states import LineState
from quotas.tests.site import NOW, Site, make_site


def test_the_last_day_is_the_sites_and_not_the_readers(site: Site) -> None:
    night = datetime(2026, 11, 21, 2, tzinfo=UTC)
    wish = Wish({site.vcpu.slug: 8}, "a test", until_on=date(2026, 11, 20))
    with timezone.override(ZoneInfo("America/Los_Angeles")), pytest.raises(Invalid) as refusal:
        requests.submit(project=site.project, wish=wish, actor=site.alice, now=night)
    assert list(refusal.value.errors) == ["until_on"]


def test_nobody_remarks_on_a_draft_so_it_can_be_thrown_away(site: Site) -> None:
    draft = drafts.save(
        project=site.project, wish=Wish({site.vcpu.slug: 8}, ""), actor=site.alice, now=NOW
    )
    with pytest.raises(Conflict):
        requests.comment(quota_request=draft, text="A thought.", actor=site.alice, now=NOW)
    assert not Comment.objects.exists()
    drafts.discard(draft=draft, actor=site.alice, now=NOW)
    assert not QuotaRequest.objects.exists()


def test_a_page_says_busy_for_a_row_that_somebody_holds(database_copy: DatabaseCopy) -> None:
    site = make_site(timezone.now())
    wish = Wish({site.vcpu.slug: 8}, "a test")
    asked = requests.submit(
        project=site.project, wish=wish, actor=site.alice, now=timezone.now()
    )  # fmt: skip
    client = Client(raise_request_exception=False)
    client.force_login(site.alice)
    with psycopg.connect(database_copy.url) as holder:
        holder.execute("SELECT 1 FROM projects_project FOR UPDATE")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        answer = client.post(reverse("request_withdraw", args=[asked.pk]))
    assert answer.status_code == 409
    assert "try again" in answer.content.decode()
    assert asked.lines.get().state == LineState.OPEN
