"""What each project of the cloud has and uses, by its number: the same in every run.

Figures are in the services' own units.
"""

import math

REGIONS = ("geneva", "prevessin")
# A page of a list; what services send at once.
PAGE = 1000
GIB_OF_MIB = 1024


def project_id(number: int) -> str:
    return f"{number:032x}"


def project_name(number: int) -> str:
    return f"scale-{number:05}"


def limits(number: int, service: str) -> dict[str, int]:
    """{key: limit} that a project has of its own."""
    size = 1 + number % 8
    if service == "compute":
        return {"cores": 20 * size, "ram": 40 * size * GIB_OF_MIB, "instances": 10 * size}
    if service == "volume":
        return {"gigabytes": 100 * size, "gigabytes_storage-a": 100 * size}
    return {"network": size, "floatingip": 2 * size}


def used(number: int, service: str) -> dict[str, int]:
    """{key: units in use}: now and then close to a limit, mostly far below it."""
    own = limits(number, service)
    share = 90 if number % 50 == 0 else number % 40
    if service == "compute":
        # An instance is one row of a list of servers.
        count = max(1, own["instances"] * share // 400)
        return {"instances": count, "cores": own["cores"] * share // 100, "ram": 2048 * count}
    if service == "volume":
        volumes = 1 + number % 4
        return {
            "volumes": volumes, "volumes_storage-a": volumes,
            **dict.fromkeys(("gigabytes", "gigabytes_storage-a"), own["gigabytes"] * share // 100),
        }  # fmt: skip
    return {"network": 1, "floatingip": own["floatingip"] * share // 100}


def pages(rows: int) -> int:
    """How many answers so many rows come in; a last full one tells of none behind it."""
    return max(1, math.ceil(rows / PAGE))


def least_to_survey(count: int) -> dict[str, int]:
    """{service: the fewest calls by which its API tells the use of so many projects, a region}."""
    numbers = range(1, count + 1)
    servers = sum(used(each, "compute")["instances"] for each in numbers)
    volumes = sum(used(each, "volume")["volumes"] for each in numbers)
    addresses = sum(used(each, "network")["floatingip"] for each in numbers)
    return {
        # The list of servers, and before and after it which cells are down.
        "compute": pages(servers) + 2,
        # Volumes, and snapshots.
        "volume": pages(volumes) + 1,
        # All limits in one answer, then what there is of each kind.
        "network": 1 + pages(count) + pages(addresses),
        # With the administrators' own.
        "identity": pages(count + 1),
    }
