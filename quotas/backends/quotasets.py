"""What Nova and Cinder share: quota sets with the same shape of question and answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from quotas.backends.base import UNLIMITED, EndpointConfig, Figure, KeySpec
from quotas.backends.errors import BackendError, Kind
from quotas.backends.openstack import Service, broken
from quotas.backends.sorting import Rule

LARGEST: Final = 2**31 - 1
"""Quota columns are 32-bit integers; above it services answer 400, or 500."""


class QuotaSets:
    """A driver for `os-quota-sets`; subclasses fill in the differences."""

    SERVICE_TYPE: ClassVar[str]
    SPECS: ClassVar[Sequence[KeySpec]]
    RULES: ClassVar[Sequence[Rule]]
    MICROVERSIONS: ClassVar[tuple[tuple[int, int], tuple[int, int]] | None] = None
    # The detail call: what is added to the path, and the query.
    DETAIL_PATH: ClassVar[str] = ""
    DETAIL_QUERY: ClassVar[Mapping[str, str]] = {}

    def __init__(self, config: EndpointConfig) -> None:
        self._service = Service(
            config, self.SERVICE_TYPE, rules=self.RULES, microversions=self.MICROVERSIONS
        )

    @classmethod
    def specs(cls) -> Sequence[KeySpec]:
        return cls.SPECS

    @classmethod
    def spec(cls, key: str) -> KeySpec | None:
        for known in cls.SPECS:
            start, star, end = known.key.partition("*")
            if known.key == key:
                return known if not star else None
            if star and key.startswith(start) and key.endswith(end) and len(key) > len(start + end):
                return replace(known, key=key)
        return None

    def read(
        self, project_id: str, keys: Iterable[str] | None = None, *, timeout: float
    ) -> dict[str, Figure]:
        answer = self._service.call(
            "GET", _path(project_id) + self.DETAIL_PATH, query=self.DETAIL_QUERY, timeout=timeout
        )
        rows = answer.get("quota_set")
        if not isinstance(rows, dict):
            raise broken(str(answer))
        wanted = rows if keys is None else keys
        return {
            key: _figure(key, rows[key])
            for key in wanted
            if key in rows and self.spec(key) is not None
        }

    def write(self, project_id: str, values: Mapping[str, int], *, timeout: float) -> None:
        for key, value in values.items():
            if self.spec(key) is None:
                raise BackendError(
                    Kind.REFUSED, "unknown_key", f"{self.SERVICE_TYPE} counts no {key!r}"
                )
            # Text too, which Nova would take for its digits.
            if type(value) is not int or value <= UNLIMITED:
                raise BackendError(
                    Kind.REFUSED, "bad_request", f"{key} must be from 0 to {LARGEST}, not {value!r}"
                )
            if value > LARGEST:
                raise BackendError(
                    Kind.REFUSED, "above_maximum", f"{key} must be at most {LARGEST}, not {value}"
                )
        if not values:
            return
        answer = self._service.call(
            "PUT", _path(project_id), body={"quota_set": dict(values)}, timeout=timeout
        )
        if not isinstance(answer.get("quota_set"), dict):
            raise broken(str(answer), uncertain=True)


def _path(project_id: str) -> str:
    if not project_id or not project_id.replace("-", "").isalnum():
        raise BackendError(Kind.REFUSED, "bad_request", f"not a project's id: {project_id!r}")
    return f"/os-quota-sets/{project_id}"


def _figure(key: str, row: Any) -> Figure:
    try:
        figures = [row["limit"], row["in_use"], row.get("reserved", 0)]
    except (AttributeError, KeyError, TypeError) as error:
        raise broken(f"{key}: {row}") from error
    # A bool is an int to Python, and no number to anybody else.
    if not all(type(figure) is int for figure in figures):
        raise broken(f"{key}: {row}")
    return Figure(*figures)
