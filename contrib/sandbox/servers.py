"""Nova's servers and hosts in two cells, one of which may be down.

Servers are made up from what is used: every second one of a project is in the second cell. While
that does not answer, Nova goes on without a word: lists and counts leave out what is there, and
only the list of its services names the hosts. As the real ones do (since 2.69).
"""

from typing import Any

from contrib.sandbox.calls import Answer, Call
from contrib.sandbox.paging import linked_page
from contrib.sandbox.state import Usage

COUNTED = ("instances", "cores", "ram")
HOSTS = {1: ("compute-1", "compute-2"), 2: ("compute-3", "compute-4")}
"""{cell: its hosts}."""

_TELLS_FLAVORS, _TELLS_CELLS = 47, 69


def usage(call: Call, project_id: str) -> dict[str, Usage]:
    """{key: what the project is seen to use}; hold the lock."""
    rows = call.cloud.usage_of(call.region or "", "compute", project_id)
    if not _is_down(call):
        return rows
    seen = [each for each in _servers(rows) if each["cell"] == 1]
    return {
        **rows,
        **{
            key: Usage(sum(each[key] for each in seen), rows.get(key, Usage()).reserved)
            for key in COUNTED
        },
    }


def listed(call: Call, minor: int) -> Answer:
    """A page of the servers of all projects, with what their flavors hold."""
    found = []
    with call.cloud.lock:
        for project in call.cloud.holders("usage", call.region or "", "compute"):
            rows = call.cloud.usage_of(call.region or "", "compute", project)
            for number, server in enumerate(_servers(rows)):
                if server["cell"] == 2 and _is_down(call):
                    continue
                flavor = {"vcpus": server["cores"], "ram": server["ram"], "disk": 0}
                row = {"id": f"{project}-{number}", "tenant_id": project, "status": "ACTIVE"}
                found.append(
                    {**row, "flavor": flavor if minor >= _TELLS_FLAVORS else {"id": "row"}}
                )
    return linked_page(call, "/v2.1/servers/detail", "servers", found)


def services(call: Call, minor: int) -> Answer:
    """The hosts, of one binary where that is asked for; all of a cell that is down are unknown."""
    rows = []
    for cell, hosts in HOSTS.items():
        for host in hosts:
            row = {"binary": "nova-compute", "host": host}
            if cell == 1 or not _is_down(call):
                rows.append({**row, "id": host, "status": "enabled", "state": "up"})
            elif minor >= _TELLS_CELLS:
                rows.append({**row, "status": "UNKNOWN"})
    if call.query.get("binary", "nova-compute") != "nova-compute":
        rows = []
    return Answer(200, {"services": rows})


def _is_down(call: Call) -> bool:
    return (call.region or "") in call.cloud.regions_short_of_a_cell


def _servers(rows: dict[str, Usage]) -> list[dict[str, Any]]:
    """[{cell, instances, cores, ram}] of one project. The first takes what cannot be divided;
    cores and memory without an instance are one's that nobody counted."""
    used = {key: rows.get(key, Usage()).used for key in COUNTED}
    count = used["instances"] or int(any(used.values()))
    return [
        {
            "cell": 1 + number % 2,
            "instances": 1,
            **{
                key: used[key] // count + (used[key] % count if number == 0 else 0)
                for key in ("cores", "ram")
            },
        }
        for number in range(count)
    ]
