"""The site as a whole: set up, lived in for three years, and looked at by the planner."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from time import perf_counter

from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Model

from projects.models import Event, Group, Notice, Postbox, Project, Unit, User
from quotas.models import (
    Account,
    Assignment,
    Comment,
    Decision,
    DecisionLine,
    Delivery,
    Offering,
    QuotaRequest,
    Reading,
    Region,
    RequestLine,
    Target,
    Transfer,
    UnitUsage,
    UsagePeak,
)
from quotas.queries.queue_walk import mark_waiting

from .asking import Asking
from .authority import Authority
from .balances import FUNDED, ISSUED, Balances
from .bare import bare
from .clouds import Clouds, accounts, bound_uses
from .copying import Sheets
from .deciding import Deciding
from .decisions import Decisions
from .moves import Moves
from .numbers import Numbers
from .organisation import groups, holder_handles, people, projects, units
from .places import catalogue
from .record import Record
from .sizes import OFFERINGS, Scale
from .story import Story
from .times import DAY, SET_UP_DAYS, Clock, Times
from .waits import WaitingClock

LARGE = (
    Account, Assignment, Comment, Decision, DecisionLine, Delivery, Event, Notice, QuotaRequest,
    Reading, RequestLine, Target, Transfer, UnitUsage, UsagePeak,
)  # fmt: skip
# Any of these with a row in it: the database is somebody's.
FIRST_OF_ALL = (User, Group, Unit, Project, Region, Offering, Event, QuotaRequest, Transfer)
Say = Callable[[str], None]


class NotEmpty(Exception):
    """The database has something in it. tables: where."""

    def __init__(self, tables: list[str]) -> None:
        super().__init__(", ".join(tables))
        self.tables = tables


def check_empty() -> None:
    """Raise NotEmpty unless the database is as migrations leave it."""
    if found := [each._meta.db_table for each in FIRST_OF_ALL if each.objects.exists()]:
        raise NotEmpty(found)


def make_site(scale: Scale, seed: int, now: datetime, say: Say) -> dict[type[Model], int]:
    """Fill an empty, migrated database; how many rows of each there are. All or nothing.

    now: the end of history, in UTC. The same arguments give the same rows.
    """
    check_empty()
    sheets = Sheets()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
        with bare(LARGE):
            _write(sheets, scale, seed, now.replace(microsecond=0), say)
            sheets.flush()
            # Lines may be written after those whom they wait for.
            mark_waiting(now)
            say("Making indexes and checking every reference…")
        for sql in connection.ops.sequence_reset_sql(no_style(), list(sheets.counts)):
            cursor.execute(sql)
        # The record goes on behind the transactions that it tells of, and nobody is sent letters.
        cursor.execute("SELECT remit_begin_era()")
        cursor.execute("SELECT max(xid::text::bigint), max(id) FROM projects_notice")
        after_xid, after_id = cursor.fetchone()
        Postbox.objects.update(after_xid=after_xid or 0, after_id=after_id or 0)
    with _told(say, "Looking at it as the planner does"), connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.in_atomic_block else "VACUUM (ANALYZE)")
    return sheets.counts


def _write(sheets: Sheets, scale: Scale, seed: int, now: datetime, say: Say) -> None:
    numbers, times, chance = Numbers(scale), Times(now, scale.requests), Random(seed)  # noqa: S311
    record, balances = Record(sheets), Balances(numbers)
    clock = _setting_up(scale, times)
    people(sheets, record, numbers, chance, clock)
    since = groups(sheets, record, numbers, chance, clock)
    paths = units(sheets, record, numbers, clock)
    authority = Authority(numbers, times, paths, since)
    authority.write(sheets, record, clock)
    authority.write_rules(sheets, record, clock)
    catalogue(sheets, times.set_up.date())
    projects(sheets, record, numbers, chance, clock)
    holder_handles(sheets, numbers, chance)
    deciding = Deciding(numbers, times, authority, balances)
    asking = Asking(numbers, times, balances, seed)
    waits = WaitingClock(now)
    moves = Moves(sheets, record, numbers, balances, waits)
    decisions = Decisions(sheets, record, deciding, moves)
    story = Story(sheets, record, asking, decisions, waits)
    for offering in range(1, OFFERINGS + 1):
        moves.issue(offering, ISSUED, str(clock()))
        for unit in numbers.units_with_envelopes:
            moves.fund(unit, offering, FUNDED, str(clock()))
    with _told(say, f"Telling of {scale.requests:,} requests"):
        story.tell(lambda count: say(f"{count:,} of {scale.requests:,} requests…"))
    with _told(say, "Writing what everybody has, and uses"):
        # An account is where its project is as it is written.
        sheets.flush()
        accounts(sheets, numbers, balances)
        bound_uses(sheets, numbers, authority, balances)
        Clouds(sheets, numbers, times, balances).write(decisions.generations)


def _setting_up(scale: Scale, times: Times) -> Clock:
    """Moments that rise evenly until the first request."""
    count = (
        10
        + scale.people
        + scale.units
        + scale.delegations
        + scale.projects
        + OFFERINGS * (1 + scale.levels[1])
    )
    moment, step = times.set_up, timedelta(seconds=SET_UP_DAYS * DAY // (count + 1))

    def clock() -> datetime:
        nonlocal moment
        moment += step
        return moment

    return clock


@contextmanager
def _told(say: Say, what: str) -> Iterator[None]:
    began = perf_counter()
    say(f"{what}…")
    yield
    say(f"{what}: {perf_counter() - began:.1f} s.")
