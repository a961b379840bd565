"""What deciders and operators do at the pages, and what they read there."""

from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.testing.html import Reader
from projects.models import Project
from projects.states import Role
from quotas.actions import requests
from quotas.actions.wishes import Wish
from quotas.models import (
    Assignment,
    DelegationBound,
    QuotaRequest,
    Reading,
    RequestLine,
    Target,
)
from quotas.states import TargetState
from quotas.tests.site import GIB, Site, join, make_project


def signed_in(site: Site, name: str) -> Client:
    client = Client()
    client.force_login(site.people[name])
    return client


def page(site: Site, name: str, url: str) -> Any:
    return signed_in(site, name).get(url)


def text(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status, answer.content.decode()[:2000]
    return answer.content.decode()


def ask(site: Site, amounts: dict[str, int] | None = None, **more: object) -> QuotaRequest:
    wish = Wish(amounts or {site.vcpu.slug: 100}, "reprocessing <b>2026</b>", **more)  # type: ignore[arg-type]
    return requests.submit(project=site.project, wish=wish, actor=site.alice, now=timezone.now())


def ask_for_many(site: Site, count: int) -> None:
    """One request each of `count` new projects in three units."""
    since = timezone.now() - timedelta(hours=5)
    units = ("atlas", "ep", "it")
    for number in range(count):
        project = make_project(site, f"many-{number}", units[number % 2], since)
        join(project, site.alice, Role.OWNER, since)
        wish = Wish({site.vcpu.slug: 10 + number, site.space.slug: 5 * GIB}, "wave")
        requests.submit(
            project=project, wish=wish, actor=site.alice, now=since + timedelta(minutes=number)
        )


def ask_like(asked: QuotaRequest, count: int) -> None:
    """So many more, each of a project of its own, that wait for the same: their rows alone."""
    line = asked.lines.get()
    first = Project.objects.count()
    projects = Project.objects.bulk_create(
        Project(
            slug=f"like-{number}", name=f"like-{number}", unit=asked.project.unit,
            created_at=asked.created_at,
        )
        for number in range(first, first + count)
    )  # fmt: skip
    alike = QuotaRequest.objects.bulk_create(
        QuotaRequest(
            project=project, requester=asked.requester, reason=asked.reason,
            created_at=asked.created_at, submitted_at=asked.submitted_at,
            updated_at=asked.updated_at,
        )
        for project in projects
    )  # fmt: skip
    lines = RequestLine.objects.bulk_create(
        RequestLine(
            request=each, project=each.project, offering=line.offering, wanted=line.wanted,
            balance_seen=line.balance_seen, state=line.state, waits_since=line.waits_since,
        )
        for each in alike
    )  # fmt: skip
    Assignment.objects.bulk_create(
        Assignment(
            line=each, delegation=one.delegation, user=one.user, group=one.group, kind=one.kind,
            starts_at=one.starts_at, ends_at=one.ends_at,
        )
        for one in line.assignments.select_related("delegation", "user", "group").order_by("pk")
        for each in lines
    )  # fmt: skip


def form(site: Site, asked: QuotaRequest, **fields: str) -> dict[str, object]:
    """The fields as the page of now would send them, with changes."""
    asked.refresh_from_db()
    lines = list(asked.lines.select_related("offering"))
    sent: dict[str, object] = {"version": str(asked.version), "line": [str(x.pk) for x in lines]}
    for line in lines:
        sent[f"seen-{line.pk}"] = str(site.quota(line.offering))
        sent[f"grant-{line.pk}"] = "as asked"
    return sent | fields


def act(site: Site, name: str, verb: str, asked: QuotaRequest, data: dict[str, object]) -> Any:
    return signed_in(site, name).post(reverse(f"request_{verb}", kwargs={"number": asked.pk}), data)


def note_use(site: Site, *, used: int, limit: int) -> None:
    target = Target.objects.get(project=site.project, endpoint__slug="nova-geneva")
    Reading.objects.create(
        target=target, limit=target.endpoint.limits.get(key="cores"), used=used, reserved=0,
        limit_seen=limit, read_at=timezone.now(),
    )  # fmt: skip


def numbers(answer: Any) -> list[int]:
    return [row.number for row in answer.context["rows"]]


def reach_only(site: Site, *slugs: str) -> None:
    """Narrow what Dana's delegation speaks of to some resources."""
    bounds = DelegationBound.objects.filter(delegation=site.delegations["dana"])
    bounds.exclude(resource__slug__in=slugs).delete()


def input_of(html: str, name: str, value: str | None = None) -> dict[str, str]:
    """The attributes of the page's one input of that name, and of that value."""
    found = Reader(html.replace("<!doctype html>", "")).all("input")
    (attrs,) = [
        each
        for each in found
        if each.get("name") == name and value in (None, each.get("value"))
    ]  # fmt: skip
    return attrs


def refuse(site: Site, words: str) -> Target:
    target = Target.objects.get(project=site.project, endpoint__slug="nova-geneva")
    Target.objects.filter(pk=target.pk).update(
        state=TargetState.REFUSED, error_id="ab12cd34", error_kind="refused", error_words=words,
        error_at=timezone.now(), failure_count=3, next_try_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    return target
