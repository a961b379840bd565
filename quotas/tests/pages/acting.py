"""What people do at the pages, and what they read there."""

import html
import re
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from quotas.actions import decide, drafts, requests
from quotas.actions.wishes import Wish
from quotas.models import (
    QuotaRequest,
    Reading,
    Target,
)
from quotas.tests.site import Site

HTMX = {"HX-Request": "true"}


def client_of(site: Site, name: str) -> Client:
    client = Client()
    client.force_login(site.people[name])
    return client


def text_of(response: Any) -> str:
    """What a person reads, without markup and with single spaces."""
    plain = re.sub(r"<[^>]+>", " ", response.content.decode())
    return " ".join(html.unescape(plain).replace("\u202f", " ").replace("\u00a0", " ").split())


def ask(site: Site, amounts: dict[str, int] | None = None, **more: object) -> QuotaRequest:
    wish = Wish(amounts or {site.vcpu.slug: 100}, "reprocessing", **more)  # type: ignore[arg-type]
    return requests.submit(project=site.project, wish=wish, actor=site.alice, now=timezone.now())


def draft(site: Site, reason: str = "later") -> QuotaRequest:
    return drafts.save(
        project=site.project, wish=Wish({site.vcpu.slug: 100}, reason), actor=site.alice,
        now=timezone.now(),
    )  # fmt: skip


def grant(site: Site, asked: QuotaRequest, amount: int | None = None) -> None:
    asked.refresh_from_db()
    lines = list(asked.lines.select_related("offering"))
    decide.approve(
        quota_request=asked,
        granted={each.pk: each.wanted if amount is None else amount for each in lines},
        seen={each.pk: site.quota(each.offering) for each in lines},
        version=asked.version, actor=site.dana, now=timezone.now(),
    )  # fmt: skip


def ask_back(site: Site, asked: QuotaRequest) -> None:
    asked.refresh_from_db()
    decide.return_(
        quota_request=asked, line_ids=[each.pk for each in asked.lines.all()],
        question="For which run?", version=asked.version, actor=site.dana, now=timezone.now(),
    )  # fmt: skip


def form(site: Site, do: str = "send", **amounts: str) -> dict[str, str]:
    """A filled form; amounts by the resource's slug."""
    zones = {"vcpu": "compute-a", "ram": "compute-a", "space": "storage-a"}
    typed = {f"amount-geneva.{zones[key]}.{key}": text for key, text in amounts.items()}
    return {
        "project": "atlas-reco", "region": "geneva", "until": "stays", "reason": "run 4", "do": do,
        **typed,
    }  # fmt: skip


def read_back(site: Site, *, used: int, limit: int = 100) -> None:
    """Nova and Cinder were read a minute ago."""
    at = timezone.now() - timedelta(minutes=1)
    for target in Target.objects.filter(project=site.project, endpoint__region__isnull=False):
        target.observed_at = at
        target.save(update_fields=["observed_at"])
        for each in target.endpoint.limits.all():
            Reading.objects.update_or_create(
                target=target, limit=each,
                defaults={
                    "used": used * each.step, "reserved": 0, "limit_seen": limit * each.step,
                    "read_at": at,
                },
            )  # fmt: skip
