"""Making a site as its file says: all of it or nothing, one load at a time.

`rehearse` does everything and takes it back: what it shows is what `load` will do.
"""

from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q

from portal.lib.errors import Conflict
from projects.actions.events import record
from projects.models import Project, User
from projects.states import STANDING
from quotas.actions.keeping import change_catalogue, keep_new_limits
from quotas.actions.targets import ensure_targets, touch_targets
from quotas.models import Target

from .changes import ADDED, CHANGED, RETIRED, Changes, Writer
from .loading_cloud import CloudLoader
from .loading_handles import HandleLoader
from .loading_holidays import load_holidays
from .loading_people import PeopleLoader
from .problems import Problems
from .site import Site

# Any number that no other advisory lock of ours has.
_LOCK = 7_301_001


class Busy(Conflict):
    """Another load is in progress."""

    code = "load_in_progress"


def load(site: Site, *, actor: User | None = None, now: datetime) -> Changes:
    """Store what the file says. Raises Refused with lines, or Busy; then nothing is stored."""
    with transaction.atomic():
        _alone()
        changes, problems = Changes(), Problems()
        cloud = CloudLoader(site, Writer(changes, problems), now)
        people = PeopleLoader(site, changes, problems, actor, now)
        people.load()
        cloud.load()
        touched = HandleLoader(people, changes, problems).load()
        load_holidays(site, changes, now)
        problems.refuse()
        # At once: targets are locked in one order.
        touch_targets(Target.objects.filter(Q(endpoint__in=cloud.touched) | touched))
        if cloud.new_endpoints:
            ensure_targets(Project.objects.filter(state__in=STANDING))
        else:
            ensure_targets(people.new_projects)
        if count := keep_new_limits(cloud.new_limits, now):
            changes.notes.append(
                f"{count:,} limits of projects that were taken over stay as they are; "
                "run import_cloud to take them over, too"
            )
        if changes.found:
            record(
                "catalogue loaded", actor=actor, now=now, subject_kind="catalogue",
                added=changes.count(ADDED), changed=changes.count(CHANGED),
                retired=changes.count(RETIRED),
            )  # fmt: skip
    return changes


def rehearse(site: Site, *, actor: User | None = None, now: datetime) -> Changes:
    """What `load` would do now; raises what it would raise, and stores nothing."""
    with transaction.atomic():
        changes = load(site, actor=actor, now=now)
        transaction.set_rollback(True)
    return changes


def _alone() -> None:
    """Hold the lock of all loads until the transaction ends, or raise Busy."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            raise Busy("Another file is being loaded right now; try again when that is done.")
    change_catalogue()
