"""Manila's quotas: shares, gigabytes, snapshots and replicas, in total and per share type.

Manila stores limits for projects that do not exist and refuses a limit below usage. The limits
of a share type are an address of their own, so a call each. A type without a limit of its own
has the project's; none may be above the project's, though that may be lowered below it afterwards.
So what rises in the project is written before its types, and what falls after them.

Use of one project is one call, and one for each share type that is asked for. For all projects
at once it is counted from the lists of shares, snapshots and replicas. No options.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final

from quotas.backends.base import Figure, KeySpec, Survey
from quotas.backends.counting import LARGEST, member, unknown_key
from quotas.backends.deadline import TimeLeft
from quotas.backends.errors import BackendError, broken
from quotas.backends.openstack import checked_row
from quotas.backends.quotasets import QuotaSets, use_of_one
from quotas.backends.sorting import Rule

GIB: Final = 2**30
_COUNTS = ("shares", "snapshots", "share_replicas")
_SPACES = ("gigabytes", "snapshot_gigabytes", "replica_gigabytes")
_PER_TYPE = (*_COUNTS, *_SPACES)


class ManilaDriver(QuotaSets):
    """The quota driver for Manila. Gigabytes are GiB; `*` is a share type's name."""

    SERVICE = "Manila"
    SERVICE_TYPE = "shared-file-system"
    SPECS = (
        *(KeySpec(key, "", 1, LARGEST) for key in _COUNTS),
        *(KeySpec(key, "B", GIB, LARGEST) for key in _SPACES),
        *(KeySpec(f"{key}_*", "", 1, LARGEST) for key in _COUNTS),
        *(KeySpec(f"{key}_*", "B", GIB, LARGEST) for key in _SPACES),
        *(
            KeySpec(key, "", 1, LARGEST)
            for key in ("share_networks", "share_groups", "share_group_snapshots")
        ),
    )
    RULES = (
        Rule(400, "already used and reserved", "below_usage"),
        Rule(400, "quota limit must be less than", "above_maximum"),
        Rule(400, r"bad key\(s\)|must supply at least one", "unknown_key"),
        Rule(404, "share type .*not found", "unknown_key"),
    )
    page_size: ClassVar[int] = 1000
    # Replicas are counted since 2.53.
    MICROVERSIONS = ((2, 53), (2, 62))
    PATH = "/quota-sets/{}"
    DETAIL_PATH = "/detail"

    def read(
        self, project_id: str, keys: Iterable[str] | None = None, *, timeout: float
    ) -> dict[str, Figure]:
        left = TimeLeft(timeout)
        if keys is None:
            found = super().read(project_id, timeout=left())
            kinds = [kind for kind in _PER_TYPE if kind in found]
            by_type = dict.fromkeys(self._share_types(left), kinds)
        else:
            wanted = [key for key in keys if self.spec(key) is not None]
            plain = [key for key in wanted if _split(key) is None]
            by_type = _by_type(wanted)
            found = {}
            if plain or not by_type:
                found = super().read(project_id, plain, timeout=left())
        for share_type, kinds in by_type.items():
            rows = self._rows_of_type(project_id, share_type, left)
            of_type = self._figures(rows, kinds)
            found |= {f"{kind}_{share_type}": figure for kind, figure in of_type.items()}
        return found

    def _share_types(self, left: TimeLeft) -> list[str]:
        query = {"is_public": "all"}
        answer = self._service.call("GET", "/types", query=query, timeout=left())
        rows = answer.get("share_types")
        if not isinstance(rows, list):
            raise broken(str(answer))
        return [str(checked_row(row).get("name")) for row in rows]

    def write(self, project_id: str, values: Mapping[str, int], *, timeout: float) -> None:
        self.check(values)
        path = self._path(project_id)
        if not values:
            return
        left = TimeLeft(timeout)
        plain = {key: value for key, value in values.items() if _split(key) is None}
        types = _by_type(values)
        rising = plain
        if types and plain:
            now = super().read(project_id, plain, timeout=left())
            rising = {key: value for key, value in plain.items() if _rises(now.get(key), value)}
        falling = {key: value for key, value in plain.items() if key not in rising}
        calls: list[tuple[dict[str, str], dict[str, int]]] = [({}, rising)]
        for share_type, kinds in types.items():
            limits = {kind: values[f"{kind}_{share_type}"] for kind in kinds}
            calls.append(({"share_type": share_type}, limits))
        calls.append(({}, falling))
        calls = [each for each in calls if each[1]]
        if types and len(calls) > 1:
            self._check_types(types, left)
        self._put_all(path, calls, left)

    def _check_types(self, types: Iterable[str], left: TimeLeft) -> None:
        """Raises for a type that Manila lacks, before anything beside it is written."""
        known = set(self._share_types(left))
        for share_type in types:
            if share_type not in known:
                raise unknown_key(self.SERVICE, f"*_{share_type}")

    def _put_all(
        self, path: str, calls: list[tuple[dict[str, str], dict[str, int]]], left: TimeLeft
    ) -> None:
        for number, (query, limits) in enumerate(calls):
            try:
                self._put(path, limits, query=query, timeout=left())
            except BackendError as error:
                # Those before it are set.
                error.uncertain = error.uncertain or number > 0
                raise

    def _rows_of_type(self, project_id: str, share_type: str, left: TimeLeft) -> dict[str, Any]:
        """Nothing where Manila knows no such type."""
        try:
            return self._rows(project_id, self.DETAIL_PATH, {"share_type": share_type}, left())
        except BackendError as error:
            if error.code == "unknown_key":
                return {}
            raise

    def survey(self, keys: Iterable[str] | None = None, *, timeout: float) -> Survey:
        wanted = None if keys is None else {key for key in keys if _is_surveyed(key)}
        counted = self._use_of_all(wanted, TimeLeft(timeout))
        seen = {key for use in counted.values() for key in use} | set(_PER_TYPE)
        asked = seen if wanted is None else wanted
        figures = {
            project: {key: Figure(None, use[key]) for key in asked}
            for project, use in counted.items()
        }
        return Survey(figures, counted=frozenset(asked), bounded=frozenset())

    def _use_of_all(self, wanted: set[str] | None, left: TimeLeft) -> dict[str, Counter[str]]:
        """{project id: {key: units}}, from as few lists as the wanted keys need; None: all."""
        counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        shares: dict[str, Mapping[str, Any]] = {}
        for row in self._rows_of_all("shares", left):
            shares[str(row["id"])] = row
            counted[_owner(row)].update(_use(row, "shares", "gigabytes", "size"))
        if _are_asked(wanted, "snapshots", "snapshot_gigabytes"):
            for row in self._rows_of_all("snapshots", left):
                share = shares.get(str(row.get("share_id")), {})
                its = {**row, "share_type_name": share.get("share_type_name")}
                use = _use(its, "snapshots", "snapshot_gigabytes", "share_size")
                counted[_owner(row)].update(use)
        if _are_asked(wanted, "share_replicas", "replica_gigabytes"):
            for row in self._rows_of_all("share-replicas", left):
                # Of a share that came since the list of shares: seen the next time.
                if (its_share := shares.get(str(row.get("share_id")))) is not None:
                    use = _use(its_share, "share_replicas", "replica_gigabytes", "size")
                    counted[_owner(its_share)].update(use)
        return counted

    def _rows_of_all(self, what: str, left: TimeLeft) -> Iterator[dict[str, Any]]:
        """Shares, snapshots or replicas of all projects; Manila pages by offset."""
        name, offset = what.replace("-", "_"), 0
        while True:
            query = {"all_tenants": "1", "limit": str(self.page_size), "offset": str(offset)}
            answer = self._service.call("GET", f"/{what}/detail", query=query, timeout=left())
            rows = answer.get(name)
            if not isinstance(rows, list):
                raise broken(str(answer))
            yield from (checked_row(row) for row in rows)
            offset += len(rows)
            if len(rows) < self.page_size:
                return


def _split(key: str) -> tuple[str, str] | None:
    """(what is counted, share type) of a key of a share type; None for one of the project."""
    for kind in _PER_TYPE:
        share_type = member(f"{kind}_*", key)
        if share_type is not None:
            return kind, share_type
    return None


def _by_type(keys: Iterable[str]) -> dict[str, list[str]]:
    """{share type: what is counted of it}."""
    found: dict[str, list[str]] = {}
    for key in keys:
        split = _split(key)
        if split is not None:
            found.setdefault(split[1], []).append(split[0])
    return found


def _rises(now: Figure | None, wanted: int) -> bool:
    """Whether a limit of the project goes up, and so before those of its types."""
    return now is None or now.limit is None or (not now.is_unlimited and now.limit <= wanted)


def _is_surveyed(key: str) -> bool:
    """Whether it can be counted from lists: what is counted of types, too."""
    return key in _PER_TYPE or _split(key) is not None


def _are_asked(wanted: set[str] | None, *kinds: str) -> bool:
    if wanted is None:
        return True
    return any((_split(key) or (key,))[0] in kinds for key in wanted)


def _owner(row: Mapping[str, Any]) -> str:
    return str(row.get("project_id"))


def _use(row: Mapping[str, Any], count: str, space: str, size: str) -> Counter[str]:
    return use_of_one(count, space, row.get(size), row.get("share_type_name"))
