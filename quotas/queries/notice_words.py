"""What a notice says, and where it leads: a sentence by its kind, and by what was done."""

from dataclasses import replace

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.moments import full_day_words
from projects.models import (
    ApiToken,
    Delegation,
    DirectoryRun,
    Project,
    ProjectChange,
    Unit,
    Webhook,
)
from projects.states import NoticeKind
from quotas.models import Announcement, QuotaRequest

from .notices import TASKS, FormerProject, NoticeRow
from .project_notices import OF_KINDS, OF_PROJECTS, Look, reached

LOOKS: dict[str, Look] = {
    NoticeKind.REMINDED: Look(gettext_lazy("%(what)s still waits for you"), "clock", "warn"),
    NoticeKind.NUDGED: Look(gettext_lazy("%(who)s asks you to look at %(what)s"), "clock", "warn"),
    NoticeKind.ESCALATED: Look(gettext_lazy("%(what)s was handed up to you"), "up", "warn"),
    NoticeKind.RETURNED: Look(
        gettext_lazy("%(who)s returned %(what)s with a question"), "back", "warn"
    ),
    NoticeKind.ASKED: Look(gettext_lazy("%(who)s asked in your name: %(what)s"), "pencil", "busy"),
    NoticeKind.ANSWERED: Look(
        gettext_lazy("%(who)s answered the question on %(what)s"), "send", "busy"
    ),
    NoticeKind.COMMENTED: Look(gettext_lazy("%(who)s wrote on %(what)s"), "people"),
    NoticeKind.ENDORSED: Look(gettext_lazy("%(who)s endorsed %(what)s"), "stamp", "busy"),
    NoticeKind.DECIDED: Look(gettext_lazy("%(who)s decided about %(what)s"), "stamp", "busy"),
    NoticeKind.WITHDRAWN: Look(gettext_lazy("%(who)s withdrew %(what)s"), "back"),
    NoticeKind.DEPUTY: Look(gettext_lazy("%(who)s made you their deputy: %(what)s"), "people"),
    NoticeKind.DELEGATED: Look(gettext_lazy("%(who)s delegated to you: %(what)s"), "people"),
    NoticeKind.REVOKED: Look(gettext_lazy("%(who)s revoked %(what)s"), "cross", "warn"),
    NoticeKind.ENDS_SOON: Look(gettext_lazy("%(what)s ends soon"), "calendar", "warn"),
    NoticeKind.JOINED: Look(
        gettext_lazy("People joined a group that you delegated to: %(what)s"), "people"
    ),
    NoticeKind.LEFT: Look(
        gettext_lazy("Somebody that you delegated to has left: %(what)s"), "people", "warn"
    ),
    NoticeKind.WEBHOOK_DISABLED: Look(
        gettext_lazy("%(what)s was disabled: it is called no more"), "warn", "warn"
    ),
    NoticeKind.WEBHOOK_TAKEN: Look(
        gettext_lazy("%(who)s took over a webhook of yours: %(what)s"), "people"
    ),
    NoticeKind.TOKEN_ENDS: Look(
        gettext_lazy("%(what)s ends soon: make a new secret in time"), "calendar", "warn"
    ),
    NoticeKind.COVERAGE: Look(gettext_lazy("Too few people decide: %(what)s"), "warn", "warn"),
    NoticeKind.DIRECTORY: Look(
        gettext_lazy("Too many would have gone at once: %(what)s"), "people", "warn"
    ),
}
# What exactly was decided, where the event's verb tells.
DECIDED: dict[str, Look] = {
    "approved": Look(gettext_lazy("%(who)s approved %(what)s"), "stamp", "busy"),
    "declined": Look(gettext_lazy("%(who)s declined %(what)s"), "cross", "bad"),
}
# Where it was one person.
JOINED_ALONE = Look(
    gettext_lazy("%(who)s joined a group that you delegated to: %(what)s"), "people"
)
GONE = Look(gettext_lazy("About something that you may no longer see"), "lock")
OTHER = Look(gettext_lazy("%(who)s did something with %(what)s"), "info")


def look_of(row: NoticeRow) -> Look:
    """How a notice is told; of what may not be seen nothing is."""
    if row.subject is None:
        return GONE
    look = _look(row)
    return replace(look, tone="") if row.is_over else look


def _look(row: NoticeRow) -> Look:
    if row.notice.kind == NoticeKind.DECIDED and row.verb in DECIDED:
        return DECIDED[row.verb]
    if row.notice.kind == NoticeKind.JOINED and row.actor is not None:
        return JOINED_ALONE
    if row.verb in OF_PROJECTS:
        return OF_PROJECTS[row.verb]
    return LOOKS.get(row.notice.kind) or OF_KINDS.get(row.notice.kind, OTHER)


def sentence_of(row: NoticeRow) -> str:
    """Return "Dana approved #1042 for atlas-reco"."""
    who = str(row.actor) if row.actor is not None else _("Remit")
    said = str(look_of(row).words) % {"who": who, "what": what_of(row)}
    if row.verb == "usage crossed":
        said = _("%(said)s (%(limits)s)") % {"said": said, "limits": reached(row.notice.event.data)}
    if row.is_over and row.subject is not None:
        return _("%(said)s – it waits no more") % {"said": said}
    return said


def what_of(row: NoticeRow) -> str:
    """Return "#1042 for atlas-reco": what a notice is about."""
    if isinstance(row.subject, QuotaRequest):
        words = {"number": row.subject.pk, "project": row.subject.project.name}
        return _("#%(number)s for %(project)s") % words
    if isinstance(row.subject, Delegation):
        words = {"number": row.subject.pk, "unit": row.subject.unit.label}
        return _("D-%(number)s in %(unit)s") % words
    if isinstance(row.subject, Webhook):
        return _("Your webhook “%(name)s”") % {"name": row.subject.name}
    if isinstance(row.subject, ApiToken):
        return _("The token “%(name)s”") % {"name": row.subject.name}
    if isinstance(row.subject, Project | FormerProject):
        return row.subject.name
    if isinstance(row.subject, ProjectChange):
        return row.subject.project.name
    if isinstance(row.subject, DirectoryRun):
        return _("the directory's reading of %(day)s") % {
            "day": full_day_words(timezone.localdate(row.subject.started_at))
        }
    if isinstance(row.subject, Announcement):
        return row.subject.subject
    return row.subject.label if isinstance(row.subject, Unit) else ""


def url_of(row: NoticeRow) -> str:
    """The page of what it is about; of what waits for a decision, where that is made."""
    if isinstance(row.subject, QuotaRequest):
        name = "decide" if row.notice.kind in TASKS and not row.is_over else "request_detail"
        return reverse(name, args=[row.subject.pk])
    if isinstance(row.subject, Delegation):
        return reverse("delegation_detail", args=[row.subject.pk])
    if isinstance(row.subject, Webhook):
        return reverse("webhook_detail", args=[row.subject.public_id])
    if isinstance(row.subject, ApiToken):
        return reverse("token_detail", args=[row.subject.public_id])
    if isinstance(row.subject, Project) and row.notice.kind == NoticeKind.UNUSED:
        return reverse("project_unused", args=[row.subject.slug])
    if isinstance(row.subject, Project):
        return reverse("project_detail", args=[row.subject.slug])
    if isinstance(row.subject, ProjectChange):
        return reverse("change_detail", args=[row.subject.pk])
    if isinstance(row.subject, DirectoryRun):
        return reverse("directory_state")
    if isinstance(row.subject, Announcement):
        return reverse("announcement_detail", args=[row.subject.pk])
    if isinstance(row.subject, Unit):
        return reverse("unit_detail", args=[row.subject.slug])
    return ""
