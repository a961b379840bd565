"""Nova's quotas: cores, memory and instances of a project in one region.

Nova counts by region and knows no zones. It refuses a limit below usage and a project
that Keystone does not know.

Use of one project is one call. For all projects at once it is counted from the list of servers,
whose flavors are told with them: what Nova itself counts, in the databases of its cells. Where a
cell does not answer, Nova leaves out what is there and says nothing of it in either call; the list
of its services does, as the hosts of such a cell are `UNKNOWN` (since 2.69, the release Stein).

Option `from_placement: true` where Nova is told to count from Placement, which misses no cell but
counts other things: nothing of the list of servers is use then, and each project is read.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from quotas.backends.base import EndpointConfig, Figure, KeySpec, Survey
from quotas.backends.counting import LARGEST, whole
from quotas.backends.deadline import TimeLeft
from quotas.backends.errors import Kind, broken
from quotas.backends.quotasets import QuotaSets
from quotas.backends.sorting import Rule

# Of a key, what it is called in the flavor of a server.
_OF_FLAVOR: Final = {"cores": "vcpus", "ram": "ram"}
_HOSTS_NAMED = 5


class NovaDriver(QuotaSets):
    """The quota driver for Nova. `ram` is in MiB."""

    SERVICE = "Nova"
    SERVICE_TYPE = "compute"
    SPECS = (
        KeySpec("cores", "", 1, LARGEST),
        KeySpec("ram", "B", 2**20, LARGEST),
        KeySpec("instances", "", 1, LARGEST),
    )
    RULES = (
        Rule(400, "is not a valid project", "project_gone"),
        Rule(400, "already used and reserved", "below_usage"),
        Rule(400, "is greater than the maximum of", "above_maximum"),
        Rule(400, "additional properties are not allowed", "unknown_key"),
        # Where a list is read on from went away, or its cell did.
        Rule(400, r"marker \[?\S+ not found", "conflict", Kind.TRANSIENT),
    )
    # Nothing about quota sets changed after 2.57; what changed before are other keys. Flavors are
    # told with servers since 2.47, cells that do not answer since 2.69.
    MICROVERSIONS = ((2, 1), (2, 69))
    DETAIL_PATH = "/detail"

    def __init__(self, config: EndpointConfig) -> None:
        super().__init__(config)
        self._is_from_placement = bool(config.options.get("from_placement", False))

    def survey(self, keys: Iterable[str] | None = None, *, timeout: float) -> Survey:
        known = {each.key for each in self.SPECS}
        asked = known if keys is None else known & set(keys)
        if self._is_from_placement or not asked:
            return Survey({}, counted=frozenset(), bounded=frozenset())
        left = TimeLeft(timeout)
        # Both before and after: a cell may go, or come back, while the list is read.
        gaps = self.gaps(timeout=left())
        counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        everywhere = {"all_tenants": "1"}
        for row in self._service.rows("/servers/detail", "servers", left, query=everywhere):
            counted[str(row.get("tenant_id"))].update(_use_of(row))
        gaps += self.gaps(timeout=left())
        figures = {
            project: {key: Figure(None, use[key]) for key in asked}
            for project, use in counted.items()
        }
        return Survey(
            figures,
            counted=frozenset(asked),
            bounded=frozenset(),
            gaps=tuple(dict.fromkeys(gaps)),
        )

    def gaps(self, *, timeout: float) -> tuple[str, ...]:
        if self._is_from_placement:
            return ()
        query = {"binary": "nova-compute"}
        answer = self._service.call("GET", "/os-services", query=query, timeout=timeout)
        rows = answer.get("services")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise broken(str(answer))
        unknown = sorted(str(row.get("host")) for row in rows if row.get("status") == "UNKNOWN")
        if not unknown:
            return ()
        named = ", ".join(unknown[:_HOSTS_NAMED]) + (", …" if len(unknown) > _HOSTS_NAMED else "")
        return (
            f"Nova leaves out cells that do not answer, with {len(unknown)} of its "
            f"{len(rows)} hosts ({named})",
        )


def _use_of(server: Mapping[str, Any]) -> Counter[str]:
    """What one server uses, {key: units}, by the flavor that it was made of."""
    flavor = server.get("flavor")
    if not isinstance(flavor, dict):
        raise broken(str(server))
    use = {key: flavor.get(name) for key, name in _OF_FLAVOR.items()}
    if not whole(*use.values()):
        raise broken(str(server))
    return Counter({"instances": 1, **use})
