"""What tests of announcements do: a project has something, Otto writes, people are told."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from projects.models import Notice, Project, User
from quotas.actions import announcements
from quotas.actions.announcements import Words
from quotas.delivery import jobs
from quotas.models import Account, Announcement, Holder, Limit, Offering, Reading, Target
from quotas.queries.announcements import Audience, reach_of
from quotas.tests.site import Site

COMPUTE, STORAGE = "geneva.compute-a", "geneva.storage-a"
HOUR = timedelta(hours=1)


def words(**changes: Any) -> Words:
    """A maintenance of compute-a, told to all above readers of projects with anything there."""
    said: dict[str, Any] = {
        "subject": "Compute stands still on Sunday", "text": "From 8 to 12.\nSave your work.",
        "zones": [COMPUTE], "who": "either", "roles": ["owner", "manager", "member"],
    }  # fmt: skip
    return Words(**said | changes)


def body(**changes: Any) -> dict[str, Any]:
    """The same as the API takes it."""
    said = words(**changes)
    until = said.banner_until
    return {
        "subject": said.subject, "text": said.text, "zones": said.zones, "who": said.who,
        "roles": said.roles, "banner_until": until.isoformat() if until else None,
    }  # fmt: skip


def give(offering: Offering, project: Project, amount: int = 1) -> None:
    """Quota, without a ledger: what a zone is asked about is the balance."""
    Account.objects.update_or_create(
        offering=offering, project=project, holder=Holder.PROJECT, defaults={"balance": amount}
    )


def use(limit: Limit, project: Project, used: int = 1, reserved: int = 0) -> None:
    target = Target.objects.get(project=project, endpoint=limit.endpoint)
    Reading.objects.update_or_create(
        target=target, limit=limit,
        defaults={"used": used, "reserved": reserved, "read_at": timezone.now()},
    )  # fmt: skip


def draft_of(site: Site, now: datetime | None = None, **changes: Any) -> Announcement:
    """Otto's draft, which reaches Alice and Bob."""
    give(site.vcpu, site.project)
    return announcements.make(words=words(**changes), actor=site.otto, now=now or timezone.now())


def send(draft: Announcement, actor: User, now: datetime) -> Announcement:
    """Send it at once, up to where people are to be told."""
    return announcements.schedule(
        announcement=draft, starts_at=None, version=draft.version, actor=actor, now=now
    )


def announced(site: Site, now: datetime | None = None, **changes: Any) -> Announcement:
    """A draft of Otto's that is sent, and everybody was told."""
    moment = now or timezone.now()
    sent = send(draft_of(site, moment, **changes), site.otto, moment)
    while sent.job is not None and jobs.run(sent.job.pk):
        pass
    sent.refresh_from_db()
    return sent


def told(announcement: Announcement) -> list[str]:
    """Who was told of it, by name, as often as they were."""
    rows = Notice.objects.filter(event=announcement.event_id)
    return sorted(rows.values_list("person__subject", flat=True))


def reached(said: Words, now: datetime, sender: User) -> Any:
    return reach_of(announcements.check_audience(said), now, sender)


def audience(zones: Collection[int], **changes: Any) -> Audience:
    said = words(**changes)
    return Audience(frozenset(zones), said.who, frozenset(said.roles))
