"""How somebody wants to see what waits for them: filters and an order, as an address says them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.utils.translation import gettext_lazy as _

from projects.models import ProjectKind
from quotas.states import AssignmentKind, Direction

PAGE = 50
# Nobody pages further; beyond it counts are said as "1,000+".
COUNTED = 1000
LAST_PAGE = COUNTED // PAGE + 1
MOST_DAYS = 366
MOST_TEXT = 100


class Order(models.TextChoices):
    """What stands first."""

    OLDEST = "oldest", _("the oldest first")
    LARGEST = "largest", _("the largest first")
    ESCALATES = "escalates", _("what is handed up next")
    ENDS = "ends", _("what is wanted for the shortest")
    PROJECT = "project", _("by project")


@dataclass(frozen=True)
class Wanted:
    """What of a queue somebody wants to see, and in which order; the defaults are all of it.

    unit and resource: slugs; zone: an id; kind: of project; task: to decide or to endorse;
    endorsed: "yes" or "no"; direction: of a line; days: asked for at least so long ago; text:
    of a project, a requester or a request's number.
    """

    unit: str = ""
    zone: int | None = None
    resource: str = ""
    kind: str = ""
    task: str = ""
    endorsed: str = ""
    direction: str = ""
    days: int | None = None
    text: str = ""
    order: str = Order.OLDEST
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, Any]) -> "Wanted":
        """From an address; what makes no sense there is as if it were not."""
        days = _number(str(query.get("days", "")))
        page = _number(str(query.get("page", ""))) or 1
        return cls(
            unit=_plain(query.get("unit", "")),
            zone=_number(str(query.get("zone", ""))),
            resource=_plain(query.get("resource", "")),
            kind=_one_of(query.get("kind"), ProjectKind.values),
            task=_one_of(query.get("task"), AssignmentKind.values),
            endorsed=_one_of(query.get("endorsed"), ("yes", "no")),
            direction=_one_of(query.get("direction"), Direction.values),
            days=min(days, MOST_DAYS) if days else None,
            text=_plain(query.get("text", ""), is_ascii=False).strip(),
            order=_one_of(query.get("order"), Order.values) or Order.OLDEST,
            page=min(max(page, 1), LAST_PAGE),
        )

    def query(self, **changes: Any) -> str:
        """The same as an address's query, changed in places: "?unit=atlas" or ""."""
        now = asdict(self) | changes
        said = {
            each.name: now[each.name] for each in fields(self) if now[each.name] != each.default
        }
        return f"?{urlencode(said)}" if said else ""

    @property
    def is_narrowed(self) -> bool:
        return self._is_set_beside("order", "page")

    @property
    def is_narrowed_further(self) -> bool:
        """By something else than what a queue is mostly narrowed by."""
        return self._is_set_beside("order", "page", "unit", "zone")

    def _is_set_beside(self, *others: str) -> bool:
        return any(
            getattr(self, each.name) != each.default
            for each in fields(self)
            if each.name not in others
        )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _plain(value: Any, *, is_ascii: bool = True) -> str:
    text = str(value)[:MOST_TEXT]
    return text if text.isprintable() and (text.isascii() or not is_ascii) else ""


def _one_of(value: Any, choices: Any) -> str:
    return str(value) if str(value) in choices else ""
