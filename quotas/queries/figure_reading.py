"""What the figures of projects are made of, as it is read: one statement, plain rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from portal.lib.lookups import is_of
from portal.lib.together import Part, Rows, Values
from quotas.models import Account, Endpoint, Loan, Reading, RequestLine, Target
from quotas.states import PENDING

from .catalogue_kept import mark_part


@dataclass(frozen=True)
class Seen:
    """What a service said of one limit, and when; reserved is its own word."""

    used: int
    reserved: int
    limit: int | None
    read_at: datetime


# What is read of readings and of loans, as `Told` and `Lent` take it.
TOLD = ("target__project", "target", "limit", "used", "reserved", "limit_seen", "read_at",
        "surveyed_at")  # fmt: skip
LENT = ("account__project", "account__offering", "outstanding", "ends_at", "source__unit__path")


@dataclass(frozen=True, slots=True)
class Told:
    """What a service told of a limit of a project; `used_at`: when it told last what is used."""

    project_id: int
    target_id: int
    limit_id: int
    limit_seen: int | None
    used_at: datetime
    seen: Seen | None

    @classmethod
    def of(
        cls, project: int, target: int, limit: int, used: int | None, reserved: int | None,
        limit_seen: int | None, read_at: str, surveyed_at: str | None,
    ) -> Self:  # fmt: skip
        at = datetime.fromisoformat(read_at)
        if surveyed_at is not None:
            at = max(at, datetime.fromisoformat(surveyed_at))
        seen = None
        if used is not None:
            seen = Seen(used, 0 if reserved is None else reserved, limit_seen, at)
        return cls(project, target, limit, limit_seen, at, seen)


@dataclass(frozen=True, slots=True)
class Lent:
    """A loan as it stands. unit_path: of who lent it; empty: it is from the pool."""

    project_id: int
    offering_id: int
    outstanding: int
    ends_at: datetime
    unit_path: str

    @classmethod
    def of(
        cls, project: int, offering: int, outstanding: int, ends_at: str, unit_path: str | None
    ) -> Self:
        return cls(project, offering, outstanding, datetime.fromisoformat(ends_at), unit_path or "")


def figure_parts(projects: Any) -> list[Part]:
    """What asks for the figures of these projects, an array of ids: for `Figures`."""
    loans = Loan.objects.filter(is_of("account__project", projects), outstanding__gt=0)
    of_theirs = is_of("target__project", projects)
    return [
        mark_part(),
        Values(
            Account.objects.filter(is_of("project", projects)),
            ["project", "offering", "balance"],
        ),
        Values(
            RequestLine.objects.filter(is_of("project", projects), state__in=PENDING),
            ["project", "offering", "wanted"],
        ),
        Values(loans.order_by("ends_at", "pk"), LENT),
        Values(Reading.objects.filter(of_theirs), TOLD),
        Rows(
            Target.objects.filter(is_of("project", projects)).order_by("endpoint__slug")
        ),
        Rows(Endpoint.objects.order_by("slug"), ["state_by"]),
    ]  # fmt: skip
