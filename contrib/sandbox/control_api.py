"""The control API under `/_sandbox/`: usage, limits and deletions, beside the bench's calls.

It has no authentication: the server listens on loopback only. `control.py` is its client.
"""

import json
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from contrib.sandbox import balancer, compute, network, share, volume
from contrib.sandbox.bench_api import bench_control
from contrib.sandbox.calls import Answer
from contrib.sandbox.identity import forget_project
from contrib.sandbox.state import Group, Listing, Project, StorageUser, Usage, User, new_id

if TYPE_CHECKING:
    from contrib.sandbox.server import Server

_KEYS = {
    "compute": compute.DEFAULTS,
    "volume": volume.DEFAULTS,
    "network": network.DEFAULTS,
    "share": share.DEFAULTS,
    "balancer": balancer.DEFAULTS,
}
# What is the sum over the types of the service, unless it is set by itself.
_TOTALS = {
    "volume": ("volumes", "gigabytes", "snapshots"),
    "share": (
        *("shares", "gigabytes", "snapshots", "snapshot_gigabytes"),
        *("share_replicas", "replica_gigabytes"),
    ),
}
# Nothing is in a pool or of a policy where there is none.
_PARTS = {"balancer": (("member", "pool"), ("l7rule", "l7policy"))}


def control(
    server: "Server", method: str, path: str, query: dict[str, str], raw_body: bytes
) -> Answer:
    """Answer one control call; a mistake in it is a 400 with a sentence."""
    try:
        body = json.loads(raw_body) if raw_body else {}
        return _route(server, method, path.strip("/").split("/"), query, body)
    except (ValueError, TypeError, KeyError) as error:
        return Answer(400, {"error": str(error)})


def _route(
    server: "Server", method: str, parts: list[str], query: dict[str, str], body: Any
) -> Answer:
    match (method, *parts):
        case ("GET", "ready"):
            return Answer(200, {"regions": server.cloud.regions})
        case ("PUT", "usage"):
            return _set_usage(server, body)
        case ("GET", "limits"):
            return _show_limits(server, query)
        case ("DELETE", "projects", name_or_id):
            with server.cloud.change():
                forget_project(server.cloud, _project(server, name_or_id).id)
            return Answer(200, {})
        case ("PUT", "people"):
            return _add_people(server, body)
        case ("PUT", "listing"):
            server.cloud.listing = _checked_listing(body)
            return Answer(200, {})
        case ("PUT", "cell"):
            return _set_cell(server, body)
        case ("POST", "reset"):
            server.cloud.listing = Listing()
            server.cloud.regions_short_of_a_cell = set()
        case ("DELETE", "tokens"):
            with server.cloud.lock:
                server.cloud.tokens.clear()
            return Answer(200, {})
    found = bench_control(server.bench, method, parts, query, body)
    return found or Answer(404, {"error": "there is no such control"})


def _set_cell(server: "Server", body: Any) -> Answer:
    """{region, is_down}: whether the second cell of its Nova answers."""
    region = body["region"]
    _check(server, region, "compute")
    with server.cloud.lock:
        short = server.cloud.regions_short_of_a_cell - {region}
        server.cloud.regions_short_of_a_cell = short | {region} if body["is_down"] else short
    return Answer(200, {})


def _checked_listing(body: Any) -> Listing:
    """{most, has_pages}."""
    listing = Listing(**body)
    if type(listing.most) is not int or listing.most < 1:
        raise ValueError(f"a list holds a number from 1 on, not {listing.most!r}")
    return listing


def _project(server: "Server", name_or_id: str) -> Project:
    project = server.cloud.project_called(name_or_id)
    if project is None:
        raise ValueError(f"no project is called {name_or_id!r}")
    return project


def _check(server: "Server", region: str, service: str) -> None:
    if region not in server.cloud.regions:
        raise ValueError(f"no region is called {region!r}: {', '.join(server.cloud.regions)}")
    if service not in _KEYS:
        raise ValueError(f"no service is called {service!r}: {', '.join(_KEYS)}")


def _set_usage(server: "Server", body: Any) -> Answer:
    """{project, region, service, used: {key: n}, reserved: {key: n}}; other keys stay."""
    region, service = body["region"], body["service"]
    if service == "storage":
        return _fill_buckets(server, body)
    _check(server, region, service)
    used, reserved = body.get("used", {}), body.get("reserved", {})
    for key, value in [*used.items(), *reserved.items()]:
        if key not in _KEYS[service]:
            raise ValueError(f"{service} counts no {key!r}")
        if type(value) is not int or value < 0:
            raise ValueError(f"usage of {key} is a number from 0 on, not {value!r}")
    with server.cloud.change():
        project = _project(server, body["project"])
        rows = server.cloud.usage_of(region, service, project.id)
        for key, value in used.items():
            rows.setdefault(key, Usage()).used = value
        for key, value in reserved.items():
            rows.setdefault(key, Usage()).reserved = value
        for part, whole in _PARTS.get(service, ()):
            if rows.get(part, Usage()).used and not rows.get(whole, Usage()).used:
                raise ValueError(f"a {part} needs a {whole}")
        _add_up(rows, _TOTALS.get(service, ()), named={*used, *reserved})
        return Answer(200, {"project": project.id})


def _fill_buckets(server: "Server", body: Any) -> Answer:
    """{project, region, used: {buckets, size}}: the first of the buckets holds all KiB."""
    count, size = body["used"].get("buckets", 0), body["used"].get("size", 0)
    if body["region"] not in server.cloud.regions or set(body["used"]) - {"buckets", "size"}:
        raise ValueError("a region's storage holds buckets, and in them a size")
    if size and not count:
        raise ValueError("what is stored is in a bucket")
    with server.cloud.change():
        project = _project(server, body["project"])
        users = server.cloud.gateway(body["region"]).users
        user = users.setdefault(project.id, StorageUser(project.id, access_key=""))
        user.buckets = {f"{project.name}-{number}": {} for number in range(count)}
        for bucket in list(user.buckets.values())[: 1 if size else 0]:
            bucket["everything"] = size * 1024
        return Answer(200, {"project": project.id})


def _add_up(rows: dict[str, Usage], totals: Iterable[str], named: set[str]) -> None:
    """The totals of all types, unless the call named them itself."""
    for total in totals:
        parts = [key for key in rows if key.startswith(f"{total}_")]
        if total in named or not any(key in named for key in parts):
            continue
        rows[total] = Usage(
            sum(rows[key].used for key in parts), sum(rows[key].reserved for key in parts)
        )


def _add_people(server: "Server", body: Any) -> Answer:
    cloud = server.cloud
    with cloud.change():
        users = {each.name for each in cloud.users.values()}
        groups = {each.name for each in cloud.groups.values()}
        for name in body["users"]:
            if name not in users:
                user = User(new_id(), str(name), secrets.token_urlsafe(18))
                cloud.users[user.id] = user
        for name in body["groups"]:
            if name not in groups:
                group = Group(new_id(), str(name))
                cloud.groups[group.id] = group
    return Answer(200, {})


def _show_limits(server: "Server", query: dict[str, str]) -> Answer:
    """The limits that were written for a project, defaults left out."""
    _check(server, query["region"], query["service"])
    with server.cloud.lock:
        found = server.cloud.project_called(query["project"])
        project_id = found.id if found else query["project"]  # Cinder keeps those of the deleted
        limits = server.cloud.limits_of(query["region"], query["service"], project_id)
        return Answer(200, {"limits": dict(limits)})
