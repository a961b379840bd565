"""The site of the soak: two regions, people who ask, people who decide, ever more projects.

`python -m contrib.soak.site FILE` prepares an empty database: tables, the site, its funds.
The soak itself only writes the file.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

GIB = 2**30
PASSWORD = "only-for-the-soak"  # noqa: S105 of a site that lives for some minutes
ASKERS = ("alma", "ben", "cleo")
DECIDERS = ("dora", "emil", "fay")
UNITS = ("north", "south")
FIRST_PROJECTS = 4
# What a wish for an offering may come to, in steps, and what one step is in base units.
MOST_STEPS = {"vcpu": 400, "ram": 900, "space": 2000, "volumes": 300}
STEPS = {"vcpu": 1, "ram": GIB, "space": GIB, "volumes": 1}
# Compute zones share Nova's limits; a storage zone is a volume type, limited by itself too.
ZONES = {
    "compute-a": ("vcpu", "ram"),
    "compute-b": ("vcpu", "ram"),
    "storage-a": ("space", "volumes"),
    "storage-b": ("space", "volumes"),
}
POOL_STEPS = 1_000_000


def project_name(number: int, prefix: str) -> str:
    """Also its slug. The prefix keeps runs on one cloud apart."""
    return f"{prefix}-{number:03d}"


def write_site(
    path: Path,
    *,
    projects: int,
    prefix: str,
    cloud: str,
    regions: Sequence[str],
    volume_types: Sequence[str],
) -> None:
    """The file for load_catalogue; YAML takes JSON. Written whole, as it is read again later."""
    service = {"cloud": cloud, "identity": "keystone"}
    storage = dict(zip(("storage-a", "storage-b"), volume_types, strict=False))
    site = {
        "resources": {
            "vcpu": "vCPU",
            "ram": {"name": "RAM", "unit": "B", "step": "1GiB"},
            "space": {"name": "Volume space", "unit": "B", "step": "1GiB"},
            "volumes": "Volumes",
        },
        "identity": {
            "keystone": {
                "name": "Keystone",
                "driver": "keystone",
                "cloud": cloud,
                "region_name": regions[0],
            }
        },
        "services": {
            "nova": service
            | {
                "name": "Nova in <region>",
                "driver": "nova",
                "limits": {"cores": "vCPU", "ram": {"name": "RAM", "unit": "B", "step": "1MiB"}},
            },
            "cinder": service
            | {
                "name": "Cinder in <region>",
                "driver": "cinder",
                "limits": {
                    "gigabytes": {"name": "Volume space", "unit": "B", "step": "1GiB"},
                    "volumes": "Volumes",
                    "gigabytes_<type>": {"name": "In <zone>", "unit": "B", "step": "1GiB"},
                    "volumes_<type>": "Volumes in <zone>",
                },
            },
        },
        "offers": {
            "compute": {"vcpu": {"nova": "cores"}, "ram": {"nova": "ram"}},
            "storage": {
                "space": {"cinder": ["gigabytes", "gigabytes_<type>"]},
                "volumes": {"cinder": ["volumes", "volumes_<type>"]},
            },
        },
        "regions": {
            region: {
                "name": region,
                "services": ["nova", "cinder"],
                "zones": {
                    "compute": ["compute-a", "compute-b"],
                    "storage": {zone: {"type": kind} for zone, kind in storage.items()},
                },
            }
            for region in regions
        },
        "units": {"lab": {"name": "Laboratory", "units": {unit: unit for unit in UNITS}}},
        "people": {
            name: {"name": name.capitalize(), "password": PASSWORD} for name in (*ASKERS, *DECIDERS)
        },
        "projects": {
            project_name(number, prefix): {
                "unit": UNITS[number % len(UNITS)],
                "description": "Made by the soak.",
                "owners": list(ASKERS),
            }
            for number in range(projects)
        },
    }
    path.write_text(json.dumps(site, indent=1))


def offerings(region: str) -> list[str]:
    """The slugs of what can be asked for in a region."""
    return [f"{region}.{zone}.{kind}" for zone, kinds in ZONES.items() for kind in kinds]


def prepare(path: Path) -> None:
    """Tables, the site of the file, roots of authority, a pool and envelopes."""
    # Django is set up here alone: the soak itself looks at Remit from outside.
    import django
    from django.core.management import call_command

    django.setup()
    regions = list(json.loads(path.read_text())["regions"])
    call_command("migrate", verbosity=0)
    call_command("load_catalogue", str(path), "--yes", verbosity=0)
    call_command("grant_root", *DECIDERS, "--unit", "lab", verbosity=0)
    amounts = {
        slug: POOL_STEPS * STEPS[slug.rpartition(".")[2]]
        for region in regions
        for slug in offerings(region)
    }
    call_command("fund", "--pool", *_pairs(amounts, 4), verbosity=0)
    # One unit pays from an envelope of its own, the other from the pool.
    call_command("fund", "--unit", UNITS[0], *_pairs(amounts, 2), verbosity=0)


def _pairs(amounts: dict[str, int], times: int) -> list[str]:
    """`OFFERING=AMOUNT`, bytes with their unit."""
    return [
        f"{slug}={times * amount // GIB}GiB" if amount % GIB == 0 else f"{slug}={times * amount}"
        for slug, amount in amounts.items()
    ]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    prepare(Path(sys.argv[1]))
