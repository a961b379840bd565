"""What pages about announcements are looked at with."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from projects.models import User
from quotas.actions import announcements
from quotas.actions.announcements import Words
from quotas.delivery import jobs
from quotas.models import Announcement
from quotas.states import AnnouncementState

WORDS = Words(
    subject="Compute-a stands still on Sunday morning",
    text="The hypervisors of compute-a get a new kernel on Sunday from 8 to 12. Machines there "
    "are stopped and started again.\n\nVolumes stay where they are. Ask us if yours must not.",
    zones=["geneva.compute-a"], who="either", roles=["owner", "manager", "member"],
)  # fmt: skip


def a_draft() -> dict[str, Any]:
    """Otto's, made once."""
    found = Announcement.objects.filter(state=AnnouncementState.DRAFT).first()
    return {"pk": (found or _made()).pk}


def a_sent_one() -> dict[str, Any]:
    """Otto's, with a banner until next week; everybody was told."""
    found = Announcement.objects.filter(state=AnnouncementState.SENT).first()
    if found is None:
        found = announcements.schedule(
            announcement=_made(), starts_at=None, version=1, actor=_otto(), now=timezone.now()
        )
        while found.job is not None and jobs.run(found.job.pk):
            pass
    return {"pk": found.pk}


def _otto() -> User:
    return User.objects.get(subject="otto")


def _made() -> Announcement:
    now = timezone.now()
    words = Words(**{**WORDS.__dict__, "banner_until": now + timedelta(days=7)})
    return announcements.make(words=words, actor=_otto(), now=now)
