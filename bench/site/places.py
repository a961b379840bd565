"""The catalogue: regions, zones, what is counted there, and the services that enforce it."""

from collections.abc import Iterator
from datetime import date

from quotas.models import Capacity, Contribution, Endpoint, Limit, Offering, Region, Resource, Zone

from .copying import Sheets
from .numbers import BASES, COMPUTE, GIB, STEPS, ZONES_OF_A_REGION, endpoint_of, resource_of
from .sizes import OFFERINGS, REGIONS, ZONES

REGION_NAMES = ("Geneva", "Prévessin", "Meyrin", "Échenevex", "Bellegarde")
REGION_SLUGS = ("geneva", "prevessin", "meyrin", "echenevex", "bellegarde")
RESOURCES = (
    ("vcpu", "vCPU", ""), ("ram", "RAM", "B"), ("space", "Volume space", "B"),
    ("volumes", "Volumes", ""),
)  # fmt: skip
LETTERS = "abc"
# Promises may be so many times what was issued at first; what a zone has, in bases.
CAPACITY = 5_000_000
MIB = 2**20
# Limits of an endpoint, by their place: of the region, then of each storage zone.
LIMITS_OF_AN_ENDPOINT = 10


def zone_slug(zone: int) -> str:
    place = zone % ZONES_OF_A_REGION
    kind = "compute" if place < COMPUTE else "storage"
    return f"{kind}-{LETTERS[place % COMPUTE]}"


def offering_slug(offering: int) -> str:
    zone = (offering - 1) // 2
    region = REGION_SLUGS[zone // ZONES_OF_A_REGION]
    return f"{region}.{zone_slug(zone)}.{RESOURCES[resource_of(offering) - 1][0]}"


def endpoint_slug(endpoint: int) -> str:
    if endpoint == 1:
        return "keystone"
    region, is_cinder = divmod(endpoint - 2, 2)
    return f"{'cinder' if is_cinder else 'nova'}-{REGION_SLUGS[region]}"


def limits_fed(offering: int) -> list[int]:
    """Ids of the limits that an offering feeds: the region's, and of storage the zone's too."""
    first = LIMITS_OF_AN_ENDPOINT * endpoint_of(offering)
    second = (offering - 1) % 2
    if resource_of(offering) <= 2:
        return [first + second]
    zone = (offering - 1) // 2 % ZONES_OF_A_REGION - COMPUTE
    return [first + second, first + 2 + 2 * zone + second]


def limits_of(endpoint: int) -> list[tuple[int, str, str, int]]:
    """(id, key, unit, step) of each."""
    first = LIMITS_OF_AN_ENDPOINT * endpoint
    if endpoint == 1:
        return []
    if endpoint % 2 == 0:
        return [(first, "cores", "", 1), (first + 1, "ram", "B", MIB)]
    found = [(first, "gigabytes", "B", GIB), (first + 1, "volumes", "", 1)]
    for zone in range(ZONES_OF_A_REGION - COMPUTE):
        name = f"storage-{LETTERS[zone]}"
        found.append((first + 2 + 2 * zone, f"gigabytes_{name}", "B", GIB))
        found.append((first + 3 + 2 * zone, f"volumes_{name}", "", 1))
    return found


def catalogue(sheets: Sheets, today: date) -> None:
    regions = sheets.of(Region, "id", "slug", "name", "order")
    for region in range(REGIONS):
        regions.add(region + 1, REGION_SLUGS[region], REGION_NAMES[region], region)
    zones = sheets.of(Zone, "id", "region_id", "slug", "name", "kind", "order")
    for zone in range(ZONES):
        slug = zone_slug(zone)
        zones.add(
            zone + 1, zone // ZONES_OF_A_REGION + 1, slug, slug.replace("-", " ").capitalize(),
            slug.partition("-")[0], zone % ZONES_OF_A_REGION,
        )  # fmt: skip
    resources = sheets.of(Resource, "id", "slug", "name", "unit", "step", "order")
    for number, (slug, name, unit) in enumerate(RESOURCES, 1):
        resources.add(number, slug, name, unit, STEPS[number], number)
    offerings = sheets.of(Offering, "id", "slug", "zone_id", "resource_id")
    capacities = sheets.of(Capacity, "id", "offering_id", "amount", "overcommit", "as_of")
    for number in range(1, OFFERINGS + 1):
        resource = resource_of(number)
        offerings.add(number, offering_slug(number), (number + 1) // 2, resource)
        amount = CAPACITY * BASES[resource] * STEPS[resource]
        capacities.add(number, number, amount, "1.5" if resource == 1 else "1", today)
    _services(sheets)


def _services(sheets: Sheets) -> None:
    endpoints = sheets.of(
        Endpoint, "id", "slug", "name", "region_id", "driver", "cloud", "region_name", "identity_id"
    )
    limits = sheets.of(Limit, "id", "endpoint_id", "key", "name", "unit", "step", "order")
    endpoints.add(1, "keystone", "Keystone", None, "keystone", "sandbox", "", None)
    for number in range(2, 2 + 2 * REGIONS):
        region, is_cinder = divmod(number - 2, 2)
        driver = "cinder" if is_cinder else "nova"
        endpoints.add(
            number, endpoint_slug(number), f"{driver.capitalize()} in {REGION_NAMES[region]}",
            region + 1, driver, "sandbox", REGION_SLUGS[region], 1,
        )  # fmt: skip
        for order, (pk, key, unit, step) in enumerate(limits_of(number)):
            limits.add(pk, number, key, key.replace("_", " in ").capitalize(), unit, step, order)
    feeds = sheets.of(Contribution, "id", "offering_id", "limit_id")
    for pk, (offering, limit) in enumerate(_feeds(), 1):
        feeds.add(pk, offering, limit)


def _feeds() -> Iterator[tuple[int, int]]:
    for offering in range(1, OFFERINGS + 1):
        for limit in limits_fed(offering):
            yield offering, limit
