"""Events and notices: numbered as they happen, each act a transaction of its own."""

from datetime import datetime

from projects.models import Event, Notice

from .copying import NULL, Sheets

# Transactions of a real server begin somewhere above.
FIRST_XID = 1_000
COLUMNS = (
    "id", "xid", "at", "actor_id", "verb", "project_id", "unit_id", "subject_kind", "subject_id",
    "data",
)  # fmt: skip


class Record:
    """What happened so far; moments must rise."""

    def __init__(self, sheets: Sheets) -> None:
        self._events = sheets.of(Event, *COLUMNS)
        self._notices = sheets.of(
            Notice, "id", "xid", "event_id", "person_id", "kind", "at", "read_at"
        )
        self.count, self.notice_count, self.xid = 0, 0, FIRST_XID

    def add(
        self, verb: str, at: datetime | str, *, actor: int | None = None,
        project: int | None = None, unit: int | None = None, kind: str = "",
        subject: int | None = None, data: str = "{}",
    ) -> int:  # fmt: skip
        """at: as COPY reads it; data: JSON without backslashes. Returns the event's id."""
        self.count += 1
        self.xid += 1
        self._events.line(
            f"{self.count}\t{self.xid}\t{at}\t{NULL if actor is None else actor}\t{verb}\t"
            f"{NULL if project is None else project}\t{NULL if unit is None else unit}\t{kind}\t"
            f"{NULL if subject is None else subject}\t{data}"
        )
        return self.count

    def tell(self, event: int, person: int, kind: str, at: str, is_read: bool) -> None:
        self.notice_count += 1
        self._notices.line(
            f"{self.notice_count}\t{self.xid}\t{event}\t{person}\t{kind}\t{at}\t"
            f"{at if is_read else NULL}"
        )
