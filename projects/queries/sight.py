"""What somebody may see of long lists, with slots: the same as viewers.py says of a viewer.

For statements that are compiled once (portal/lib/compiled.py), as pages of lists of the API.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, F, Func, Q, QuerySet, TextField
from django.db.models.functions import Cast

from portal.lib.lookups import IsAnyOf, begins_with_any, is_among, is_of
from projects.models import Membership, Project

from .viewers import SEE_PROJECTS, Viewer, ids_seen, is_much


class Reach(StrEnum):
    """How much of a long list somebody may see: in which way it is read."""

    ALL = "all"
    # Below a top unit, among others: a page is soon found along the list.
    MUCH = "much"
    SOME = "some"


class _UnitsBelow(Func):
    """The ids of the units whose path begins with one of an array's, by the index of paths."""

    template = (
        "ARRAY(SELECT below.id FROM unnest(%(expressions)s) top, projects_unit below "
        "WHERE below.path ~>=~ top AND below.path ~<~ (left(top, -1) || '0'))"
    )
    output_field = ArrayField(BigIntegerField())


@dataclass(frozen=True)
class Sight:
    """What somebody may see of long lists, as conditions with slots; `shape_of`, `values_of`.

    reach: one of Reach; groups: an array of ids; paths: of the paths of units below which
    everything is theirs to see.
    """

    reach: Reach
    user: Any
    groups: Any
    paths: Any
    now: Any

    @property
    def own(self) -> Q:
        """On a row with `user` and `group` that it names the person."""
        return Q(user=self.user) | Q(is_of("group", self.groups))

    @property
    def projects(self) -> QuerySet[Project]:
        """As `visible_projects`."""
        if self.reach == Reach.ALL:
            return Project.objects.all()
        if self.reach == Reach.MUCH:
            return Project.objects.filter(Q(self._in_units) | Q(is_among("pk", self._own)))
        return Project.objects.filter(is_among("pk", self._ids))

    @property
    def of_projects_or_below(self) -> Q:
        """As `of_visible_projects` or `lying_below`; never of who sees everything."""
        if self.reach == Reach.MUCH:
            below = [
                begins_with_any(each, self.paths) for each in ("project__unit__path", "unit__path")
            ]
            return Q(project__in=self._own) | Q(below[0]) | Q(below[1])
        return Q(is_among("project", self._ids)) | Q(self._in_units)

    @property
    def _own(self) -> QuerySet[Any, Any]:
        return Membership.objects.live(self.now).filter(self.own).values("project")

    @property
    def _ids(self) -> QuerySet[Any, Any]:
        return ids_seen(self.own, Q(self._in_units), self.now)

    @property
    def _in_units(self) -> IsAnyOf:
        return IsAnyOf(F("unit"), _UnitsBelow(Cast(self.paths, ArrayField(TextField()))))


def reach_of(viewer: Viewer) -> Reach:
    """The shape of what the person may see; no service account, which has a place."""
    if viewer.sees_everything:
        return Reach.ALL
    return Reach.MUCH if is_much(viewer.paths(*SEE_PROJECTS)) else Reach.SOME


def values_of(viewer: Viewer) -> dict[str, Any]:
    """What fills the slots of a Sight."""
    return {
        "user": viewer.user.pk,
        "groups": sorted(viewer.group_ids),
        "paths": viewer.paths(*SEE_PROJECTS),
        "now": viewer.now,
    }
