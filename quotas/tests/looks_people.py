"""What pages about people who leave, and what they leave behind, are looked at with."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from projects.models import (
    Absence,
    DirectoryRun,
    Membership,
    Project,
    Unit,
    User,
)
from projects.states import ProjectState, Role
from quotas.tests.looks_programs import Facts


def somebody(name: str) -> Facts:
    return lambda: {"public_id": User.objects.get(subject=name).public_id}


def who_left() -> dict[str, Any]:
    """Noor, who owned a project alone and left two days ago; made once."""
    now = timezone.now()
    left = now - timedelta(days=2)
    noor, is_new = User.objects.get_or_create(
        subject="noor",
        defaults={
            "name": "Noor Haddad", "is_active": False, "left_at": left, "password": "!",
            "supervisor": User.objects.get(subject="hilda"),
        },
    )  # fmt: skip
    if is_new:
        Absence.objects.create(user=noor, starts_at=left, reason="Her contract is over.")
        made = Project.objects.create(
            slug="beam-tests", name="beam-tests", unit=Unit.objects.get(slug="cms"),
            state=ProjectState.ACTIVE, purpose="Test beams of the forward detector",
            created_at=now,
        )  # fmt: skip
        Membership.objects.create(
            project=made, user=noor, role=Role.OWNER, starts_at=left - timedelta(days=90),
            ends_at=left,
        )  # fmt: skip
    return {"public_id": noor.public_id}


def an_orphan() -> dict[str, Any]:
    who_left()
    return {"slug": "beam-tests"}


def some_readings() -> dict[str, Any]:
    """One that went well, one that was not believed, one that ended early."""
    if not DirectoryRun.objects.exists():
        now = timezone.now()
        for hours, more in (
            (3, {"has_all_groups": True, "counts": {"people": 4120, "left": 2, "groups": 310}}),
            (2, {"refused": [{"part": "people", "id": None, "gone": 1400, "known": 4120}]}),
            (1, {"error": "cannot contact LDAP server", "has_all_people": False}),
        ):
            at = now - timedelta(hours=hours)
            told = {"has_all_people": True, "started_at": at, "ended_at": at, **more}
            DirectoryRun.objects.create(**told)
    return {}
