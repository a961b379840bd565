"""What Nova, Cinder, Neutron and Manila share: one address with all limits of a project, which
a detail call answers with what is used, and which takes the keys that are to change.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from quotas.backends.base import EndpointConfig, Figure
from quotas.backends.counting import Counting, checked_id, whole
from quotas.backends.errors import broken
from quotas.backends.openstack import Service
from quotas.backends.sorting import Rule


class QuotaSets(Counting):
    """A driver for `os-quota-sets`; subclasses fill in the differences."""

    SERVICE_TYPE: ClassVar[str]
    RULES: ClassVar[Sequence[Rule]]
    MICROVERSIONS: ClassVar[tuple[tuple[int, int], tuple[int, int]] | None] = None
    # The address of a project's limits, and what holds them in bodies.
    PATH: ClassVar[str] = "/os-quota-sets/{}"
    ENVELOPE: ClassVar[str] = "quota_set"
    # The detail call: what is added to the path, the query, and what it calls use.
    DETAIL_PATH: ClassVar[str] = ""
    DETAIL_QUERY: ClassVar[Mapping[str, str]] = {}
    USED: ClassVar[str] = "in_use"

    def __init__(self, config: EndpointConfig) -> None:
        self._service = Service(
            config, self.SERVICE_TYPE, rules=self.RULES, microversions=self.MICROVERSIONS
        )

    def read(
        self, project_id: str, keys: Iterable[str] | None = None, *, timeout: float
    ) -> dict[str, Figure]:
        return self._figures(
            self._rows(project_id, self.DETAIL_PATH, self.DETAIL_QUERY, timeout), keys
        )

    def write(self, project_id: str, values: Mapping[str, int], *, timeout: float) -> None:
        self.check(values)
        path = self._path(project_id)
        if values:
            self._put(path, values, timeout=timeout)

    def _path(self, project_id: str) -> str:
        return self.PATH.format(checked_id(project_id))

    def _rows(
        self, project_id: str, more: str, query: Mapping[str, str], timeout: float
    ) -> dict[str, Any]:
        """{key: what the service says of it}."""
        answer = self._service.call(
            "GET", self._path(project_id) + more, query=query, timeout=timeout
        )
        rows = answer.get(self.ENVELOPE)
        if not isinstance(rows, dict):
            raise broken(str(answer))
        return rows

    def _figures(self, rows: Mapping[str, Any], keys: Iterable[str] | None) -> dict[str, Figure]:
        wanted = rows if keys is None else keys
        return {
            key: self._figure(key, rows[key])
            for key in wanted
            if key in rows and self.spec(key) is not None
        }

    def _figure(self, key: str, row: Any) -> Figure:
        try:
            figures = (row["limit"], row[self.USED], row.get("reserved", 0))
        except (AttributeError, KeyError, TypeError) as error:
            raise broken(f"{key}: {row}") from error
        if not whole(*figures):
            raise broken(f"{key}: {row}")
        return Figure(*figures)

    def _put(
        self,
        path: str,
        values: Mapping[str, int],
        *,
        query: Mapping[str, str] | None = None,
        timeout: float,
    ) -> None:
        answer = self._service.call(
            "PUT", path, body={self.ENVELOPE: dict(values)}, query=query, timeout=timeout
        )
        if not isinstance(answer.get(self.ENVELOPE), dict):
            raise broken(str(answer), uncertain=True)


def use_of_one(count: str, space: str, size: Any, its_type: str | None) -> Counter[str]:
    """What one volume, share or snapshot uses: {key: units}, in total and of its type."""
    if not whole(size):
        raise broken(f"a size is no number: {size!r}")
    use = Counter({count: 1, space: size})
    if its_type:
        use.update({f"{count}_{its_type}": 1, f"{space}_{its_type}": size})
    return use
