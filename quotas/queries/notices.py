"""What a person was told, and what of it they may still see.

Events hold ids: names and sentences are looked up when a notice is read, by what the
reader may see then. Of anything else a notice shows nothing but that it is there.
"""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import QuerySet

from projects.models import Delegation, Notice, Unit, User
from projects.queries.delegations import visible_delegations
from projects.queries.viewers import SEE_DELEGATIONS, Viewer, below
from quotas.models import QuotaRequest
from quotas.queries.requests import visible_requests

SHOWN = 8  # on the first page


@dataclass(frozen=True)
class NoticeRow:
    """A notice with what it is about; neither subject nor actor where that is not to be seen."""

    notice: Notice
    subject: QuotaRequest | Delegation | Unit | None

    @property
    def actor(self) -> User | None:
        return self.notice.event.actor if self.subject is not None else None

    @property
    def verb(self) -> str:
        return self.notice.event.verb if self.subject is not None else ""


def notices_of(viewer: Viewer, *, is_unread: bool = False) -> QuerySet[Notice]:
    """The person's notices, the newest first."""
    rows = Notice.objects.filter(person=viewer.user).select_related("event__actor").order_by("-pk")
    return rows.filter(read_at__isnull=True) if is_unread else rows


def notice_rows(notices: Collection[Notice], viewer: Viewer) -> list[NoticeRow]:
    """Each with its subject: one query for each kind of these, for any number of notices."""
    requests = {each.event.subject_id for each in notices if _is_about(each, "request")}
    delegations = {each.event.subject_id for each in notices if _is_about(each, "delegation")}
    units = {each.event.unit_id for each in notices if _is_about_unit(each)}
    found: dict[tuple[str, int | None], QuotaRequest | Delegation | Unit] = {}
    if requests:
        for asked in visible_requests(viewer).filter(pk__in=requests):
            found["request", asked.pk] = asked
    if delegations:
        for delegation in visible_delegations(viewer).filter(pk__in=delegations):
            found["delegation", delegation.pk] = delegation
    if units:
        for unit in _overseen(viewer).filter(pk__in=units):
            found["unit", unit.pk] = unit
    return [NoticeRow(each, found.get(_key(each))) for each in notices]


def _is_about(notice: Notice, kind: str) -> bool:
    return notice.event.subject_kind == kind


def _is_about_unit(notice: Notice) -> bool:
    """Of no row of its own, but of a unit: who decides there."""
    return notice.event.subject_kind in ("", "unit") and notice.event.unit_id is not None


def _key(notice: Notice) -> tuple[str, int | None]:
    if _is_about_unit(notice):
        return "unit", notice.event.unit_id
    return notice.event.subject_kind, notice.event.subject_id


def _overseen(viewer: Viewer) -> QuerySet[Unit]:
    """The units of whose delegations the person may read."""
    if viewer.sees_everything:
        return Unit.objects.all()
    return Unit.objects.filter(below(viewer.paths(*SEE_DELEGATIONS), "path"))
