"""The organisation's tree as it changes: new units, other names, other places."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet, TextField, Value
from django.db.models.functions import Concat, Substr
from django.utils.translation import gettext as _

from portal.lib.compiled import compiled_rows
from portal.lib.errors import Conflict, Invalid
from portal.lib.locks import SHARED, lock, share
from portal.lib.lookups import IsAnyOf, is_one_of_many
from projects.models import Project, Unit, UnitPlacement, User, ancestor_paths

from .events import record

MAX_PATH = 1000


def make_unit(
    *, slug: str, name: str, parent: Unit | None, actor: User | None = None, now: datetime
) -> Unit:
    """Add a unit below `parent`, or at the top. Raises Conflict below a retired one."""
    with transaction.atomic():
        if parent is not None:
            parent = hold_path(parent)
        _refuse_retired(parent)
        unit = Unit.objects.create(slug=slug, name=name, parent=parent, path=_path(slug, parent))
        UnitPlacement.objects.create(unit=unit, parent=parent, starts_at=now)
        _record("unit made", unit, actor, now)
    return unit


def rename_unit(*, unit: Unit, name: str, actor: User | None, now: datetime) -> None:
    """Call a unit by another name; its slug, and with it every path, stays."""
    unit.name = name
    with transaction.atomic():
        unit.save(update_fields=["name"])
        _record("unit renamed", unit, actor, now)


def move_unit(*, unit: Unit, parent: Unit | None, actor: User | None = None, now: datetime) -> bool:
    """Put a unit, with all that lies below it, under another parent; False: it is there already.

    Raises Conflict where the parent lies below the unit itself or either is retired. Envelopes
    and quota stay with their holders; what else follows: quotas.actions.unit_changes.
    """
    with transaction.atomic():
        take_subtree(unit)
        if parent is not None:
            parent.path = hold_path(parent).path
            parent.refresh_from_db()
            if parent.path.startswith(unit.path):
                words = {"unit": unit.label, "parent": parent.label}
                raise Conflict(_("%(unit)s cannot lie below itself, in %(parent)s.") % words)
        _refuse_retired(parent)
        if unit.retired_at is not None:
            raise Conflict(_("%(unit)s is retired; it stays where it was.") % {"unit": unit.label})
        if parent == unit.parent:
            return False
        before, after = unit.path, _path(unit.slug, parent)
        old = unit.parent_id
        Unit.objects.filter(path__startswith=before).update(
            path=Concat(Value(after), Substr(F("path"), len(before) + 1))
        )
        unit.parent, unit.path = parent, after
        unit.save(update_fields=["parent"])
        _place(unit, parent, now)
        after_id = parent.pk if parent else None
        _record("unit moved", unit, actor, now, before=old, after=after_id)
    return True


def retire_unit(*, unit: Unit, actor: User | None, now: datetime) -> None:
    """Close an empty unit for good; its row, path and history stay.

    The caller has locked it (`take_subtree`) and swept what it held. Raises Conflict.
    """
    with transaction.atomic():
        retired = Unit.objects.filter(pk=unit.pk, retired_at__isnull=True).update(retired_at=now)
        if not retired:
            raise Conflict(_("%(unit)s is retired already.") % {"unit": unit.label})
        if Unit.objects.filter(parent=unit, retired_at__isnull=True).exists():
            raise Conflict(_("Units stand below %(unit)s still.") % {"unit": unit.label})
        if Project.objects.filter(unit=unit).exists():
            raise Conflict(_("Projects are in %(unit)s still.") % {"unit": unit.label})
        UnitPlacement.objects.filter(unit=unit, ends_at__isnull=True, starts_at__lt=now).update(
            ends_at=now
        )
        _record("unit retired", unit, actor, now, heir=unit.parent_id)
    unit.retired_at = now


def take_subtree(unit: Unit) -> None:
    """Lock a unit and all below it, and bring the object up to date.

    Decisions hold their unit path FOR SHARE: nobody decides below while this lasts.
    """
    seen = ""
    while unit.path != seen:
        seen = unit.path
        lock(Unit.objects.filter(path__startswith=seen))
        # It may have been moved while we waited; then others lie below it.
        unit.refresh_from_db()


def hold_path(unit: Unit) -> Unit:
    """The unit as it stands now, held there with all above it until the transaction ends."""
    return _hold(Unit.objects.in_bulk([unit.pk]))[unit.pk]


def take_unit(unit: Unit) -> Unit:
    """`hold_path`, and the unit itself locked: whoever decides below it comes before or after.

    For who declares or funds an envelope. One id after the other, as others take them.
    """
    seen = ""
    while True:
        fresh = Unit.objects.get(pk=unit.pk)
        if fresh.path == seen:
            return fresh
        seen = fresh.path
        above = set(Unit.objects.above(seen).values_list("pk", flat=True)) - {fresh.pk}
        share(Unit, [each for each in above if each < fresh.pk])
        lock(Unit.objects.filter(pk=fresh.pk))
        share(Unit, [each for each in above if each > fresh.pk])


def lock_placed(*project_ids: int) -> list[Project]:
    """`lock` of projects, as far as there are such, with their units at hand: for `hold_places`."""
    rows: list[Project] = _locked(projects=[*project_ids])
    return rows


@compiled_rows
def _locked(*, projects: Any) -> QuerySet[Project]:
    rows = Project.objects.filter(IsAnyOf(F("pk"), projects)).select_related("unit")
    return rows.order_by("pk").select_for_update(no_key=True, of=("self",))


@partial(compiled_rows, ending=SHARED)
def _shared(*, paths: Any) -> QuerySet[Unit]:
    return Unit.objects.filter(is_one_of_many("path", paths, TextField())).order_by("pk")


def hold_place(project: Project) -> None:
    """`hold_path` for the unit of a locked project, which then knows its path of now."""
    hold_places([project])


def hold_places(projects: Collection[Project]) -> None:
    """`hold_place` for many locked projects at the price of one.

    One query where their units are at hand as they stand.
    """
    units = {each.unit_id: each.unit for each in projects if Project.unit.is_cached(each)}
    missing = {each.unit_id for each in projects} - units.keys()
    if missing:
        units |= Unit.objects.in_bulk(missing)
    held = _hold(units)
    for each in projects:
        each.unit = held[each.unit_id]


def _hold(units: dict[int, Unit]) -> dict[int, Unit]:
    """The units as they stand, held there; given as they were last seen."""
    while True:
        paths = {path for each in units.values() for path in ancestor_paths(each.path)}
        by_path = {each.path: each for each in _shared(paths=sorted(paths))}
        held = {each.pk: each for each in by_path.values()}
        if all(pk in held and held[pk].path == each.path for pk, each in units.items()):
            return {pk: _with_lineage(held[pk], by_path) for pk in units}
        # One was moved while we waited, or since it was seen; those above it are others then.
        units = Unit.objects.in_bulk(list(units))


def _with_lineage(unit: Unit, by_path: Mapping[str, Unit]) -> Unit:
    """With all above it at hand, or not: one of those may have been moved meanwhile."""
    above = ancestor_paths(unit.path)
    if all(path in by_path for path in above):
        unit.lineage = tuple(by_path[path] for path in above)
    return unit


def _place(unit: Unit, parent: Unit | None, now: datetime) -> None:
    UnitPlacement.objects.filter(unit=unit, ends_at__isnull=True, starts_at__gte=now).delete()
    UnitPlacement.objects.filter(unit=unit, ends_at__isnull=True).update(ends_at=now)
    UnitPlacement.objects.create(unit=unit, parent=parent, starts_at=now)


def _path(slug: str, parent: Unit | None) -> str:
    path = f"{parent.path if parent else ''}{slug}/"
    if len(path) > MAX_PATH:
        raise Invalid({"parent": [_("The tree is too deep at %(unit)s.") % {"unit": slug}]})
    return path


def _record(verb: str, unit: Unit, actor: User | None, now: datetime, **data: Any) -> None:
    record(verb, actor=actor, now=now, unit=unit, subject_kind="unit", subject_id=unit.pk, **data)


def _refuse_retired(parent: Unit | None) -> None:
    if parent is not None and parent.retired_at is not None:
        raise Conflict(_("%(unit)s is retired; nothing is put below it.") % {"unit": parent.label})
