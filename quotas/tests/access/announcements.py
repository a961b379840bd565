"""Calls about announcements, at both doors, by the name of the URL."""

from typing import Any

from django.utils import timezone

from quotas.actions import announcements
from quotas.models import Announcement
from quotas.states import ANNOUNCED, AnnouncementState
from quotas.tests.access.case import Case
from quotas.tests.access.sending import Sample, get, post
from quotas.tests.announcements.writing import body, give, words

ROW = "unsent announcement"


def a_draft(case: Case) -> dict[str, Any]:
    """Of Olga, who operates; it reaches the people of the project."""
    found = Announcement.objects.filter(state=AnnouncementState.DRAFT).first()
    if found is None:
        give(case.site.vcpu, case.site.project)
        found = announcements.make(words=words(), actor=case.people["operator"], now=timezone.now())
    return {"pk": found.pk}


def a_sent_one(case: Case) -> dict[str, Any]:
    found = Announcement.objects.filter(state__in=ANNOUNCED).first()
    if found is None:
        found = announcements.schedule(
            announcement=Announcement.objects.get(**a_draft(case)), starts_at=None, version=1,
            actor=case.people["operator"], now=timezone.now(),
        )  # fmt: skip
    return {"pk": found.pk}


def written(case: Case) -> dict[str, Any]:
    """As the API takes it."""
    return body()


def typed(case: Case) -> dict[str, Any]:
    """As the form sends it."""
    return {**body(), "banner_until": "", "do": "save", "version": "1"}


def whom(case: Case) -> dict[str, Any]:
    return {name: body()[name] for name in ("zones", "who", "roles")}


ANNOUNCEMENTS: dict[str, list[Sample]] = {
    # Pages
    "announcement_list": [get()],
    "announcement_detail": [get(a_sent_one), Sample(a_draft, row=ROW)],
    "announcement_new": [get(), post(data=typed)],
    "announcement_edit": [get(a_draft), post(a_draft, typed)],
    "announcement_preview": [post(data=typed)],
    "announcement_schedule": [post(a_draft, lambda case: {"do": "now", "version": "1"})],
    "announcement_withdraw": [post(a_draft, lambda case: {"version": "1"})],
    # API
    "api_announcements": [get(), post(data=written, row="operators")],
    "api_announcement": [
        get(a_sent_one),
        Sample(a_draft, row=ROW),
        Sample(a_draft, "PUT", lambda case: written(case) | {"version": 1}, "operators"),
    ],
    "api_announcement_preview": [post(data=whom)],
    "api_announcement_schedule": [post(a_draft, lambda case: {"version": 1})],
    "api_announcement_withdraw": [post(a_draft, lambda case: {"version": 1})],
}
