"""What is there: the projects of identity services, who holds which role, limits and use.

Reads only. Projects and roles are lists; the limits of a project are one call at each service, or
none where a survey of the service says all of it.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import connections

from quotas.backends.base import (
    Assignment,
    Figure,
    HeldRole,
    HolderKind,
    IdentityProject,
    NamedHolder,
    ProjectPage,
    Survey,
)
from quotas.backends.errors import BackendError
from quotas.backends.registry import UnknownDriver
from quotas.delivery.clouds import identity_driver, quota_driver
from quotas.delivery.permits import Busy
from quotas.models import Endpoint
from quotas.queries.identity_rules import LookRule

from .asking import LIST_SECONDS, Asking
from .shape import Shape

logger = logging.getLogger(__name__)

CHUNK = 64


@dataclass
class FoundIdentity:
    """What an identity endpoint lists. roles: {project id: who holds what}; holders: by kind and
    id; is_cut: it did not list all of its projects."""

    endpoint: Endpoint
    projects: dict[str, IdentityProject] = field(default_factory=dict)
    roles: dict[str, list[HeldRole]] = field(default_factory=dict)
    holders: dict[tuple[HolderKind, str], NamedHolder] = field(default_factory=dict)
    is_cut: bool = False


@dataclass(frozen=True)
class Read:
    """What services said of a project: {endpoint id: {key: Figure}}, in their units; when, by
    endpoint's id on the machine's clock; and what did not answer: {endpoint id: words}."""

    figures: Mapping[int, Mapping[str, Figure]]
    moments: Mapping[int, float]
    failed: Mapping[int, str]

    def as_json(self) -> dict[str, Any]:
        return {
            "figures": {
                pk: {key: [each.limit, each.used, each.reserved] for key, each in rows.items()}
                for pk, rows in self.figures.items()
            },
            "moments": dict(self.moments),
            "failed": dict(self.failed),
        }

    @classmethod
    def of_json(cls, row: Mapping[str, Any]) -> "Read":
        figures = {
            int(pk): {key: Figure(*each) for key, each in rows.items()}
            for pk, rows in row["figures"].items()
        }
        moments = {int(pk): each for pk, each in row["moments"].items()}
        return cls(figures, moments, {int(pk): words for pk, words in row["failed"].items()})


# --- Identity ---------------------------------------------------------------------------


def scan_identity(endpoint: Endpoint, asking: Asking, rules: Iterable[LookRule]) -> FoundIdentity:
    """All projects, roles and names of an identity endpoint. Raises BackendError, Busy.

    rules: how people and groups are found there, as they may be in other domains.
    """
    found = FoundIdentity(endpoint)
    after: str | None = ""
    while after is not None:
        page = _page(endpoint, asking, after)
        found.projects |= {each.external_id: each for each in page.projects}
        after, found.is_cut = page.after, page.is_cut
    found.roles = _roles(found, asking)
    kinds = {held.holder.kind for rows in found.roles.values() for held in rows}
    domains = {None, *(rule.domain_id for rule in rules if rule.domain_id)}
    for kind in sorted(kinds):
        for domain_id in sorted(domains, key=str):
            _add_holders(found, asking, kind, domain_id)
    return found


def _page(endpoint: Endpoint, asking: Asking, after: str) -> ProjectPage:
    driver = identity_driver(endpoint)
    page: ProjectPage = asking.ask(
        endpoint, lambda: driver.list_projects(after, timeout=settings.CALL_TIMEOUT_SECONDS)
    )
    return page


def _roles(found: FoundIdentity, asking: Asking) -> dict[str, list[HeldRole]]:
    endpoint = found.endpoint
    driver = identity_driver(endpoint)
    roles: dict[str, list[HeldRole]] = defaultdict(list)
    try:
        rows: list[Assignment] = asking.ask(
            endpoint, lambda: driver.assignments(timeout=LIST_SECONDS)
        )
    except BackendError as error:
        if error.code != "list_truncated":
            raise
        for project_id in found.projects:
            roles[project_id] = _roles_of(endpoint, asking, project_id)
        return roles
    for each in sorted(rows, key=str):
        if each.project_id in found.projects:
            roles[each.project_id].append(each.held)
    return roles


def _roles_of(endpoint: Endpoint, asking: Asking, project_id: str) -> list[HeldRole]:
    driver = identity_driver(endpoint)
    held: frozenset[HeldRole] = asking.ask(
        endpoint, lambda: driver.roles(project_id, timeout=settings.CALL_TIMEOUT_SECONDS)
    )
    return sorted(held, key=str)


def _add_holders(
    found: FoundIdentity, asking: Asking, kind: HolderKind, domain_id: str | None
) -> None:
    """Names of those who hold roles; who is not listed has none, and is told by their id."""
    driver = identity_driver(found.endpoint)
    try:
        rows: list[NamedHolder] = asking.ask(
            found.endpoint, lambda: driver.list_holders(kind, domain_id, timeout=LIST_SECONDS)
        )
    except BackendError as error:
        logger.warning("names were not listed", extra={"error": f"{found.endpoint.slug}: {error}"})
        return
    wanted = {
        held.holder.external_id
        for rows in found.roles.values()
        for held in rows
        if held.holder.kind == kind
    }
    for each in rows:
        if each.external_id in wanted:
            found.holders[kind, each.external_id] = each


# --- Limits and use ---------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where to read a project: its id at each service endpoint."""

    endpoint: Endpoint
    external_id: str


class Reader:
    """Reads projects at services, a few at a time; figures come in the order of the projects."""

    def __init__(self, shape: Shape, asking: Asking, workers: int) -> None:
        self.shape = shape
        self.asking = asking
        self.workers = workers
        self.surveys: dict[int, tuple[Survey, float]] = {}

    def survey(self, endpoints: Iterable[Endpoint]) -> None:
        """Ask those once that can tell limits and use of all projects; others are read."""
        for endpoint in endpoints:
            try:
                self._survey(endpoint)
            except (BackendError, Busy, UnknownDriver) as error:
                logger.warning("no survey", extra={"error": f"{endpoint.slug}: {error}"})

    def _survey(self, endpoint: Endpoint) -> None:
        keys = self._keys(endpoint)
        driver: Any = quota_driver(endpoint)
        if not hasattr(driver, "survey") or not keys:
            return
        moment = time.time()
        found: Survey = self.asking.survey(
            endpoint, lambda seconds: driver.survey(keys, timeout=seconds)
        )
        if set(keys) <= found.counted & found.bounded and not found.gaps:
            self.surveys[endpoint.pk] = (found, moment)

    def _keys(self, endpoint: Endpoint) -> list[str]:
        return [each.limit.key for each in self.shape.by_endpoint.get(endpoint.pk, ())]

    def read_all(self, places: Iterable[Collection[Place]]) -> Iterator[Read]:
        """One `Read` for each project's places, in their order."""
        if self.workers <= 1:
            yield from map(self._read, places)
            return
        rest = iter(places)
        with ThreadPoolExecutor(self.workers) as pool:
            while chunk := list(islice(rest, CHUNK)):
                yield from pool.map(self._read_apart, chunk)

    def _read_apart(self, places: Collection[Place]) -> Read:
        try:
            return self._read(places)
        finally:
            # Of this thread; one more connection costs less than one that nobody closes.
            connections.close_all()

    def _read(self, places: Collection[Place]) -> Read:
        figures: dict[int, Mapping[str, Figure]] = {}
        moments: dict[int, float] = {}
        failed: dict[int, str] = {}
        for place in places:
            endpoint = place.endpoint
            if (known := self._surveyed(place)) is not None:
                figures[endpoint.pk], moments[endpoint.pk] = known
                continue
            moments[endpoint.pk] = time.time()
            if not self._keys(endpoint):
                figures[endpoint.pk] = {}  # nothing is managed there
                continue
            try:
                figures[endpoint.pk] = self._call(place)
            except (BackendError, Busy, UnknownDriver) as error:
                failed[endpoint.pk] = str(error)
        return Read(figures, moments, failed)

    def _surveyed(self, place: Place) -> tuple[Mapping[str, Figure], float] | None:
        """What a survey says, where it says all of it: the limits of a project that has none of
        its own, too."""
        if place.endpoint.pk not in self.surveys:
            return None
        survey, moment = self.surveys[place.endpoint.pk]
        rows = survey.figures.get(place.external_id, {})
        found = {}
        for key in self._keys(place.endpoint):
            figure = rows.get(key, Figure(None))
            bound = survey.defaults.get(key) if figure.limit is None else figure.limit
            if bound is None:
                return None
            found[key] = Figure(bound, figure.used or 0, figure.reserved)
        return found, moment

    def _call(self, place: Place) -> Mapping[str, Figure]:
        driver = quota_driver(place.endpoint)
        keys = self._keys(place.endpoint)
        found: Mapping[str, Figure] = self.asking.ask(
            place.endpoint,
            lambda: driver.read(place.external_id, keys, timeout=settings.CALL_TIMEOUT_SECONDS),
        )
        return found
