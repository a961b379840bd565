"""What differs between what is wanted and what was read: of limits, of use, of a project.

Only compares; which difference is kept, since when and until when, says `drift`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from portal.lib.plain import storable
from projects.models import Project
from projects.states import ProjectState
from quotas.backends.base import Figure, IdentityProject
from quotas.models import Drift, Limit, ProjectHandle
from quotas.states import DriftKind

from .readings import in_base_units
from .wanted import Wanted

# What a bigint column holds; a factor can carry what is wanted beyond it.
_LARGEST = 2**63 - 1
CHANGED = (DriftKind.LIMIT_CHANGED, DriftKind.UNLIMITED)
Key = tuple[DriftKind, int | None]


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be, as a reading has it; amounts in base units.

    Of use above a limit, `wanted` is the limit that was seen and `seen` the use.
    """

    kind: DriftKind
    limit: Limit | None = None
    wanted: int | None = None
    seen: int | None = None
    name: str = ""

    @property
    def key(self) -> Key:
        return self.kind, self.limit.pk if self.limit else None


def limit_differences(
    wanted: Iterable[Wanted],
    figures: Mapping[str, Figure],
    was_true: Callable[[Wanted], bool],
    rows: Mapping[Key, Drift],
) -> list[Difference]:
    """What differs in the figures of a service, {key: Figure} in its units.

    was_true: whether a limit was once there as it is wanted now; rows: the open drift.
    """
    return [
        difference
        for each in wanted
        if each.limit.left_out_at is None
        for difference in _differences(each, figures.get(each.limit.key), was_true, rows)
    ]


def _differences(
    wanted: Wanted,
    figure: Figure | None,
    was_true: Callable[[Wanted], bool],
    rows: Mapping[Key, Drift],
) -> list[Difference]:
    limit, amount = wanted.limit, min(wanted.amount, _LARGEST)
    if figure is None:
        # Nothing is wanted of what is not there: no difference.
        return [Difference(DriftKind.KEY_MISSING, limit, amount)] if wanted.amount else []
    found = []
    if figure.limit is not None and figure.limit != wanted.units:
        kind = DriftKind.UNLIMITED if figure.is_unlimited else DriftKind.LIMIT_CHANGED
        is_known = any(
            (row := rows.get((each, limit.pk))) and row.wanted == amount for each in CHANGED
        )
        # What an import keeps was never ours, and is told until somebody says what it is to be.
        if is_known or wanted.was_kept or was_true(wanted):
            found.append(Difference(kind, limit, amount, in_base_units(figure.limit, limit)))
    if _is_over(figure):
        found.append(
            Difference(
                DriftKind.USAGE_ABOVE,
                limit,
                in_base_units(figure.limit, limit),
                in_base_units(figure.floor, limit),
            )
        )
    return found


def _is_over(figure: Figure) -> bool:
    if figure.limit is None or figure.floor is None or figure.is_unlimited:
        return False
    return figure.floor > figure.limit


def is_disabled_outside(project: Project, handle: ProjectHandle | None) -> bool:
    """Whether it was others who disabled a project that is found disabled."""
    return project.is_open and (handle is None or handle.disabled_at is None)


def project_differences(
    project: Project, handle: ProjectHandle | None, found: IdentityProject | None
) -> list[Difference]:
    """What others changed at an identity service; None: the project is not there.

    What was changed here and not yet carried out is none: a name that was told and is no longer
    wanted, or a project that is disabled by us. Of a closed project nothing is said.
    """
    if project.state == ProjectState.CLOSED:
        return []
    if found is None:
        return [Difference(DriftKind.PROJECT_MISSING)]
    differences = []
    if not found.is_enabled and is_disabled_outside(project, handle):
        differences.append(Difference(DriftKind.PROJECT_DISABLED))
    told = handle.told_name if handle is not None else ""
    name = storable(found.name)
    if name not in (project.name, told):
        differences.append(Difference(DriftKind.PROJECT_RENAMED, name=name[:255]))
    return differences
