"""Regions, zones, what is counted there, and the endpoints that enforce it."""

from quotas.models import Contribution, Endpoint, Limit, Offering, Region, Resource, Zone

from .filler import Filler
from .sizes import GIB, REGIONS


def catalogue(filler: Filler) -> None:
    """Five regions with three compute and three storage zones each: 60 offerings."""
    each = f"generate_series(1, {REGIONS})"
    filler.put(Region, f"{each} r", {"id": "r", "slug": "'r' || r", "name": "'r' || r"})
    filler.put(
        Zone,
        f"{each} r, generate_series(0, 5) z",
        {
            "id": "6 * r - 5 + z", "region_id": "r", "slug": "'z' || z", "name": "'zone ' || z",
            "kind": "CASE WHEN z < 3 THEN 'compute' ELSE 'storage' END", "order": "z",
        },
    )  # fmt: skip
    resources = (("vcpu", "", 1), ("ram", "B", GIB), ("space", "B", GIB), ("volumes", "", 1))
    for number, (slug, unit, step) in enumerate(resources, 1):
        Resource.objects.create(
            pk=number, slug=slug, name=slug, unit=unit, step=step, order=number
        )  # fmt: skip
    filler.models.append(Resource)
    filler.put(
        Offering,
        "quotas_zone z JOIN quotas_region r ON r.id = z.region_id "
        "JOIN quotas_resource s ON (z.kind = 'compute') = (s.id <= 2)",
        {
            "id": "2 * z.id - s.id % 2", "zone_id": "z.id", "resource_id": "s.id",
            "slug": "r.slug || '.' || z.slug || '.' || s.slug",
        },
    )  # fmt: skip
    filler.put(
        Endpoint, "(SELECT 1) one",
        {"id": "1", "slug": "'keystone'", "name": "'Keystone'", "driver": "'keystone'",
         "cloud": "'sandbox'"},
    )  # fmt: skip
    filler.put(
        Endpoint, f"{each} r, generate_series(0, 1) k",
        {
            "id": "2 * r + k", "region_id": "r", "identity_id": "1", "cloud": "'sandbox'",
            "slug": "(CASE k WHEN 0 THEN 'nova-r' ELSE 'cinder-r' END) || r", "name": "'e' || r",
            "driver": "CASE k WHEN 0 THEN 'nova' ELSE 'cinder' END", "region_name": "'r' || r",
        },
    )  # fmt: skip
    filler.put(
        Limit, "quotas_offering o JOIN quotas_zone z ON z.id = o.zone_id",
        {"id": "o.id", "endpoint_id": "2 * z.region_id + (z.kind = 'storage')::int",
         "key": "o.slug", "name": "o.slug", "step": "1"},
    )  # fmt: skip
    filler.put(
        Contribution, "quotas_offering o", {"id": "o.id", "offering_id": "o.id", "limit_id": "o.id"}
    )
